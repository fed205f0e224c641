"""Work in other processes: in order, and a clear word when one of them is ended."""

from __future__ import annotations

import os
import signal

import pytest

from spine_fracture.errors import BusyError
from spine_fracture.training.processes import each


def joined(number: int, word: str) -> tuple[int, str]:
    return os.getpid(), f"{number}{word}"


def killed(number: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return number


@pytest.mark.parametrize("workers", [1, 2])
def test_answers_come_in_the_order_of_what_was_asked(workers: int) -> None:
    made = list(each(joined, [1, 2, 3], "abc", workers=workers))

    assert [said for _, said in made] == ["1a", "2b", "3c"]
    assert (os.getpid() in {process for process, _ in made}) == (workers == 1)


def test_a_worker_that_was_ended_is_told_with_a_remedy() -> None:
    with pytest.raises(BusyError, match=r"fewer workers\. Whole parts of a cohort are kept; .* made anew"):
        list(each(killed, [1, 2], workers=2))
