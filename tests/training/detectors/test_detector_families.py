"""Each family learns from a cohort's slices, and answers about the studies that did not teach."""

from __future__ import annotations

import numpy as np
import pytest

from spine_fracture.anatomy import MODEL_CLASSES, Diagnosis, Level
from spine_fracture.bundle import SHIPPED_WEIGHTS, read_manifest
from spine_fracture.cohort.splits import Split
from spine_fracture.detection.candidates import Candidate
from spine_fracture.detection.tasks import KINDS, DetectionTask
from spine_fracture.errors import InputError, InsufficientEvidenceError
from spine_fracture.evaluation.answers import MALIGNANT_OR_BENIGN, METASTASIS_OR_HEMANGIOMA, Part
from spine_fracture.geometry import PixelBox
from spine_fracture.imaging import Sequence
from spine_fracture.training.cohorts.derived_cache import derived_cache
from spine_fracture.training.cohorts.study_cache import (
    CachedStudy,
    LevelLabel,
    StudyCache,
    StudyCacheWriter,
    StudyLabel,
)
from spine_fracture.training.detectors import cohort as detector_cohort
from spine_fracture.training.detectors.answers import _levels, answer
from spine_fracture.training.detectors.cohort import JUDGES, TEACHES, cohort_pictures, kind_in
from spine_fracture.training.detectors.config import DetectorConfig, Sources
from spine_fracture.training.detectors.pictures import BACKGROUND, DOUBTFUL
from spine_fracture.training.learning import loop
from spine_fracture.training.learning.schedule import Schedule
from spine_fracture.training.systems.families import family_named, load_system
from spine_fracture.training.systems.family import with_settings

SYSTEMS = ("yolov5", "yolov8", "yolo11", "yolo11_resnet101", "rtdetr", "detr", "retinanet", "yolo11n")
LEVELS = (Level.L4, Level.L5, Level.S1)
TASKS = (DetectionTask.LESIONS, DetectionTask.KINDS)
DISEASES = (Diagnosis.BENIGN_FRACTURE, Diagnosis.MALIGNANT)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """Five patients with three bodies, L5 altered; one has a slice more, one is a real picture."""
    folder = tmp_path_factory.mktemp("cohort")
    rng = np.random.default_rng(0)
    who = [("A", Split.TRAIN), ("R", Split.TRAIN), ("A", Split.VALIDATION), ("A", Split.TEST)]
    with StudyCacheWriter(folder / "studies", "drawn") as writer:
        for number, (centre, split) in enumerate([*who, ("C", Split.TRAIN)]):
            slices = 2 if number == 0 else 1
            pixels = rng.integers(0, 60, (slices, 4, 76, 76), dtype=np.uint8)
            pixels[:, 2:] = 0
            levels = []
            for at, level in enumerate(LEVELS):
                box = (18.0, 8.0 + 24 * at, 42.0, 26.0 + 24 * at)
                pixels[:, :2, int(box[1]) : int(box[3]), 18:42] += 120
                ill = level is Level.L5
                levels.append(
                    LevelLabel(
                        level=level,
                        diagnosis=DISEASES[number % 2] if ill else Diagnosis.NORMAL,
                        slices=tuple(range(slices)),
                        boxes=(box,) * slices,
                        shown=(True, not ill)[:slices],
                    )
                )
            label = StudyLabel(
                patient=f"p{number}", centre=centre, split=split, external=centre == "C", source="phantom",
                field_strength=1.5, sequences=(Sequence.T1, Sequence.T2), levels=tuple(levels),
                index_level=Level.L5, labelled_from=Level.L4 if centre == "R" else None,
            )  # fmt: skip
            writer.add(CachedStudy(label, pixels))
    return folder


def small(name, **settings):
    schedule = Schedule(epochs=2, steps=1, batch=2)
    config = load_system(name).config
    return config.model_copy(
        update={
            "size": 64,
            "reading_size": 64,
            "schedule": schedule,
            "sources": Sources(slices=2),
            **settings,
        }
    )


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_system_trains_and_answers(cohort, tmp_path, monkeypatch, system):
    # Hundreds of MB a network; what goes on from a checkpoint is tested with the loop.
    monkeypatch.setattr(loop, "write_checkpoint", lambda *checkpoint: None)
    # DETR's own layout doubles the resolution, which takes four times as long.
    config = small(system, **({"layout": "resnet18"} if system == "detr" else {}))
    family = family_named(config.family)
    told = []
    trained = family.train(config, cohort, tmp_path, 3, lambda line: told.append(str(line)))
    assert trained.manifest == read_manifest(tmp_path)
    assert trained.manifest.family == family.name
    assert trained.manifest.training_patients == ("p0", "p1", "p2")
    assert trained.cost.epochs == len([line for line in told if ": epoch " in line]) == 2
    assert any("notes have no effect" in line for line in told) == (system == "yolo11n")
    judged = family.answer(tmp_path, cohort)
    parts = {picture.part for picture in judged.boxes.pictures}
    assert parts == {Part.VALIDATION, Part.TEST, Part.EXTERNAL}
    if config.task is DetectionTask.KINDS:
        assert judged.boxes.task == "levels"
        assert judged.answers is None
        return
    assert judged.boxes.task == "lesions"
    assert judged.answers.classes == MODEL_CLASSES
    assert len(judged.answers.cases) == 9 + 3  # a patient's is that to its index vertebra
    told_of = {(case.patient, case.level): case.probabilities for case in judged.answers.cases}
    assert all(told_of[patient, None] == told_of[patient, Level.L5] for patient in ("p2", "p3", "p4"))
    for case in judged.answers.cases:
        assert sum(case.probabilities) == pytest.approx(1)
    assert judged.answers.can_answer(MALIGNANT_OR_BENIGN)  # what it is trained for, though it finds nothing
    assert not judged.answers.can_answer(METASTASIS_OR_HEMANGIOMA)


def test_studies_without_what_is_read_neither_teach_nor_are_judged(cohort, tmp_path):
    studies = StudyCache(cohort / "studies")
    lacking = [label.model_copy(update={"sequences": (Sequence.T1,)}) for label in studies.labels]
    studies.relabel(tmp_path / "one" / "studies", "one-t2", [lacking[0], *studies.labels[1:]])
    one = cohort_pictures(small("retinanet"), tmp_path / "one")
    assert 0 < len(one) < len(cohort_pictures(small("retinanet"), cohort))
    assert len(cohort_pictures(small("yolo11", sequences="T1"), tmp_path / "one")) > len(one)
    studies.relabel(tmp_path / "none" / "studies", "no-t2", lacking)
    with pytest.raises(InputError, match="with T2 teaches"):
        cohort_pictures(small("retinanet"), tmp_path / "none")


def test_detectors_share_pictures_only_where_they_leave_out_the_same_studies(cohort, tmp_path):
    both, t1 = small("yolo11"), small("yolo11", sequences="T1")
    studies = StudyCache(cohort / "studies")
    labels = list(studies.labels)
    labels[2] = labels[2].model_copy(update={"sequences": (Sequence.T2,)})
    studies.relabel(tmp_path / "studies", "one-without-t1", labels)
    assert cohort_pictures(both, tmp_path).sources.count(JUDGES) == 1
    assert cohort_pictures(t1, tmp_path).sources.count(JUDGES) == 0
    assert cohort_pictures(t1, tmp_path).sources.count(TEACHES) == 3
    # Where all studies have what is read, the pictures go by the same name whatever that is.
    whole = cohort_pictures(both, cohort)._cache.folder
    same = derived_cache(cohort, "pictures-lesions", (2, 64, 2), lambda *asked: pytest.fail("it is there"))
    assert whole == same == cohort_pictures(t1, cohort)._cache.folder


def test_every_system_of_the_studies_is_there_by_name():
    for name in SYSTEMS:
        config = load_system(name).config
        assert isinstance(config, DetectorConfig)
        assert config.name == name
    assert load_system("retinanet").config.task is DetectionTask.KINDS
    assert {load_system(name).config.paper for name in SYSTEMS[:4]} == {"joonghyun2026"}


def test_pictures_are_made_once_and_show_what_the_task_asks_for(cohort):
    lesions, kinds = (cohort_pictures(small("yolov8", task=task), cohort) for task in TASKS)
    assert cohort_pictures(small("yolo11"), cohort)._cache.folder == lesions._cache.folder
    assert lesions.sources.count(TEACHES) == 3
    shown = [(BACKGROUND, kind, BACKGROUND) for kind in (0, DOUBTFUL, 1, 0)]
    assert [picture.kinds for picture in lesions] == shown
    assert [picture.kinds for picture in kinds][:2] == [(0, 1, 2), (0, 0, 2)]
    assert [picture.horizon is not None for picture in lesions] == [False, False, True, False]


def test_a_body_that_is_no_lesion_and_not_normal_teaches_no_class():
    def kind(task, diagnosis, shown=True):
        level = LevelLabel(level=Level.L1, diagnosis=diagnosis, slices=(), boxes=(), shown=())
        return kind_in(DetectionTask(task), level, shown=shown)

    assert kind("lesions", Diagnosis.HEMANGIOMA) == BACKGROUND
    assert kind("lesions_and_normal", Diagnosis.HEMANGIOMA) == DOUBTFUL
    assert kind("lesions_and_normal", Diagnosis.NORMAL) == 0
    assert kind("lesions_and_normal", Diagnosis.MALIGNANT) == 2
    assert kind("lesions", Diagnosis.MALIGNANT, shown=False) == DOUBTFUL


def test_a_body_of_unknown_state_is_neither_normal_nor_altered_nor_background():
    def kind(name):
        level = LevelLabel(level=name, diagnosis=Diagnosis.INDETERMINATE, slices=(), boxes=(), shown=())
        return [kind_in(DetectionTask.KINDS, level, shown=shown) for shown in (True, False)]

    assert kind(Level.L1) == [DOUBTFUL, DOUBTFUL]
    assert kind(Level.S1) == [KINDS.index("sacrum")] * 2
    assert kind(Level.C2) == [KINDS.index("axis")] * 2


def test_a_detector_is_asked_only_what_its_classes_can_answer():
    lesions = load_system("yolo11").config
    for question in ("malignant_or_benign", "altered_or_normal", "sick_or_healthy"):
        assert with_settings(lesions, {"question": question}).question == question
    for settings in ({"question": "metastasis_or_hemangioma"}, {"question": "which"}, {"task": "kinds"}):
        with pytest.raises(InputError, match=r"set `question` to .*altered_or_normal"):
            with_settings(lesions, settings)
    assert with_settings(lesions, {"task": "kinds", "question": "altered_or_normal"}).task == "kinds"


def test_what_a_cohort_does_not_read_is_no_setting_and_said_to_have_no_effect():
    shipped = load_system("yolo11n").config
    assert {"notes", "sources.phantoms"} <= set(shipped.without_effect)
    assert load_system("yolov5").config.without_effect == ()
    assert with_settings(shipped, {"sources.slices": 2}).sources == shipped.sources.model_copy(
        update={"slices": 2}
    )
    for key in ("seed", "notes", "sources.phantoms", "sources.workers"):
        with pytest.raises(InputError, match=f"no setting {key}"):
            with_settings(shipped, {key: 1})


def test_pictures_of_an_older_form_are_made_again(cohort, monkeypatch):
    folder = cohort_pictures(small("yolov8"), cohort)._cache.folder
    monkeypatch.setattr(detector_cohort, "FORM", -1)
    assert cohort_pictures(small("yolov8"), cohort)._cache.folder != folder


@pytest.mark.parametrize(
    ("split", "error", "said"),
    [(Split.TEST, InputError, "more patients"), (Split.TRAIN, InsufficientEvidenceError, "malignant")],
)
def test_a_cohort_that_cannot_teach_is_refused(tmp_path, split, error, said):
    level = LevelLabel(
        level=Level.L1,
        diagnosis=Diagnosis.BENIGN_FRACTURE,
        slices=(0,),
        boxes=((8, 8, 40, 30),),
        shown=(True,),
    )
    label = StudyLabel(
        patient="p", centre="A", split=split, source="phantom", sequences=(Sequence.T2,), levels=(level,)
    )
    with StudyCacheWriter(tmp_path / "studies", "one") as writer:
        writer.add(CachedStudy(label, np.zeros((1, 4, 64, 64), np.uint8)))
    with pytest.raises(error, match=said):
        cohort_pictures(small("yolo11"), tmp_path)
    assert not (tmp_path / "caches").exists()


def test_where_only_regions_are_labelled_no_detector_is_trained_or_judged(cohort, tmp_path):
    studies = StudyCache(cohort / "studies")

    def with_regions(split):
        folder = tmp_path / split
        labels = [la.model_copy(update={"only_regions": la.split is split}) for la in studies.labels]
        studies.relabel(folder / "studies", f"regions-{split}", labels)
        return folder

    for split in (Split.TRAIN, Split.VALIDATION):
        for system in ("yolo11", "retinanet"):
            with pytest.raises(InputError, match=r"only regions are labelled.*every vertebra is labelled"):
                cohort_pictures(small(system), with_regions(split))
    assert len(cohort_pictures(small("yolo11"), with_regions(Split.TEST))) == 4  # these teach nothing
    for split in (Split.VALIDATION, Split.TEST):
        with pytest.raises(InputError, match="only regions are labelled"):
            answer(SHIPPED_WEIGHTS / "detector", tmp_path / split)


class FindsColumn:
    """Finds the bodies of the drawn studies, and one more above them that was not labelled."""

    def detect(self, pixels):
        boxes = [PixelBox(18, top, 42, top + 18) for top in (8, 32, 56)]
        above = PixelBox(18, 0, 42, 7)
        scores = [(0.9, 0, 0, 0)] * 3 + [(0, 0, 0.9, 0)]
        return tuple(Candidate(0, box, *row) for box, row in zip((above, *boxes), scores, strict=True))


def test_what_lies_above_the_labels_of_a_real_picture_is_not_judged(cohort):
    study = next(s for s in StudyCache(cohort / "studies") if s.label.labelled_from)
    for start, counted in ((Level.L4, ["L4", "L5", "S1"]), (None, ["L3", "L4", "L5", "S1"])):
        label = study.label.model_copy(update={"split": Split.TEST, "labelled_from": start})
        (picture,) = _levels(FindsColumn(), CachedStudy(label, study.pixels))
        assert [box.label for box in picture.reference] == ["L4", "L5", "S1"]
        assert sorted(box.label for box in picture.predicted) == counted
