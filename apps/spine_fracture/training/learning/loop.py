"""The one training loop: every network here learns through :func:`fit`.

Batches are made ahead of need; everything random is drawn from (seed, epoch, step), so that a run that
was cut short and goes on from its checkpoint ends, on a CPU, with the same bits as one that was not.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Generic, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from spine_fracture.errors import TrainingError
from spine_fracture.evaluation.answers import ALL_EPOCHS, Cost
from spine_fracture.training.learning.checkpoint import (
    Checkpoint,
    Checkpointing,
    comparable,
    read_checkpoint,
    unreadable,
    write_checkpoint,
)
from spine_fracture.training.learning.feed import Feed
from spine_fracture.training.learning.learner import Learner
from spine_fracture.training.learning.schedule import Schedule

B = TypeVar("B")
_READERS = 4


class Task(Protocol[B]):
    """What is learnt, and from what. ``network`` is moved to the device by :func:`fit`."""

    network: nn.Module

    def batch(self, rng: np.random.Generator, size: int) -> B:
        """``size`` examples, drawn from ``rng`` alone. Called in reader threads, beside the other two."""
        ...

    def loss(self, network: nn.Module, batch: B, device: torch.device) -> Tensor:
        """One scalar, the mean over the batch, of ``network`` in train mode.

        It runs under bfloat16 autocast where that is fast: pictures are best augmented with it off, and
        answers made ``float()`` before the loss is taken.
        """
        ...

    def validation_loss(self, network: nn.Module, device: torch.device) -> float | None:
        """The loss on held-out examples, always the same ones; None where nothing is held out, where they
        are of one class alone, or where nothing can be said of them yet: then the last epoch counts as the
        best.

        ``network`` is the running mean in eval mode; this runs in inference mode and full precision.
        """
        ...


@dataclass(frozen=True)
class Epoch:
    """What one epoch gave: mean ``loss`` of its steps, ``validation_loss`` of the running mean (None where
    nothing is held out). ``waited`` of its ``seconds`` went by waiting for data. ``note`` says what was
    out of the ordinary.
    """

    number: int
    of: int
    loss: float
    validation_loss: float | None
    seconds: float
    waited: float = 0.0
    note: str = ""


#: Hears of every epoch as it ends; it may end the training by raising.
Progress = Callable[[Epoch], None]


@dataclass(frozen=True, eq=False)
class Fitted:
    """The best running mean (on the CPU), the epoch it is of, every epoch's figures, and the cost."""

    state: dict[str, Tensor]
    epoch: int
    history: tuple[Epoch, ...]
    cost: Cost


def fit(
    task: Task[B],
    schedule: Schedule,
    seed: int,
    checkpoint: Checkpointing | None = None,
    tell: Progress = lambda epoch: None,
) -> Fitted:
    """Train ``task.network`` in place and return the best running mean of its weights.

    With ``checkpoint`` the run is written there every ``checkpoint_minutes`` and at its end, and a later
    call goes on from it; :class:`InputError` where it is of another training. ``tell`` hears of the epochs
    before the interruption too, at once. The network stays on the device with the weights of the last step.

    A loss that is NaN or infinite ends the training, which keeps the best epoch before; without one,
    and where not even one example fits into the GPU's memory, :class:`TrainingError`.
    """
    run = _Run(task, schedule, seed)
    if checkpoint is not None and checkpoint.path.is_file():
        run.restore(checkpoint)
        for epoch in run.result().history:
            tell(replace(epoch, note=f"{epoch.note} (from the checkpoint)".strip()))
    with Feed(task.batch, seed, schedule.epochs, schedule.steps, run.readers) as feed:
        saved = time.monotonic()
        while not run.stopped():
            ended = run.advance(feed)
            if ended is not None:
                tell(ended)
            due = time.monotonic() - saved > 60 * schedule.checkpoint_minutes
            if checkpoint is not None and (due or run.stopped()):
                run.save(checkpoint)
                saved = time.monotonic()
    return run.result()


@dataclass
class _Course:
    """Where a run is, in plain numbers. ``step`` counts from the beginning of the whole training; ``losses``,
    ``seconds``, ``waited`` and ``note`` are of the epoch under way.
    """

    batch: int
    step: int = 0
    losses: list[float] = field(default_factory=list)
    seconds: float = 0.0
    waited: float = 0.0
    note: str = ""
    pictures: int = 0
    device_mib: float = 0.0
    best_epoch: int = 0
    best_loss: float = math.inf
    failed: str = ""


class _Run(Generic[B]):
    """One training under way: all that a checkpoint holds."""

    def __init__(self, task: Task[B], schedule: Schedule, seed: int) -> None:
        self._task, self._schedule, self._seed = task, schedule, seed
        self._learner = Learner(task.network, task.loss, schedule, seed)
        self._course = _Course(batch=schedule.batch)
        self._history: list[Epoch] = []
        self._best: dict[str, Tensor] = {}
        self._since = time.monotonic()
        if self._learner.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()

    @property
    def readers(self) -> int:
        """Threads that make batches: a GPU waits for them, a CPU has no time to spare."""
        return _READERS if self._learner.device.type == "cuda" else 1

    def stopped(self) -> str:
        """Why the training is over; empty while it is not."""
        course, schedule, passed = self._course, self._schedule, len(self._history)
        if course.failed:
            return course.failed
        if passed >= schedule.epochs:
            return ALL_EPOCHS
        if passed - course.best_epoch >= schedule.patience:
            return f"no lower validation loss in {schedule.patience} epochs"
        return ""

    def advance(self, feed: Feed[B]) -> Epoch | None:
        """Take one step, and after an epoch's last look at the held-out examples: that epoch."""
        course = self._course
        loss = self._step(feed)
        course.losses.append(loss)
        course.waited += feed.waited()
        self._lap()
        if not math.isfinite(loss):
            course.failed = f"the loss became {loss} in epoch {len(self._history) + 1}"
            return self._end_epoch(None)
        course.step += 1
        if course.step % self._schedule.steps:
            return None
        judged = self._judge()
        silent = judged is None and math.isinf(course.best_loss)
        if not course.failed and (silent or (judged is not None and judged < course.best_loss)):
            course.best_loss = math.inf if judged is None else judged
            course.best_epoch = len(self._history) + 1
            self._best = self._learner.mean.state()
        self._lap()
        return self._end_epoch(judged)

    def _step(self, feed: Feed[B]) -> float:
        """The loss of one step with the largest batch that fits."""
        course = self._course
        while (loss := self._learner.step(feed.batch(course.step, course.batch), course.step)) is None:
            if course.batch == 1:
                raise TrainingError(
                    "The GPU's memory does not hold even one example: choose a smaller network or pictures, "
                    "or a GPU with more memory."
                )
            course.batch //= 2
            course.note = f"out of GPU memory: batch halved to {course.batch}"
        course.pictures += course.batch
        return loss

    def _judge(self) -> float | None:
        """The validation loss of the running mean; where either is not finite, the training has failed."""
        mean = self._learner.mean
        self._learner.seed_step(self._course.step)
        try:
            with torch.inference_mode():
                judged = self._task.validation_loss(mean.network, self._learner.device)
        except torch.OutOfMemoryError as error:
            raise TrainingError(
                "The GPU's memory ran out at validation: end other programs on it, or choose another network."
            ) from error
        if (judged is not None and not math.isfinite(judged)) or not mean.is_finite():
            self._course.failed = f"the weights became nan or infinite in epoch {len(self._history) + 1}"
        return judged

    def _end_epoch(self, judged: float | None) -> Epoch:
        course, number = self._course, len(self._history) + 1
        loss = math.fsum(course.losses) / len(course.losses)
        note = "; ".join(filter(None, (course.note, course.failed)))
        epoch = Epoch(number, self._schedule.epochs, loss, judged, course.seconds, course.waited, note)
        self._history.append(epoch)
        course.losses, course.seconds, course.waited, course.note = [], 0.0, 0.0, ""
        if self._learner.device.type == "cuda":
            course.device_mib = max(course.device_mib, torch.cuda.max_memory_allocated() / 2**20)
        if course.failed and not self._best:
            raise TrainingError(
                f"The training failed before any epoch was over: {course.failed}. Lower learning_rate in the "
                "schedule, raise warm_up or set clip; if that does not help, look for bad values in the data."
            )
        return epoch

    def _lap(self) -> None:
        now = time.monotonic()
        self._course.seconds += now - self._since
        self._since = now

    def result(self) -> Fitted:
        course = self._course
        cost = Cost(
            seconds=sum(epoch.seconds for epoch in self._history),
            pictures=course.pictures,
            waited=sum(epoch.waited for epoch in self._history),
            device=self._learner.device_name(),
            device_mib=course.device_mib,
            epochs=len(self._history),
            best_epoch=course.best_epoch,
            stopped=self.stopped(),
        )
        return Fitted(self._best, course.best_epoch, tuple(self._history), cost)

    def save(self, kept: Checkpointing) -> None:
        learner = self._learner
        write_checkpoint(
            Checkpoint(
                about=kept.about,
                seed=self._seed,
                schedule=comparable(self._schedule),
                course=asdict(self._course),
                history=[asdict(epoch) for epoch in self._history],
                network=learner.network.state_dict(),
                mean=learner.mean.network.state_dict(),
                averaged=learner.mean.steps,
                best=self._best,
                optimiser=learner.optimiser.state_dict(),
            ),
            kept.path,
        )

    def restore(self, kept: Checkpointing) -> None:
        learner = self._learner
        stored = read_checkpoint(kept, self._seed, self._schedule, learner.network.state_dict())
        try:
            self._course = _Course(**stored.course)
            self._history = [Epoch(**epoch) for epoch in stored.history]
        except TypeError as error:  # written when other things were counted
            raise unreadable(kept.path) from error
        learner.network.load_state_dict(stored.network)
        learner.mean.network.load_state_dict(stored.mean)
        learner.mean.steps = stored.averaged
        learner.optimiser.load_state_dict(stored.optimiser)
        self._best = stored.best
