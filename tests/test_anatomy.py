"""Names, order, neighbours and codes of levels; classes and features."""

from __future__ import annotations

from itertools import pairwise

import pytest

from spine_fracture.anatomy import (
    MODEL_CLASSES,
    Diagnosis,
    Feature,
    Level,
    contradiction,
    spine,
    usual_levels,
)
from spine_fracture.errors import InputError


def test_the_usual_spine_has_25_levels_in_order() -> None:
    levels = usual_levels()
    assert len(levels) == 25
    assert levels[0] is Level.C1 and levels[-1] is Level.S1
    assert all(a.order < b.order for a, b in pairwise(levels))


def test_supernumerary_levels_stand_in_their_place() -> None:
    assert spine(six_lumbar=True)[-3:] == (Level.L5, Level.L6, Level.S1)
    assert spine(thirteen_thoracic=True)[18:21] == (Level.T12, Level.T13, Level.L1)


def test_codes_are_unique() -> None:
    for kind in (Level, Diagnosis, Feature):
        codes = [(member.code.scheme, member.code.value) for member in kind]
        assert len(set(codes)) == len(codes)
    assert Level.L3.code.value == "36470004"
    assert Level.L6.code.scheme == "99SPINEFX"


@pytest.mark.parametrize("kind", [Level, Diagnosis, Feature])
def test_what_a_person_writes_is_understood_or_refused(kind: type[Level | Diagnosis | Feature]) -> None:
    for member in kind:
        assert kind.parse(f" {member.value.swapcase()} ") is member
    with pytest.raises(InputError, match="is not"):
        kind.parse("Q9")


def test_the_model_never_answers_indeterminate() -> None:
    assert Diagnosis.INDETERMINATE not in MODEL_CLASSES
    assert len(Feature) == 15


def test_features_that_exclude_each_other() -> None:
    assert contradiction(frozenset({Feature.NO_COLLAPSE, Feature.ANTERIOR_WEDGE}))
    assert contradiction(frozenset({Feature.HOMOGENEOUS_MARROW, Feature.DIFFUSE_CHANGE}))
    assert contradiction(frozenset({Feature.ANTERIOR_WEDGE, Feature.DARK_LINE})) is None
