"""What a detector answers to the studies of a cohort that do not teach: boxes, and the classes of levels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from spine_fracture.anatomy import MODEL_CLASSES, Level
from spine_fracture.detection.candidates import LEAST_SCORE
from spine_fracture.detection.detector import VertebraDetector
from spine_fracture.detection.finder import BoxFinder, Found
from spine_fracture.detection.fusion import fuse_slices
from spine_fracture.detection.lesion_detector import LesionDetector
from spine_fracture.detection.naming import name_tracks
from spine_fracture.detection.tasks import DetectionTask
from spine_fracture.evaluation.answers import Case, Part
from spine_fracture.evaluation.boxes import BoxAnswer, BoxAnswers, PictureAnswer
from spine_fracture.geometry import FloatArray, PixelBox
from spine_fracture.training.cohorts.cases import answers_of, study_cases
from spine_fracture.training.cohorts.study_cache import CachedStudy, StudyCache, slice_name
from spine_fracture.training.detectors.cohort import bodies_on, horizon_of, kind_in, require_all_labelled
from spine_fracture.training.detectors.pictures import DOUBTFUL
from spine_fracture.training.systems.family import Judged

#: Of each study so many slices, the middle ones, are judged as pictures.
_MIDDLE = 3
#: Overlap (IoU) from which a box found is of a body of which nothing is to be said.
_SAME = 0.5


def answer(bundle: Path, cohort: Path) -> Judged:
    """Boxes on the middle slices of each study: of named levels, or of lesions. A detector of lesions also
    gives the probabilities of every level, whose reference boxes it is shown, and of every patient. Raises
    :class:`InputError` for studies of which only regions are labelled.
    """
    # In the reference runtime, which has all families, and a GPU where there is one.
    finder, studies = BoxFinder.load(bundle, "torch"), StudyCache(cohort / "studies")
    require_all_labelled(studies, tuple(Part))
    judged = (
        (studies[at], studies.number(at))
        for at, label in enumerate(studies.labels)
        if label.part is not None and label.has_any(finder.sequences)
    )
    if finder.task is DetectionTask.KINDS:
        detector = VertebraDetector(finder)
        pictures = [picture for study, number in judged for picture in _levels(detector, study, number)]
        return Judged(None, _boxes(finder, studies, "levels", tuple(Level), pictures))
    model = LesionDetector(finder)
    question = str(model.manifest.config["question"])
    pictures = []
    cases: list[Case] = []
    for study, number in judged:
        found = finder.find(study.pair())
        pictures.extend(_lesions(finder.task, study, number, found))
        cases.extend(_cases(model, study, found, question))
    answers = answers_of(model.manifest, studies.name, question, MODEL_CLASSES, cases)
    return Judged(answers, _boxes(finder, studies, "lesions", finder.task.classes, pictures))


def _boxes(
    finder: BoxFinder,
    studies: StudyCache,
    task: str,
    labels: Sequence[str],
    pictures: Sequence[PictureAnswer],
) -> BoxAnswers:
    manifest = finder.manifest
    return BoxAnswers(
        system=manifest.name,
        version=manifest.version,
        seed=manifest.seed,
        cohort=studies.name,
        task=task,
        labels=tuple(str(label) for label in labels),
        pictures=tuple(pictures),
    )


def _cases(
    model: LesionDetector, study: CachedStudy, found: Sequence[Found], question: str
) -> Iterable[Case]:
    levels = study.label.levels
    rows = model.probabilities(found, [level.on_slices() for level in levels])
    return study_cases(study.label, zip(levels, rows, strict=True), question)


def _levels(detector: VertebraDetector, study: CachedStudy, number: int = 1) -> Iterable[PictureAnswer]:
    """All slices are read, for a level's name comes from all of them. ``number`` is the study's among those
    of its patient.
    """
    naming = name_tracks(fuse_slices(detector.detect(study.pair())))
    found: dict[int, list[BoxAnswer]] = {}
    for named in naming.levels:
        for candidate in named.track.candidates:
            each = BoxAnswer(label=named.level, box=candidate.box.as_tuple(), score=candidate.score)
            found.setdefault(candidate.slice_index, []).append(each)
    for at in _middle(study):
        reference = [(str(level.level), box) for level, box, _ in bodies_on(study.label, at)]
        yield _picture(study, number, at, found.get(at, ()), reference, ())


def _lesions(
    task: DetectionTask, study: CachedStudy, number: int, found: Sequence[Found]
) -> Iterable[PictureAnswer]:
    """Every box stands there once for each class that it may be of."""
    boxes: dict[int, list[BoxAnswer]] = {}
    for each in found:
        for label, score in zip(task.classes, each.scores, strict=True):
            if score >= LEAST_SCORE:
                box = BoxAnswer(label=label, box=each.box.as_tuple(), score=score)
                boxes.setdefault(each.slice_index, []).append(box)
    for at in _middle(study):
        kinds = [(kind_in(task, level, shown=shown), box) for level, box, shown in bodies_on(study.label, at)]
        reference = [(task.classes[kind], box) for kind, box in kinds if kind >= 0]
        doubtful = [box for kind, box in kinds if kind == DOUBTFUL]
        yield _picture(study, number, at, boxes.get(at, ()), reference, doubtful)


def _picture(
    study: CachedStudy,
    number: int,
    at: int,
    found: Iterable[BoxAnswer],
    reference: Iterable[tuple[str, PixelBox]],
    doubtful: Sequence[PixelBox],
) -> PictureAnswer:
    """One slice. What was found where nothing was labelled is neither right nor wrong, and left out."""
    label = study.label
    assert label.part is not None
    beyond = horizon_of(label, [box for _, box, _ in bodies_on(label, at)])

    def counts(each: BoxAnswer) -> bool:
        box = PixelBox(*each.box)
        if any(box.iou(other) >= _SAME for other in doubtful):
            return False
        return beyond is None or _below(box, beyond)

    return PictureAnswer(
        picture=slice_name(label.patient, number, at),
        part=label.part,
        patient=label.patient,
        centre=label.centre,
        scanner="" if label.field_strength is None else f"{label.field_strength:g} T",
        sequences="+".join(label.sequences),
        predicted=tuple(each for each in found if counts(each)),
        reference=tuple(BoxAnswer(label=name, box=box.as_tuple()) for name, box in reference),
    )


def _below(box: PixelBox, line: FloatArray) -> bool:
    """Whether the centre of ``box`` lies below a line (2, 2) across the spine, (x, y) of two points."""
    along, centre = line[1] - line[0], np.array(box.centre) - line[0]
    return bool((along[0] * centre[1] - along[1] * centre[0]) * np.sign(along[0]) >= 0)


def _middle(study: CachedStudy) -> list[int]:
    start = max(0, (len(study.pixels) - _MIDDLE) // 2)
    return list(range(start, min(start + _MIDDLE, len(study.pixels))))
