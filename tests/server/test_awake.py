"""The server answers while the models work."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import httpx
import torch
from server.running import running
from server.studies import QuickPipeline, image_id, study_uid, write_study

from spine_fracture.imaging import PairedStack
from spine_fracture.levels import StudyReading

SECONDS = 3.0


@dataclass(eq=False)
class SlowPipeline(QuickPipeline):
    """Computes for some seconds the way networks do, as soon as somebody asks."""

    def read(self, pair: PairedStack, study_uid: str) -> StudyReading:
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            torch.mm(torch.ones(800, 800), torch.ones(800, 800))
        return super().read(pair, study_uid)


def test_info_answers_within_a_fifth_of_a_second_while_an_inference_runs(tmp_path: Path) -> None:
    write_study(tmp_path / "studies", "phantom-000001")
    with running(tmp_path / "home", str(tmp_path / "studies"), SlowPipeline()) as server:
        url = f"{server.url}/infer/vertebra_detection?output=json&image={image_id('phantom-000001')}"
        answers: list[httpx.Response] = []
        asking = threading.Thread(target=lambda: answers.append(httpx.post(url, timeout=60)))
        asking.start()
        waits = []
        with httpx.Client(base_url=server.url, timeout=30) as client:
            while asking.is_alive():
                before = time.monotonic()
                client.get("/info/").raise_for_status()
                waits.append(time.monotonic() - before)
                time.sleep(0.05)
        assert answers[0].json()["study"] == study_uid("phantom-000001")
        assert len(waits) >= 5, "the inference was not slow: nothing was shown"
        # The median, since other programs may take this machine's processors away at any moment.
        assert median(waits) < 0.2, f"/info/ took {waits}"
