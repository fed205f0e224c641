"""What ``/info/`` says, in the shape of MONAI Label 0.8.5's own answer."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from spine_fracture.anatomy import MODEL_CLASSES
from spine_fracture.server.tasks import Tasks

NAME = "spine_fracture"
DESCRIPTION = "Active learning for vertebral fractures on spine MRI. Not for clinical use."
#: Slicer makes an empty segment for each of these in every new sample.
LABELS = [str(diagnosis) for diagnosis in MODEL_CLASSES]


def package_version() -> str:
    return version("spine-fracture")


def describe(tasks: Tasks, datastore: dict[str, Any]) -> dict[str, Any]:
    """The whole answer; ``datastore`` is the status of the studies."""
    return {
        "name": NAME,
        "description": DESCRIPTION,
        "version": package_version(),
        "labels": LABELS,
        "models": {name: task.info() for name, task in tasks.infers.items() if task.is_valid()},
        "trainers": {name: task.info() for name, task in tasks.trainers.items()},
        "strategies": {name: task.info() for name, task in tasks.strategies.items()},
        "scoring": {name: task.info() for name, task in tasks.scoring.items()},
        "train_stats": {name: task.stats() for name, task in tasks.trainers.items()},
        "datastore": datastore,
    }
