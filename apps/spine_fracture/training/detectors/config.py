"""How a detector is trained: one YAML, checked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Self

from pydantic import Field, field_validator, model_validator

from spine_fracture.anatomy import Diagnosis
from spine_fracture.bundle import Manifest
from spine_fracture.configuration import Amount, Config, Count, Positive, Share, flattened
from spine_fracture.detection.families import Architecture, FamilyName
from spine_fracture.detection.tasks import DetectionTask, Sequences
from spine_fracture.evaluation.answers import ALTERED_OR_NORMAL, QUESTIONS, Question
from spine_fracture.training.learning.schedule import Schedule
from spine_fracture.training.systems.family import SystemConfig


class Geometry(Config):
    """How far a picture may be turned, sized and moved; drawn anew each time it is seen.

    ``turn`` and ``shear`` are spreads in degrees (normal, cut at three spreads). ``scale`` is the
    range of magnification (log-uniform), ``small`` the chance of the range ``small_scale`` instead
    (whole-spine fields of view), ``shift`` the greatest move as a share of the side, ``slip`` the
    greatest move of T1 against T2 in pixels.
    """

    turn: Amount = 6.0
    shear: Amount = 2.0
    scale: tuple[Positive, Positive] = (0.8, 1.25)
    small: Share = 0.2
    small_scale: tuple[Positive, Positive] = (0.4, 0.8)
    shift: Amount = 0.12
    slip: Amount = 1.0

    @field_validator("scale", "small_scale")
    @classmethod
    def _is_range(cls, ends: tuple[float, float]) -> tuple[float, float]:
        if ends[0] > ends[1]:
            raise ValueError(f"write the smaller magnification first: [{ends[1]:g}, {ends[0]:g}]")
        return ends


class Signal(Config):
    """How far grey levels may change; each channel by itself.

    ``gamma`` spread of log gamma; ``gain`` spread of the log gain; ``bias`` greatest relative
    shading across the picture; ``noise`` greatest standard deviation; ``blur`` greatest width in pixels.
    ``only_t1`` and ``only_t2`` are the chances that the other channel is left out.
    """

    gamma: Amount = 0.25
    gain: Amount = 0.15
    bias: Amount = 0.3
    noise: Amount = 0.04
    blur: Amount = 0.8
    only_t1: Share = 0.25
    only_t2: Share = 0.25


class FieldOfView(Config):
    """Chances that a picture is cut: above its highest known vertebra, further down, or from below."""

    at_top: Share = 0.3
    lower: Share = 0.15
    from_below: Share = 0.1


class Augmentation(Config):
    """What is done to a picture. ``calm`` is the share of the batches that are shown as pictures usually
    are: without cuts of the field of view, and with half of the turn, the shear and the shift.
    """

    geometry: Geometry = Geometry()
    signal: Signal = Signal()
    field_of_view: FieldOfView = FieldOfView()
    calm: Share = 0.15


class Sources(Config):
    """What is shown of a cohort: at most ``slices`` slices of each study. The rest is for a training on the
    open lumbar set, without a cohort, and says what else is shown there, and how often.

    ``phantoms`` of ``recipe`` teach, ``held_out`` others are only scored. ``lesions`` pictures with
    simulated findings are made of each real training pair. The shares say what a batch is drawn from; real
    pairs as they are make up the rest. ``workers`` processes make the phantoms.
    """

    slices: Count = 5
    recipe: str = "phantoms/training"
    phantoms: Annotated[int, Field(ge=0)] = 0
    held_out: Annotated[int, Field(ge=0)] = 0
    lesions: Annotated[int, Field(ge=0)] = 0
    phantom_share: Share = 0.35
    lesion_share: Share = 0.2
    workers: Count = 2


class DetectorConfig(SystemConfig):
    """The whole of ``configs/detectors/*.yaml``.

    ``layout`` is the network within its ``family``, its size included: ``yolo11n`` to ``yolo11x``. ``task``
    says what boxes are called, ``sequences`` which channels are read. ``size`` is the side of the square
    canvas that teaches. Pictures are read with the area of a square of side ``reading_size``, best
    somewhat more: random magnification makes bodies look larger in training than they are (Touvron et al.
    2019). ``imagenet`` is a local safetensors file of torchvision's weights for a ResNet trunk. ``seed``,
    ``notes``, which are printed on the model card, and all of ``sources`` but ``slices`` are of a training
    on the open lumbar set, without a cohort.
    """

    unread_on_cohorts: ClassVar[frozenset[str]] = frozenset(
        {"seed", "notes", *(f"sources.{key}" for key in Sources.model_fields if key != "slices")}
    )

    name: str = "yolo11n"
    family: FamilyName = "yolo"
    question: str = "altered_or_normal"
    schedule: Schedule = Schedule(
        epochs=30, steps=100, batch=16, learning_rate=2e-3, final=0.02, warm_up=0.03, clip=1.0
    )
    layout: str = "yolo11n"
    task: DetectionTask = DetectionTask.KINDS
    sequences: Sequences = "T1+T2"
    size: int = Field(default=384, multiple_of=32, gt=0)
    reading_size: int = Field(default=416, multiple_of=32, gt=0)
    imagenet: Path | None = None
    augmentation: Augmentation = Augmentation()
    sources: Sources = Sources()
    seed: Annotated[int, Field(ge=0)] = 1
    notes: str = ""

    @model_validator(mode="after")
    def _can_answer(self) -> Self:
        if self.question not in _answerable(self.task):
            raise ValueError(
                f"A detector whose task is {self.task} cannot answer {self.question!r}: set `question` to "
                f"{' or '.join(_answerable(self.task))}."
            )
        return self

    @property
    def without_effect(self) -> tuple[str, ...]:
        """What is set here, dotted, although a training on a cohort does not read it."""
        here, usual = flattened(self), flattened(self.as_read)
        return tuple(key for key in sorted(self.unread_on_cohorts) if here[key] != usual[key])

    @property
    def architecture(self) -> Architecture:
        """What is needed to build the network again."""
        return Architecture(layout=self.layout, size=self.reading_size, sequences=self.sequences)


def _answerable(task: DetectionTask) -> tuple[str, ...]:
    """The questions to both sides of which a detector of ``task`` gives something."""
    if task is DetectionTask.KINDS:
        return (ALTERED_OR_NORMAL.name,)
    # A detector of lesions calls normal what it finds none on, whether it has a class for that or not.
    told = {Diagnosis.NORMAL, *task.classes}

    def answers(question: Question) -> bool:
        return not (told.isdisjoint(question.positive) or told.isdisjoint(question.negative))

    return tuple(name for name, question in QUESTIONS.items() if answers(question))


def manifest_of(config: DetectorConfig, seed: int, training_patients: tuple[str, ...]) -> Manifest:
    """What a detector trained by ``config`` says of itself."""
    return Manifest(
        name=config.name,
        task="detection" if config.task is DetectionTask.KINDS else "classification",
        family=config.family,
        architecture=config.architecture.model_dump(mode="json"),
        classes=config.task.classes,
        config=config.model_dump(mode="json"),
        seed=seed,
        training_patients=training_patients,
    )
