"""What every family of models offers to the harness: a configuration, training, and answers.

A family is one module beside this one, or in ``training/detectors/``, with a constant of :class:`Family`;
``families.py`` lists them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, TypeVar

from pydantic import JsonValue, ValidationInfo, field_validator

from spine_fracture.bundle import Manifest
from spine_fracture.configuration import Config, checked, flattened, meant, nearest
from spine_fracture.errors import InputError
from spine_fracture.evaluation.answers import QUESTIONS, Answers, Cost, Question
from spine_fracture.evaluation.boxes import BoxAnswers
from spine_fracture.training.learning.loop import Epoch, Progress, Task
from spine_fracture.training.learning.schedule import Schedule


@dataclass(frozen=True)
class EpochLine:
    """One epoch of the network ``name``; as a string, the line that is shown of it."""

    name: str
    epoch: Epoch

    def __str__(self) -> str:
        epoch = self.epoch
        judged = "" if epoch.validation_loss is None else f", validation {epoch.validation_loss:.4f}"
        line = f"{self.name}: epoch {epoch.number} of {epoch.of}, loss {epoch.loss:.4f}{judged} {epoch.note}"
        return line.rstrip()


#: Hears one line of progress: what was just done. It may end a training by raising at an epoch.
Tell = Callable[[str | EpochLine], None]


class SystemConfig(Config):
    """What all ``configs/`` of trainable systems have in common.

    ``family`` names the module that trains it, ``question`` the one of
    :data:`spine_fracture.evaluation.answers.QUESTIONS` that it is judged by, ``paper`` the source study
    (a key of ``configs/papers``) that it follows, empty for our own.
    """

    #: What models of the family can be asked; a family that tells two classes apart names its one question.
    answerable: ClassVar[tuple[Question, ...]] = tuple(QUESTIONS.values())
    #: Dotted keys that a training on a cohort does not read: they are no settings of the system.
    unread_on_cohorts: ClassVar[frozenset[str]] = frozenset()

    name: str
    family: str
    question: str
    paper: str = ""
    schedule: Schedule = Schedule()

    @field_validator("question")
    @classmethod
    def _can_be_answered(cls, question: str, info: ValidationInfo) -> str:
        known = [one.name for one in cls.answerable]
        if question not in QUESTIONS:
            raise ValueError(f"there is no question {question!r}: set `question` to {' or '.join(known)}")
        if question not in known:
            family = info.data.get("family", "this family")
            raise ValueError(f"{family} cannot answer {question!r}: set `question` to {' or '.join(known)}")
        return question

    @property
    def as_read(self) -> Self:
        """This, with the usual values of what a training on a cohort does not read: of two that are the same
        so, the same comes out.
        """
        values = self.model_dump(mode="json")
        for key in self.unread_on_cohorts:
            group, last = _place(values, key)
            del group[last]
        return type(self).model_validate(values)


#: What says which system it is: another is trained by its own name.
_CALLED = frozenset({"name", "family", "paper"})
S = TypeVar("S", bound=SystemConfig)
#: What a system that is fitted in one go does not read.
SCHEDULE = frozenset(f"schedule.{key}" for key in Schedule.model_fields)


def with_settings(config: S, settings: Mapping[str, JsonValue]) -> S:
    """``config`` with other values, keys dotted (``schedule.learning_rate``), checked again as a whole."""
    values = config.model_dump(mode="json")
    known = settings_of(config)
    for key, value in settings.items():
        if key not in known:
            near = nearest(key, known)
            remedy = meant(near) if near else f" It has {', '.join(known)}."
            raise InputError(f"{config.name} has no setting {key}.{remedy}")
        group, last = _place(values, key)
        group[last] = value
    return checked(values, type(config), f"{config.name} cannot be set so")


def _place(values: dict[str, Any], key: str) -> tuple[dict[str, Any], str]:
    """The group that has the last part of a dotted key, and that part."""
    *path, last = key.split(".")
    for part in path:
        values = values[part]
    return values, last


def trained_as(manifest: Manifest, kind: type[S]) -> S:
    """The configuration that a model was trained by; raises :class:`InputError` where that was one of another
    version.
    """
    return checked(manifest.config, kind, f"model.json of {manifest.version}")


def settings_of(config: SystemConfig) -> tuple[str, ...]:
    """All dotted keys of a configuration that a training on a cohort reads, but what it is called."""
    kept = config.unread_on_cohorts | _CALLED
    return tuple(key for key in flattened(config) if key not in kept)


def value_of(config: SystemConfig, key: str) -> JsonValue:
    """The value of one of :func:`settings_of`."""
    return flattened(config)[key]


def telling(name: str, tell: Tell) -> Progress:
    """What puts every epoch of ``name`` into a line for ``tell``."""
    return lambda epoch: tell(EpochLine(name, epoch))


@dataclass(frozen=True)
class Trained:
    """A bundle was written; this is its manifest and what it took."""

    manifest: Manifest
    cost: Cost


@dataclass(frozen=True)
class Judged:
    """What a model said about the validation, test and external studies of a cohort.

    ``answers`` by level or patient, ``boxes`` by picture; a family gives one of them or both.
    """

    answers: Answers | None
    boxes: BoxAnswers | None = None


#: A folder of a cohort with one cache, and what makes it.
CacheKind = Literal["studies", "radiographs"]
_MADE_BY: Mapping[CacheKind, str] = {
    "studies": "`spine-fracture cohort simulate`, or from reads `cohort cache`",
    "radiographs": "`spine-fracture cohort simulate-radiographs`",
}


@dataclass(frozen=True)
class Family:
    """A way to build models.

    ``train(config, cohort, out, seed, tell)`` reads the cohort's folder (``studies/``, a
    :class:`spine_fracture.training.cohorts.study_cache.StudyCache`, and where it was made
    ``radiographs/``), keeps a checkpoint in ``out`` from which a second call goes on, and writes a bundle
    there. It passes :func:`telling` to each fit: so a search follows any family, and ends a training that is
    hopeless.
    ``answer(bundle, cohort)`` judges nothing: it says what the model answers to every study that does
    not teach.
    ``task(config, cohort, seed)`` is what ``train`` gives to
    :func:`spine_fracture.training.learning.loop.fit` under ``config.schedule`` (of a family with several
    networks, the one that takes longest), so that the speed of training can be measured alone; None for a
    family without a network.
    ``reads`` are the folders of a cohort that it can learn from, of which it takes the first that is there.
    """

    name: str
    kind: Literal["detector", "classifier"]
    config: type[SystemConfig]
    train: Callable[[Any, Path, Path, int, Tell], Trained]
    answer: Callable[[Path, Path], Judged]
    task: Callable[[Any, Path, int], Task[Any]] | None = None
    reads: tuple[CacheKind, ...] = ("studies",)

    def read_in(self, cohort: Path) -> CacheKind:
        """What it reads of this cohort; raises :class:`InputError` where there is nothing of the kind."""
        for kind in self.reads:
            if (cohort / kind).is_dir():
                return kind
        made = ", ".join(f"{kind} with {_MADE_BY[kind]}" for kind in self.reads)
        raise InputError(
            f"{cohort} has no {' or '.join(self.reads)}, which {self.name} reads: make {made}, or name a "
            "cohort that has them."
        )
