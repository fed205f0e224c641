"""What a model answered about each case, kept so that every figure can be worked out again.

All systems write this one form, whatever they read: judging knows answers only, never models.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, ValidationError

from spine_fracture.anatomy import Diagnosis, Level
from spine_fracture.errors import InputError
from spine_fracture.files import write_atomically

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Question(_Frozen):
    """A yes-or-no question about a case; cases of neither side are not asked.

    The score of a case is the share of ``positive`` in what a model gives to both sides, in [0, 1].
    """

    name: str
    text: str
    positive: tuple[Diagnosis, ...]
    negative: tuple[Diagnosis, ...]

    def answerable(self, classes: Sequence[Diagnosis]) -> bool:
        """Whether a model of these classes has one for either side."""
        return all(any(name in side for name in classes) for side in (self.positive, self.negative))

    def about(self, case: Case) -> bool:
        """Whether it is put about this case."""
        return case.truth in (*self.positive, *self.negative)

    def scores(self, classes: Sequence[Diagnosis], probabilities: npt.ArrayLike) -> FloatArray:
        """(n, classes) probabilities to n scores; 0.5 where a model gives neither side anything."""
        given = np.asarray(probabilities, dtype=np.float64).reshape(-1, len(classes))
        yes = given[:, [name in self.positive for name in classes]].sum(axis=1)
        no = given[:, [name in self.negative for name in classes]].sum(axis=1)
        total = yes + no
        return np.asarray(np.divide(yes, total, out=np.full_like(yes, 0.5), where=total > 0))


MALIGNANT_OR_BENIGN = Question(
    name="malignant_or_benign",
    text="Is this fracture malignant, or benign?",
    positive=(Diagnosis.MALIGNANT,),
    negative=(Diagnosis.BENIGN_FRACTURE,),
)
SICK_OR_HEALTHY = Question(
    name="sick_or_healthy",
    text="Is this vertebra diseased (tumour or infection), or healthy?",
    positive=(Diagnosis.MALIGNANT, Diagnosis.OTHER),
    negative=(Diagnosis.NORMAL,),
)
METASTASIS_OR_HEMANGIOMA = Question(
    name="metastasis_or_hemangioma",
    text="Is this lesion a metastasis, or a hemangioma?",
    positive=(Diagnosis.MALIGNANT,),
    negative=(Diagnosis.HEMANGIOMA,),
)
ALTERED_OR_NORMAL = Question(
    name="altered_or_normal",
    text="Is anything wrong with this vertebra?",
    positive=(Diagnosis.BENIGN_FRACTURE, Diagnosis.MALIGNANT, Diagnosis.HEMANGIOMA, Diagnosis.OTHER),
    negative=(Diagnosis.NORMAL,),
)
QUESTIONS: dict[str, Question] = {
    question.name: question
    for question in (MALIGNANT_OR_BENIGN, SICK_OR_HEALTHY, METASTASIS_OR_HEMANGIOMA, ALTERED_OR_NORMAL)
}


class Part(StrEnum):
    """What a case is there for: thresholds are fixed on validation and figures given for the others.

    ``external`` is a centre that no model was trained on.
    """

    VALIDATION = "validation"
    TEST = "test"
    EXTERNAL = "external"


class Case(_Frozen):
    """One thing judged: a level of a patient, or with ``level`` None the patient as a whole.

    ``probabilities`` follow the ``classes`` of the answers it is in, and so does ``alone``: what a model that
    sees a level in the light of others says of it without them, empty for other models. ``note`` is what a
    subset is told by, e.g. the primary tumour; ``fold`` the one of a cross-validation whose model answered.
    """

    part: Part
    patient: str
    level: Level | None
    truth: Diagnosis
    probabilities: tuple[float, ...]
    alone: tuple[float, ...] = ()
    centre: str = ""
    scanner: str = ""
    sequences: str = ""
    sex: str = ""
    age: float | None = None
    note: str = ""
    fold: str = ""


#: What :attr:`Cost.stopped` says of a training that no early stop ended.
ALL_EPOCHS = "all epochs done"


class Cost(_Frozen):
    """What a training took. ``waited`` seconds of ``seconds`` were spent waiting for data;
    ``device_mib`` is the GPU's peak, 0 on a CPU; ``stopped`` says why it ended.
    """

    seconds: float
    pictures: int
    waited: float
    device: str
    device_mib: float = 0.0
    epochs: int = 0
    best_epoch: int = 0
    stopped: str = ""

    @property
    def pictures_a_second(self) -> float:
        return self.pictures / self.seconds if self.seconds > 0 else 0.0

    @property
    def ran_out(self) -> bool:
        """Whether it, or one of its parts, ended at the last epoch, so that it may not have been over."""
        return ALL_EPOCHS in self.stopped


def together(costs: Sequence[Cost | None]) -> Cost | None:
    """What several trainings took one after the other; None where that of one is not known. How far each went
    is left out.
    """
    known = [cost for cost in costs if cost is not None]
    if len(known) < len(costs) or len(known) < 2:
        return known[0] if len(costs) == len(known) == 1 else None
    return Cost(
        seconds=sum(cost.seconds for cost in known),
        pictures=sum(cost.pictures for cost in known),
        waited=sum(cost.waited for cost in known),
        device=", ".join(dict.fromkeys(cost.device for cost in known)),
        device_mib=max(cost.device_mib for cost in known),
    )


class Answers(_Frozen):
    """All cases of one run of one system. ``question`` is the name of the one it was trained for."""

    system: str
    version: str
    seed: int
    cohort: str
    question: str
    classes: tuple[Diagnosis, ...]
    cases: tuple[Case, ...]
    cost: Cost | None = None
    figures: dict[str, float] = {}

    def can_answer(self, question: Question) -> bool:
        """Whether the model tells both sides of this question apart; that of its training it always can.

        Models may answer with more classes than they know. One that is given nothing in any case is such.
        """
        told = [name for at, name in enumerate(self.classes) if any(c.probabilities[at] for c in self.cases)]
        return question.name == self.question or question.answerable(told)

    def asked(self, part: Part, question: Question | None = None) -> tuple[Case, ...]:
        """The cases of this part that the question (default: its own) is put about."""
        wanted = question or QUESTIONS[self.question]
        return tuple(case for case in self.cases if case.part is part and wanted.about(case))

    def by_fold(self) -> dict[str, Answers]:
        """What the model of each fold answered; all of it under no name where nothing was cross-validated."""
        return {fold: self.model_copy(update={"cases": own}) for fold, own in in_folds(self.cases).items()}

    def under(self, question: Question) -> Answers:
        """The same as answers to another question. Without what was said of patients as a whole, for that was
        said of the vertebra that the own question is about.
        """
        levels = tuple(case for case in self.cases if case.level is not None)
        return self.model_copy(update={"question": question.name, "cases": levels})

    def alone(self) -> Answers | None:
        """The same with what was said of each case alone; None unless that is known of all of them."""
        if not self.cases or not all(case.alone for case in self.cases):
            return None
        cases = (case.model_copy(update={"probabilities": case.alone, "alone": ()}) for case in self.cases)
        return self.model_copy(update={"cases": tuple(cases)})

    def scores(self, cases: Sequence[Case], question: Question | None = None) -> FloatArray:
        """The score of each of these cases, in [0, 1]."""
        wanted = question or QUESTIONS[self.question]
        return wanted.scores(self.classes, [case.probabilities for case in cases])


class _Answered(Protocol):
    @property
    def fold(self) -> str: ...


_A = TypeVar("_A", bound=_Answered)


def in_folds(answered: Iterable[_A]) -> dict[str, tuple[_A, ...]]:
    """What was answered, by the name of its fold."""
    folds: dict[str, list[_A]] = {}
    for one in answered:
        folds.setdefault(one.fold, []).append(one)
    return {name: tuple(own) for name, own in folds.items()}


def is_positive(cases: Sequence[Case], question: Question) -> BoolArray:
    """Which of these cases the question is rightly answered yes for."""
    return np.array([case.truth in question.positive for case in cases], dtype=bool)


def write_answers(answers: Answers, path: Path) -> None:
    """Write as JSON, atomically."""
    write_atomically(path, (answers.model_dump_json(exclude_defaults=True) + "\n").encode())


def read_answers(path: Path) -> Answers:
    """Read what :func:`write_answers` wrote; raises :class:`InputError` for any other file."""
    try:
        return Answers.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise InputError(f"{path.name} holds no answers of a model: judge the model again.") from error
