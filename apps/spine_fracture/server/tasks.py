"""MONAI Label's task interfaces over our own parts, for ``/info/`` and for the stock server.

Only the light interface modules are imported: ``monailabel.app`` takes many seconds.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from typing import Any

from monailabel.interfaces.datastore import Datastore
from monailabel.interfaces.tasks.infer_v2 import InferTask, InferType
from monailabel.interfaces.tasks.scoring import ScoringMethod
from monailabel.interfaces.tasks.strategy import Strategy
from monailabel.interfaces.tasks.train import TrainTask

from spine_fracture.active_learning.strategies import strategy_names
from spine_fracture.server.auth import LOCAL
from spine_fracture.server.inference import DESCRIPTIONS, ModelName
from spine_fracture.server.room import ReadingRoom
from spine_fracture.server.scoring import DESCRIPTION, METHOD, reader_agreement
from spine_fracture.server.training import TrainerName
from spine_fracture.training.jobs import JobState

_STRATEGIES = {
    "uncertainty": "Levels the models are least sure of, with the reason; one in five is a blinded check.",
    "random_stratified": "Levels drawn at random, evenly over centres and predicted classes: the control.",
}


@dataclass(frozen=True)
class Tasks:
    """All tasks by their name with clients."""

    infers: dict[str, InferTask]
    trainers: dict[str, TrainTask]
    strategies: dict[str, Strategy]
    scoring: dict[str, ScoringMethod]


def tasks_of(room: ReadingRoom) -> Tasks:
    return Tasks(
        infers={str(model): SpineInferTask(model, room) for model in ModelName},
        trainers={str(trainer): SpineTrainTask(trainer, room) for trainer in TrainerName},
        strategies={name: SpineStrategy(name, room) for name in strategy_names()},
        scoring={METHOD: ReaderAgreement(room)},
    )


class SpineInferTask(InferTask):  # type: ignore[misc]
    """One of our models. The request's ``image`` is an id, never a path."""

    def __init__(self, model: ModelName, room: ReadingRoom) -> None:
        description = DESCRIPTIONS[model]
        labels = description.labels if isinstance(description.labels, dict) else list(description.labels)
        kind, config = InferType(description.kind), dict(description.config)
        super().__init__(kind, labels, description.dimension, description.text, config)
        self._model = model
        self._room = room

    def is_valid(self) -> bool:
        """Whether clients are offered it: not before a model was promoted that answers."""
        return self._room.patient_models.serves(self._model)

    def __call__(self, request: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """A temporary file, which MONAI Label removes after sending it, and the JSON answer."""
        result = self._room.infer(LOCAL, self._model, str(request["image"]), request)
        params = result.answer.model_dump(mode="json")
        with tempfile.NamedTemporaryFile(suffix=f"-{result.file.name}", delete=False) as stream:
            stream.write(result.file.content)
        return stream.name, params


class SpineTrainTask(TrainTask):  # type: ignore[misc]
    """Trains on the latest reads, as a job; a better model serves after the gate, never before."""

    def __init__(self, trainer: TrainerName, room: ReadingRoom) -> None:
        super().__init__("Retrains the classifier on the reads of training patients; the gate decides.")
        self._trainer = trainer
        self._room = room

    def config(self) -> dict[str, Any]:
        return {"snapshot": "latest"}

    def __call__(self, request: dict[str, Any], datastore: Datastore) -> dict[str, Any]:
        """Run the job to its end: MONAI Label calls this in a process of its own."""
        job = self._room.trainings.start(self._trainer, request, enqueue=True)
        while job.state in (JobState.QUEUED, JobState.RUNNING):
            job = self._room.trainings.wait(job, 60.0)
        return self._room.trainings.as_monai_label(job)


class SpineStrategy(Strategy):  # type: ignore[misc]
    """One of our rankings of levels."""

    def __init__(self, name: str, room: ReadingRoom) -> None:
        super().__init__(_STRATEGIES.get(name, name))
        self._name = name
        self._room = room

    def __call__(self, request: dict[str, Any], datastore: Datastore) -> dict[str, Any] | None:
        return self._room.next_sample(LOCAL, self._name, request)


class ReaderAgreement(ScoringMethod):  # type: ignore[misc]
    """How often models and readers agree."""

    def __init__(self, room: ReadingRoom) -> None:
        super().__init__(DESCRIPTION)
        self._room = room

    def __call__(self, request: dict[str, Any], datastore: Datastore) -> dict[str, Any]:
        return reader_agreement(self._room.project)
