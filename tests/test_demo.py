"""The loop end to end on a few small phantoms, with the shipped weights, and the report in a browser."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console
from sqlalchemy import select

from spine_fracture.active_learning.strategies import load_strategy
from spine_fracture.cohort.models import Patient, Read, ReadMode
from spine_fracture.cohort.project import open_project
from spine_fracture.cohort.records import AuditEvent
from spine_fracture.cohort.splits import Split
from spine_fracture.demo import READS, DemoPlan, DemoResult, run_demo

RECIPE = """
name: tiny
patients: 5
first_seed: 643
slices: 5
first: T12
centres: [A, B]
coverage: {lumbar: 1.0, thoracolumbar: 0.0}
"""
TRAINING = """
name: classifier
samples: {training_phantoms: 1, validation_phantoms: 1}
schedule: {epochs: 1, steps: 2, batch: 16, averaging: 0.5, beta1: 0.5}
balance: {shares: [0.0, 0.5, 0.5]}
gate: {minimum_patients: 2, minimum_malignant_levels: 1, draws: 200}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def plan(home: Path) -> DemoPlan:
    for name, text in (("recipe", RECIPE), ("training", TRAINING)):
        (home / f"{name}.yaml").write_text(text)
    return DemoPlan(str(home / "recipe.yaml"), str(home / "training.yaml"), shown=3)


@pytest.fixture(scope="module")
def result(home: Path, plan: DemoPlan) -> Iterator[DemoResult]:
    yield run_demo(home, Console(quiet=True), plan)


def test_every_part_of_the_loop_left_its_mark(result: DemoResult, home: Path) -> None:
    report = result.report
    assert len(report.ranked) == 3
    assert 0 < len(report.reads) <= READS
    assert sum(row.patients for row in report.centres) == 5
    assert report.candidate != report.champion_before
    assert report.champion_after in (report.champion_before, report.candidate)
    assert (report.champion_after == report.candidate) == (report.gate.verdict == "promote")
    told = json.loads(result.data.read_text())
    assert told["gate"]["verdict"] == report.gate.verdict
    with open_project(home).session() as session:
        events = set(session.scalars(select(AuditEvent.action)))
    assert {"study.read", "read.submitted"} <= events


def test_levels_of_patients_that_judge_are_read_blinded_and_never_ranked(
    result: DemoResult, home: Path
) -> None:
    with open_project(home).session() as session:
        splits = dict(session.execute(select(Patient.key, Patient.split)).all())
        for read in session.scalars(select(Read)):
            if read.level.study.patient.split is not Split.TRAIN:
                assert read.mode is ReadMode.BLINDED
    assert {splits[level.patient] for level in result.report.ranked} == {Split.TRAIN}
    assert load_strategy("uncertainty").ranking == "uncertainty"


def test_the_report_opens_in_a_browser(result: DemoResult, tmp_path: Path) -> None:
    chromium = shutil.which("chromium")
    assert chromium, "Chromium is missing: run `make test`, which installs it"
    shot = tmp_path / "report.png"
    subprocess.run(
        [
            chromium,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            f"--user-data-dir={tmp_path / 'profile'}",
            "--window-size=1280,1400",
            f"--screenshot={shot}",
            result.page.as_uri(),
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )
    with Image.open(shot) as picture:
        assert picture.size == (1280, 1400)
        colours = picture.convert("RGB").getcolors(maxcolors=1 << 24)
    assert colours is not None and len(colours) > 500  # pictures and bars, not an empty page
