"""Patients of a simulated cohort become labelled studies: phantoms, and real pictures with findings."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from spine_fracture.anatomy import Diagnosis, Feature, Level
from spine_fracture.cohort.splits import split_of
from spine_fracture.configuration import load_config
from spine_fracture.errors import InputError
from spine_fracture.imaging import CHANNELS, Sequence
from spine_fracture.simulation.study import PhantomStudy, simulate_study
from spine_fracture.training.classifiers.samples import real_pair
from spine_fracture.training.cohorts import studies as cohort_studies
from spine_fracture.training.cohorts.config import REAL_CENTRE, CohortConfig
from spine_fracture.training.cohorts.studies import make_study, recruits
from spine_fracture.training.cohorts.study_cache import CachedStudy

TINY = load_config("cohorts/tiny", CohortConfig)
REAL = TINY.model_copy(update={"real_pictures": True})
SEED = 4291  # of the tiny cohort: a patient with all four series and findings


@pytest.fixture(scope="module")
def made() -> PhantomStudy:
    return simulate_study(SEED, TINY.phantoms)


@pytest.fixture
def phantom(made: PhantomStudy, monkeypatch: pytest.MonkeyPatch) -> CachedStudy:
    """The study of a phantom that is made once, for that takes a second."""
    monkeypatch.setattr(cohort_studies, "simulate_study", lambda seed, recipe: made)
    return make_study(SEED, TINY)


@pytest.fixture(scope="module")
def real(lumbar: Path) -> tuple[CachedStudy, ...]:
    return tuple(make_study(patient, REAL) for patient in recruits(REAL, lumbar)[12:27])


def test_a_phantom_is_labelled_as_it_was_made(made: PhantomStudy, phantom: CachedStudy) -> None:
    label = phantom.label
    assert label.patient == made.patient_key and label.split is split_of(made.patient_key)
    assert label.centre == made.centre and label.external == (made.centre == "D")
    assert [(v.level, v.diagnosis, v.primary) for v in label.levels] == [
        (t.level, t.diagnosis, t.primary or "") for t in made.truth
    ]
    assert any(v.diagnosis is not Diagnosis.NORMAL for v in label.levels)
    at = [volume.sequence for volume in made.volumes].index(Sequence.T2)
    for level in label.levels:
        bodies = made.body_labels[at] == 1 + level.level.order
        assert level.slices == tuple(np.flatnonzero(bodies.any(axis=(1, 2))))
        for k, (x0, y0, x1, y1) in zip(level.slices, level.boxes, strict=True):
            rows, columns = np.nonzero(bodies[k])
            assert (x0, y0, x1, y1) == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        if level.diagnosis is Diagnosis.NORMAL:
            assert all(level.shown)
        else:
            assert any(level.shown)


def test_series_are_stretched_and_missing_ones_are_zero(
    phantom: CachedStudy, real: tuple[CachedStudy, ...]
) -> None:
    for study in (phantom, real[0]):
        assert study.pixels.dtype == np.uint8 and study.pixels.shape[1] == len(CHANNELS)
        for at, sequence in enumerate(CHANNELS):
            series = study.pixels[:, at]
            assert series.any() == (sequence in study.label.sequences)
            assert series.max() in (0, 255)


def test_the_external_centre_is_judged_whatever_the_split(phantom: CachedStudy) -> None:
    everywhere = TINY.model_copy(update={"external": ("A", "B", "D")})
    assert make_study(SEED, everywhere).label.external
    assert phantom.label.sex in ("F", "M") and phantom.label.age


def test_real_patients_without_findings_come_after_the_phantoms(lumbar: Path) -> None:
    everybody = recruits(REAL, lumbar)
    assert everybody[:12] == tuple(range(4290, 4302))
    assert len(everybody) == 12 + 23  # one of the made-up 24 has a noted fracture
    assert recruits(TINY, None) == everybody[:12]
    with pytest.raises(InputError, match="--data"):
        recruits(REAL, None)


def test_a_real_patient_has_one_disease_as_the_recipe_asks(real: tuple[CachedStudy, ...]) -> None:
    kinds: Counter[Diagnosis] = Counter()
    for study in real:
        label = study.label
        assert (label.centre, label.source, label.field_strength) == (REAL_CENTRE, "simulated_in_real", None)
        assert label.split is split_of(label.patient) and not label.external
        found = Counter(v.diagnosis for v in label.levels)
        assert not (found[Diagnosis.MALIGNANT] and found[Diagnosis.BENIGN_FRACTURE])
        kinds.update(found.keys())
        for v in label.levels:
            if v.diagnosis in (Diagnosis.MALIGNANT, Diagnosis.BENIGN_FRACTURE):
                assert (Feature.SKIP_LESION in v.features) == (found[v.diagnosis] > 1)
                assert label.index_level is not None
            assert Feature.POSTERIOR_ELEMENTS not in v.features
            assert v.slices == (0,)
    assert {Diagnosis.MALIGNANT, Diagnosis.BENIGN_FRACTURE, Diagnosis.HEMANGIOMA} < set(kinds)


def test_every_real_picture_passes_the_resampling(lumbar: Path, real: tuple[CachedStudy, ...]) -> None:
    """Even where nothing was put in: no level's pixels are those of the file."""
    for patient, study in zip(recruits(REAL, lumbar)[12:27], real, strict=True):
        assert not isinstance(patient, int)
        plain = np.rint(real_pair(patient).pixels * 255)
        for v in study.label.levels:
            if v.diagnosis is Diagnosis.NORMAL and v.level is not Level.S1:
                x0, y0, x1, y1 = (int(edge) for edge in v.boxes[0])
                part = np.s_[:, :2, y0:y1, x0:x1]
                assert (study.pixels[part] != plain[part]).mean() > 0.1


def test_the_same_patient_is_made_again_alike(lumbar: Path, real: tuple[CachedStudy, ...]) -> None:
    again = make_study(recruits(REAL, lumbar)[12], REAL)
    np.testing.assert_array_equal(again.pixels, real[0].pixels)
    assert again.label == real[0].label
