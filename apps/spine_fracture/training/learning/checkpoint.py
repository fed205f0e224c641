"""A training that was cut short, on disk: everything that decides how it goes on."""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from spine_fracture.configuration import Config, flattened
from spine_fracture.errors import InputError
from spine_fracture.files import write_atomically
from spine_fracture.training.learning.schedule import Schedule

State = dict[str, torch.Tensor]
_SCHEDULE = "schedule."  # of a configuration: compared apart, for not all of it changes the result


@dataclass(frozen=True)
class Checkpointing:
    """Where a training is kept while it is under way, and of what it is: the whole ``config`` of its system,
    and the ``cohort`` that teaches, by a name that no other cohort has.
    """

    path: Path
    config: Config
    cohort: str

    @property
    def about(self) -> dict[str, Any]:
        """What must be the same for a training to go on, beside its seed and schedule."""
        settings = flattened(self.config).items()
        return {"cohort": self.cohort} | {k: v for k, v in settings if not k.startswith(_SCHEDULE)}


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """``about`` is that of its :class:`Checkpointing`, ``course`` are the plain numbers of the run,
    ``history`` the fields of its epochs, ``averaged`` how many steps are in ``mean``, ``best`` the weights
    to keep as yet, empty before the first epoch's end.
    """

    about: dict[str, Any]
    seed: int
    schedule: dict[str, Any]
    course: dict[str, Any]
    history: list[dict[str, Any]]
    network: State
    mean: State
    averaged: int
    best: State
    optimiser: dict[str, Any]


def comparable(schedule: Schedule) -> dict[str, Any]:
    """What of a schedule changes the result."""
    return schedule.model_dump(mode="json", exclude={"checkpoint_minutes"})


def write_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Atomically: where the disk is full, :class:`StorageError`, and the checkpoint before is intact."""
    buffer = io.BytesIO()
    torch.save(vars(checkpoint), buffer)
    write_atomically(path, buffer.getvalue())


def read_checkpoint(kept: Checkpointing, seed: int, schedule: Schedule, network: State) -> Checkpoint:
    """The checkpoint at ``kept.path``; :class:`InputError` where it is damaged or of another training.

    ``network`` is the state of the network about to be trained: names and shapes must fit.
    """
    path = kept.path
    remedy = _remedy(path)
    try:
        checkpoint = Checkpoint(**torch.load(path, map_location="cpu", weights_only=True))
        _refuse_other(path, "network", _shapes(checkpoint.network), _shapes(network), remedy)
    except (pickle.UnpicklingError, RuntimeError, EOFError, TypeError, AttributeError, OSError) as error:
        raise unreadable(path) from error
    _refuse_other(path, "cohort or configuration", checkpoint.about, kept.about, remedy)
    _refuse_other(path, "seed", {"seed": checkpoint.seed}, {"seed": seed}, remedy)
    _refuse_other(path, "schedule", checkpoint.schedule, comparable(schedule), remedy)
    return checkpoint


def unreadable(path: Path) -> InputError:
    """What is said of a checkpoint that this code cannot go on from."""
    return InputError(
        f"{path} cannot be read as a checkpoint: it is damaged, or of another version. {_remedy(path)}"
    )


def _remedy(path: Path) -> str:
    return f"Remove {path} to begin anew, or train into another folder."


def _shapes(state: State) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in state.items()}


def _refuse_other(
    path: Path, what: str, stored: Mapping[str, Any], wanted: Mapping[str, Any], remedy: str
) -> None:
    names = [name for name in {**stored, **wanted} if stored.get(name) != wanted.get(name)]
    if names:
        first, more = names[0], f", and {len(names) - 1} more" if len(names) > 1 else ""
        raise InputError(
            f"{path} is of a training with another {what}: {first} is {stored.get(first, 'not there')} "
            f"in it, {wanted.get(first, 'not there')} here{more}. {remedy}"
        )
