"""The same work on many things, in processes of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any, TypeVar

from spine_fracture.errors import BusyError

Made = TypeVar("Made")


def each(make: Callable[..., Made], *things: Iterable[Any], workers: int) -> Iterator[Made]:
    """``make`` of the first of all ``things``, of the second, and so on, in this order.

    One worker works here. More are started anew, not forked: a fork of a process whose libraries run threads
    may hang or crash. Raises :class:`BusyError` where a worker was ended from outside.
    """
    if workers == 1:
        yield from map(make, *things)
        return
    try:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            yield from pool.map(make, *things)
    except BrokenProcessPool as error:
        raise BusyError(
            "A process that made patients was ended, most likely for want of memory: say the same again with "
            "fewer workers. Whole parts of a cohort are kept; the pictures of a detector are all made anew."
        ) from error
