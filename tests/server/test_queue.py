"""What the next sample tells a reader, and what it must not."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
from server.running import running
from server.studies import LEVELS, QuickPipeline, write_study

#: A training, a validation and a test patient.
PATIENTS = ("phantom-000001", "phantom-000005", "phantom-000004")


def test_every_level_comes_once_and_blinded_ones_tell_nothing(tmp_path: Path) -> None:
    for patient in PATIENTS:
        write_study(tmp_path / "studies", patient)
    with running(tmp_path / "home", str(tmp_path / "studies"), QuickPipeline()) as server:
        seen = []
        with httpx.Client(base_url=server.url) as client:
            while sample := client.post("/activelearning/uncertainty", json={}).json():
                seen.append(sample)
                read = {"level_id": sample["level_id"], "diagnosis": "normal"}
                label = {"label": ("read.json", json.dumps(read))}
                client.put(
                    "/datastore/label",
                    params={"image": sample["id"]},
                    files=label,
                ).raise_for_status()
        assert len(seen) == len({s["level_id"] for s in seen}) == len(PATIENTS) * len(LEVELS)
        blinded = [s for s in seen if s["mode"] == "blinded"]
        assert len(blinded) >= 2 * len(LEVELS)
        assert all(s["uncertainty"] is None and s["reason"] == "next level" for s in blinded)
        text = json.dumps(blinded)
        assert not any(word in text for word in ("malignant", "hemangioma", "split", "test", "validation"))


def test_the_control_strategy_ranks_by_chance(tmp_path: Path) -> None:
    write_study(tmp_path / "studies", PATIENTS[0])
    with running(tmp_path / "home", str(tmp_path / "studies"), QuickPipeline()) as server:
        sample = httpx.post(f"{server.url}/activelearning/random_stratified", json={}).json()
        assert sample["strategy"] == "random_stratified"
        assert sample["uncertainty"] is None
