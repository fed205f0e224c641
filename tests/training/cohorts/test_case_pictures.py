"""Pictures of cases and of slices are those of the study that was judged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from several_studies import BOX, exam, write_cohort

from spine_fracture.anatomy import Diagnosis, Level
from spine_fracture.cohort.splits import Split
from spine_fracture.evaluation.answers import Case, Part
from spine_fracture.evaluation.boxes import BoxAnswer, PictureAnswer
from spine_fracture.training.cohorts.case_pictures import CasePictures
from spine_fracture.training.cohorts.radiograph_cache import RadiographCacheWriter, RadiographLabel
from spine_fracture.training.cohorts.study_cache import CachedStudy

BENIGN, MALIGNANT = Diagnosis.BENIGN_FRACTURE, Diagnosis.MALIGNANT
FIRST = exam("p", BENIGN, seed=1)
SECOND = exam("p", MALIGNANT, seed=2, age=61, slices=3)
THIRD = exam("p", MALIGNANT, seed=3, age=62)


def case(truth: Diagnosis, level: Level | None = Level.L1, **more: object) -> Case:
    told = {"part": Part.TEST, "patient": "p", "level": level, "truth": truth, "probabilities": (0.5, 0.5)}
    return Case.model_validate({**told, "centre": "A", "sequences": "T1+T2", **more})


def slice_of(name: str) -> PictureAnswer:
    found = (BoxAnswer(label="malignant", box=BOX),)
    return PictureAnswer(picture=name, part=Part.TEST, patient="p", predicted=(), reference=found)


def alone(study: CachedStudy, folder: Path) -> CasePictures:
    """Pictures of a cohort that has this study only."""
    return CasePictures(write_cohort(folder, [study], "alone"), "alone")


def test_a_case_is_shown_in_the_study_that_has_its_level_so(tmp_path: Path) -> None:
    others = exam("q", MALIGNANT, seed=9)
    pictures = CasePictures(write_cohort(tmp_path / "all", [others, FIRST, SECOND, THIRD]), "reads")
    for number, (study, asked) in enumerate(
        [
            (FIRST, case(BENIGN)),
            (FIRST, case(BENIGN, None)),
            (SECOND, case(MALIGNANT, age=61)),
            (THIRD, case(MALIGNANT, age=62)),
            (THIRD, case(MALIGNANT, None, age=62)),
        ]
    ):
        shown = pictures.of_case(asked)
        assert shown is not None and shown == alone(study, tmp_path / str(number)).of_case(asked)
    assert pictures.of_case(case(Diagnosis.HEMANGIOMA)) is None
    assert pictures.of_case(case(MALIGNANT, Level.L2)) is None
    assert pictures.of_case(case(Diagnosis.HEMANGIOMA, None)) is None


def test_boxes_are_drawn_on_the_slice_of_the_study_that_the_name_tells(tmp_path: Path) -> None:
    pictures = CasePictures(write_cohort(tmp_path / "all", [FIRST, SECOND]), "reads")
    first = pictures.of_boxes(slice_of("p/0"))
    assert first is not None and first == alone(FIRST, tmp_path / "1").of_boxes(slice_of("p/0"))
    second = pictures.of_boxes(slice_of("p/2/2"))
    assert second is not None and second == alone(SECOND, tmp_path / "2").of_boxes(slice_of("p/2"))
    # Kept before later studies were told apart: the first study has no such slice.
    assert pictures.of_boxes(slice_of("p/2")) is None
    assert pictures.of_boxes(slice_of("p/3/0")) is None


def test_a_radiograph_is_shown_of_a_model_that_read_radiographs(tmp_path: Path) -> None:
    """Simulated patients of both kinds go by the same keys."""
    cohort = write_cohort(tmp_path, [FIRST])
    label = RadiographLabel(patient="p", centre="A", split=Split.TEST, diagnosis=BENIGN, levels=((), ()))
    with RadiographCacheWriter(cohort / "radiographs", "films") as writer:
        writer.add(label, np.random.default_rng(0).integers(0, 255, (2, 60, 50)).astype(np.uint8))
    whole = case(BENIGN, None)
    of_studies, of_films = (CasePictures(cohort, name).of_case(whole) for name in ("reads", "films"))
    assert of_studies is not None and of_films is not None and of_studies != of_films
    (cohort / "studies").rename(tmp_path / "elsewhere")
    assert CasePictures(cohort, "films").of_case(whole) == of_films
