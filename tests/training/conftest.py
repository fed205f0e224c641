"""A made-up set laid out like the open lumbar one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

NAMES = ("L1", "L2", "L3", "L4", "L5", "S1")


@pytest.fixture(scope="session")
def lumbar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made-up set laid out like the real one; the first patient has a noted fracture."""
    folder = tmp_path_factory.mktemp("lumbar")
    rng = np.random.default_rng(0)
    entries = []
    for number in range(24):
        polygons = []
        pictures = rng.normal(60, 4, (2, 160, 120))
        for at in range(6):
            top = 8 + 25 * at
            polygons.append([[45, top], [72, top], [72, top + 18], [45, top + 18]])
            pictures[:, top : top + 18, 45:72] += 60
        for sequence, picture in zip(("T1", "T2"), pictures, strict=True):
            Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(
                folder / f"{number:04d}_{sequence}.png"
            )
        vertebrae = [
            {"level": n, "polygon": p, "box": [45, p[0][1], 72, p[2][1]]}
            for n, p in zip(NAMES, polygons, strict=True)
        ]
        entry = {
            "patient": f"{number:04d}",
            "vertebrae": vertebrae,
            "t1_t2_shift_px": [0, 3] if number == 1 else None,
        }
        entry |= {s: {"file": f"{number:04d}_{s}.png"} for s in ("T1", "T2")}
        entry["finding_from_note"] = ["fracture", "L2", "old"] if number == 0 else None
        entries.append(entry)
    (folder / "manifest.json").write_text(json.dumps(entries))
    return folder
