"""From a labelled study and what a model said of it to a case that is judged."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from spine_fracture.anatomy import Diagnosis
from spine_fracture.bundle import Manifest
from spine_fracture.errors import InputError
from spine_fracture.evaluation.answers import MALIGNANT_OR_BENIGN, Answers, Case
from spine_fracture.training.cohorts.study_cache import LevelLabel, StudyLabel

#: What a patient is, from what the levels are: the first of these that any level has.
_GRAVEST = (
    Diagnosis.MALIGNANT,
    Diagnosis.OTHER,
    Diagnosis.BENIGN_FRACTURE,
    Diagnosis.HEMANGIOMA,
    Diagnosis.NORMAL,
)


def case_of(label: StudyLabel, level: LevelLabel, probabilities: Iterable[float]) -> Case:
    """The case of one level; ``probabilities`` follow the classes of the answers that it goes into.

    Raises :class:`InputError` for a study that teaches.
    """
    if label.part is None:
        raise InputError(f"Patient {label.patient} teaches, so no model may be judged on this study.")
    return Case(
        part=label.part,
        patient=label.patient,
        level=level.level,
        truth=level.diagnosis,
        probabilities=tuple(float(share) for share in probabilities),
        centre=label.centre,
        scanner="" if label.field_strength is None else f"{label.field_strength:g} T",
        sequences="+".join(label.sequences),
        sex=label.sex,
        age=label.age,
        note=level.primary,
    )


def study_cases(
    label: StudyLabel, answered: Iterable[tuple[LevelLabel, Iterable[float]]], question: str
) -> Iterator[Case]:
    """The cases of these levels of one study, each with its probabilities.

    Where the question is whether a fracture is malignant there is also a case of the patient, whose answer
    and truth are those of the index vertebra (Yeh et al. 2022).
    """
    for level, probabilities in answered:
        case = case_of(label, level, probabilities)
        yield case
        if question == MALIGNANT_OR_BENIGN.name and level.level is label.index_level:
            yield case.model_copy(update={"level": None, "note": primary_tumour(label)})


def answers_of(
    manifest: Manifest, cohort: str, question: str, classes: tuple[Diagnosis, ...], cases: Iterable[Case]
) -> Answers:
    """What the model of this manifest answered about ``cohort``; probabilities follow ``classes``."""
    return Answers(
        system=manifest.name,
        version=manifest.version,
        seed=manifest.seed,
        cohort=cohort,
        question=question,
        classes=classes,
        cases=tuple(cases),
    )


def gravest(present: Collection[Diagnosis]) -> Diagnosis:
    """What a patient is of whom these are the diagnoses: the gravest, normal where nothing is altered."""
    return next((diagnosis for diagnosis in _GRAVEST if diagnosis in present), Diagnosis.NORMAL)


def primary_tumour(label: StudyLabel) -> str:
    """The tumour that the patient's malignant levels come from; empty where there is none."""
    return next((level.primary for level in label.levels if level.primary), "")
