"""Batches made ahead of need in reader threads, so that the network does not wait for data."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, Self, TypeVar

import numpy as np

B = TypeVar("B")


class Feed(Generic[B]):
    """Gives the batch of each step, ``steps`` an epoch. It is drawn from (seed, epoch, step) alone, so it is
    the same whether it was made ahead, again, or after an interruption. Used as a context.
    """

    def __init__(
        self,
        make: Callable[[np.random.Generator, int], B],
        seed: int,
        epochs: int,
        steps: int,
        readers: int = 1,
    ) -> None:
        self._make, self._seed = make, seed
        self._last, self._steps = epochs * steps, steps
        self._ahead = readers + 1
        self._readers = ThreadPoolExecutor(readers, thread_name_prefix="batches")
        self._coming: deque[tuple[int, int, Future[B]]] = deque()
        self._waited = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._readers.shutdown(cancel_futures=True)

    def batch(self, step: int, size: int) -> B:
        """The batch of step ``step`` of the whole training, of ``size``; starts on those after it."""
        if self._coming and self._coming[0][:2] != (step, size):
            for _, _, unwanted in self._coming:
                unwanted.cancel()
            self._coming.clear()
        for at in range(step + len(self._coming), min(step + self._ahead + 1, self._last)):
            self._coming.append((at, size, self._readers.submit(self._draw, at, size)))
        _, _, wanted = self._coming.popleft()
        started = time.monotonic()
        batch = wanted.result()
        self._waited += time.monotonic() - started
        return batch

    def waited(self) -> float:
        """Seconds spent waiting for batches since the last call."""
        seconds, self._waited = self._waited, 0.0
        return seconds

    def _draw(self, step: int, size: int) -> B:
        return self._make(np.random.default_rng((self._seed, *divmod(step, self._steps))), size)
