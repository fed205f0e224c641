"""A program that ends while a thread computes ends as it was told to, not by an abort."""

from __future__ import annotations

import subprocess
import sys
import threading

from spine_fracture.server.companion import Companion

#: Ends in the middle of a network: without being waited for, torch aborts the process.
BUSY = """
import torch
from spine_fracture.server.companion import Companion
companion, network, begun = Companion("busy"), torch.nn.Conv2d(16, 16, 3), __import__("threading").Event()
def work():
    while not companion.closing.is_set():
        network(torch.zeros(4, 16, 256, 256))
        begun.set()
    print("ended")
companion.start(work)
begun.wait()
"""


def test_the_program_waits_for_the_piece_under_way() -> None:
    done = subprocess.run([sys.executable, "-c", BUSY], capture_output=True, text=True, timeout=240)
    assert (done.returncode, done.stdout, done.stderr) == (0, "ended\n", "")


def test_closing_returns_when_the_work_is_over() -> None:
    companion, begun, ended = Companion("waits"), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        companion.closing.wait()
        ended.set()

    companion.start(work)
    assert begun.wait(10)
    assert not ended.is_set()
    companion.close()
    assert ended.is_set()


def test_one_that_was_never_started_is_closed_at_once() -> None:
    companion = Companion("idle")
    companion.close()
    assert companion.closing.is_set()
