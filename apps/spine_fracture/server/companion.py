"""Threads that work beside the requests, and end before the program does.

A thread that is in the middle of a network when Python ends takes the whole process down with an abort, so
that a server that was only told to stop looks as though it had crashed.
"""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable

#: What a thread is in the middle of, a study or a report, takes seconds; one that hangs is left behind.
_PATIENCE_S = 60.0


class Companion:
    """One such thread. Its work looks at ``closing`` between pieces; it is closed at the latest on exit."""

    def __init__(self, name: str) -> None:
        self.closing = threading.Event()
        self._name = name
        self._thread: threading.Thread | None = None

    def start(self, work: Callable[[], None]) -> None:
        self._thread = threading.Thread(target=self._run, args=(work,), name=self._name, daemon=True)
        atexit.register(self.close)
        self._thread.start()

    def close(self) -> None:
        """Returns when the work has ended its piece."""
        self.closing.set()
        self.join(_PATIENCE_S)

    def join(self, timeout_s: float | None = None) -> None:
        """Wait until the work is over."""
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        finally:
            atexit.unregister(self.close)
