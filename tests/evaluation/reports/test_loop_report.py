"""The report as a page and as data."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import numpy as np

from spine_fracture.anatomy import Diagnosis, Level
from spine_fracture.evaluation.reports.drawing import data_uri, grey
from spine_fracture.evaluation.reports.loop_report import (
    CentreRow,
    RankedLevel,
    ReadRow,
    Report,
    write_report,
)
from spine_fracture.levels import Uncertainty
from spine_fracture.training.gate import GateConfig, TestLevel, decide

PICTURE = data_uri(grey(np.arange(400.0).reshape(20, 20)))


def _report() -> Report:
    levels = [
        TestLevel(f"p{n}", truth, champion=Diagnosis.NORMAL, candidate=truth)
        for n in range(12)
        for truth in (Diagnosis.NORMAL, Diagnosis.MALIGNANT)
    ]
    gate = decide(levels, champion="old-1", candidate="new-2", config=GateConfig(draws=200))
    ranked = RankedLevel(
        rank=1,
        patient="phantom-000643",
        centre="centre A",
        level=Level.T12,
        score=0.61,
        probabilities=(0.1, 0.45, 0.4, 0.05),
        uncertainty=Uncertainty(0.8, 0.3, 0.2, 0.1, 0.0, 0.1),
        reasons=("benign fracture and malignant about equally likely", "T1 < T2"),
        read=Diagnosis.MALIGNANT,
        picture=PICTURE,
    )
    return Report(
        created=datetime(2026, 1, 2, 3, 4),
        detector="detector-abc",
        champion_before="old-1",
        champion_after="new-2",
        candidate="new-2",
        training_reads=17,
        centres=(CentreRow("centre A", 3, 3, 6, 40, 1),),
        ranked=(ranked,),
        reads=(ReadRow(1, "phantom-000643", Level.T12, "blinded", Diagnosis.MALIGNANT, 4, 21.0),),
        gate=gate,
        seconds=(("Ingest", 2.5),),
    )


def test_the_page_shows_the_level_its_reasons_and_the_gate(tmp_path: Path) -> None:
    page, _ = write_report(_report(), tmp_path)
    text = page.read_text()
    assert "Not for clinical use" in text
    assert PICTURE in text
    assert "benign fracture and malignant about equally likely; T1 &lt; T2" in text
    assert "promote" in text and "macro-F1 changes by" in text
    assert "http://" not in text and "https://" not in text  # one file, nothing fetched


def test_the_data_holds_the_numbers_but_no_pictures(tmp_path: Path) -> None:
    _, data = write_report(_report(), tmp_path)
    told = json.loads(data.read_text())
    assert told["gate"]["verdict"] == "promote"
    assert told["gate"]["difference"]["low"] > 0
    assert told["ranked"][0]["probabilities"] == [0.1, 0.45, 0.4, 0.05]
    assert "picture" not in told["ranked"][0]
    assert told["reads"][0]["diagnosis"] == "malignant"
