"""Slowing down whoever guesses passwords."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from spine_fracture.errors import BusyError

_FAILURES = 5
_LOCKED_S = 60.0
_DELAY_S = 0.4
#: Each check takes a moment of a processor and much memory, on purpose.
_AT_ONCE = 4
#: So many names are remembered; the oldest give way.
_NAMES = 10_000


@dataclass(frozen=True)
class _Failures:
    count: int
    last: float


class Attempts:
    """Failed sign-ins by name, in memory. Safe to use from several threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, delay: float = _DELAY_S) -> None:
        self._clock = clock
        self._delay = delay
        self._failed: dict[str, _Failures] = {}
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(_AT_ONCE)

    @contextmanager
    def checking(self, name: str) -> Iterator[None]:
        """Around one check of a password; raises :class:`BusyError` when this name failed too often."""
        if not self._places.acquire(blocking=False):
            raise BusyError("Several people sign in at this moment: try again in a few seconds.")
        try:
            with self._lock:
                before = self._failed.get(name)
            if before and before.count >= _FAILURES and self._clock() - before.last < _LOCKED_S:
                raise BusyError("This name was given with a wrong password too often: wait a minute.")
            yield
        finally:
            self._places.release()

    def failed(self, name: str) -> None:
        """Note it, and keep the caller waiting for a moment."""
        now = self._clock()
        with self._lock:
            before = self._failed.pop(name, None)
            recent = before.count if before and now - before.last < _LOCKED_S else 0
            self._failed[name] = _Failures(recent + 1, now)
            if len(self._failed) > _NAMES:
                del self._failed[next(iter(self._failed))]
        time.sleep(self._delay)

    def succeeded(self, name: str) -> None:
        with self._lock:
            self._failed.pop(name, None)
