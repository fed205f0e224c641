"""A cohort of radiographs is made in parts, and goes on where it was cut short."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from spine_fracture.anatomy import Diagnosis, Level
from spine_fracture.cohort.splits import split_of
from spine_fracture.configuration import load_config
from spine_fracture.errors import InputError
from spine_fracture.simulation.radiograph_recipe import RadiographRecipe
from spine_fracture.simulation.recipe import DiseaseShares, PhantomRecipe
from spine_fracture.training.cohorts import radiograph_cohort
from spine_fracture.training.cohorts.naming import ContentDigest
from spine_fracture.training.cohorts.radiograph_cache import RadiographCache
from spine_fracture.training.cohorts.radiograph_cohort import make_radiographs

RECIPE = RadiographRecipe(
    name="test",
    external=("D",),
    rows=96,
    columns=64,
    phantoms=PhantomRecipe(
        name="test",
        patients=2,
        sequences=("T1",),
        first=Level.L2,
        last=Level.L4,
        centres=("D",),
        disease=DiseaseShares(osteoporosis=0.5, malignant=0.5, infection=0, hemangioma_per_patient=0),
    ),
)


def test_an_interrupted_making_ends_as_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(radiograph_cohort, "_PATIENTS_A_PART", 1)

    def cut_short(done: int, of: int) -> None:
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_radiographs(RECIPE, tmp_path / "a", cut_short)
    assert not (tmp_path / "a" / "radiographs" / "cache.json").exists()
    made = make_radiographs(RECIPE, tmp_path / "a", lambda done, of: None)
    whole = make_radiographs(RECIPE, tmp_path / "b", lambda done, of: None)
    assert made.labels == whole.labels
    assert np.array_equal(made.pixels, whole.pixels)
    content = ContentDigest()
    for label, pixels in zip(made.labels, made.pixels, strict=True):
        content.add(label, pixels)
    assert re.fullmatch(rf"test-[0-9a-f]{{8}}-{content.hex[:8]}", made.name) and made.name == whole.name
    assert not (tmp_path / "a" / "radiographs-parts").exists()
    for label in made.labels:
        assert label.external and label.centre == "D" and label.split is split_of(label.patient)
        assert label.diagnosis in (Diagnosis.BENIGN_FRACTURE, Diagnosis.MALIGNANT)
        assert all(
            [level.level for level in levels] == [Level.L2, Level.L3, Level.L4] for levels in label.levels
        )
    again = make_radiographs(RECIPE, tmp_path / "a", lambda done, of: pytest.fail("it is there"))
    assert again.labels == RadiographCache(tmp_path / "a" / "radiographs").labels
    with pytest.raises(InputError, match="choose another folder"):
        make_radiographs(RECIPE.model_copy(update={"rows": 128}), tmp_path / "a", lambda done, of: None)


def test_the_cohort_in_configs_holds_enough_patients_who_teach() -> None:
    recipe = load_config("cohorts/radiographs", RadiographRecipe)
    shares = recipe.phantoms.disease
    assert shares.osteoporosis + shares.malignant == 1
    inside = sum(c not in recipe.external for c in recipe.phantoms.centres) / len(recipe.phantoms.centres)
    first = recipe.phantoms.first_seed
    teaching = sum(
        split_of(f"phantom-{seed:06d}") == "train" for seed in range(first, first + recipe.phantoms.patients)
    )
    assert teaching * inside > 320
