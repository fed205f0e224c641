"""The score is that of the models that serve, on the levels that readers of training patients read."""

from __future__ import annotations

from pathlib import Path

import pytest
from server.made_desk import Desk, desk

from spine_fracture.anatomy import Diagnosis, Level
from spine_fracture.server.scoring import reader_agreement

NORMAL, MALIGNANT = (1.0, 0.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0)


@pytest.fixture
def one(tmp_path: Path) -> Desk:
    """Read as malignant by the readers and by the newer of two models."""
    made = desk(tmp_path)
    made.read_by("older", NORMAL)
    made.read_by("newer", MALIGNANT)
    made.read(Level.L1)
    return made


def test_the_models_that_serve_are_scored_though_others_read_later(one: Desk) -> None:
    one.serve("newer")
    assert reader_agreement(one.project)["accuracy"] == 1.0
    one.serve("older")
    assert reader_agreement(one.project)["accuracy"] == 0.0


def test_models_that_have_read_nothing_have_no_score(one: Desk) -> None:
    one.serve("reads nothing")
    found = reader_agreement(one.project)
    assert (found["levels"], found["reads"], found["accuracy"], found["macro_f1"]) == (0, 0, None, None)


def test_a_level_that_two_readers_read_is_one_level(one: Desk) -> None:
    one.serve("newer")
    one.read(Level.L1, reader="reader-2", diagnosis=Diagnosis.NORMAL)
    one.read(Level.L1, reader="reader-3", diagnosis=Diagnosis.INDETERMINATE)
    found = reader_agreement(one.project)
    assert (found["levels"], found["reads"], found["accuracy"]) == (1, 2, 0.5)
