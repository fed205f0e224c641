"""The models commands change the champion on the record; a mistake is one line, never a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from sqlalchemy import select
from typer.testing import CliRunner

from spine_fracture import promotion
from spine_fracture.bundle import Manifest, read_bundle, write_bundle
from spine_fracture.cli import cli
from spine_fracture.cohort.project import open_project
from spine_fracture.cohort.records import AuditEvent, ModelVersion
from spine_fracture.cohort.states import ModelStatus
from spine_fracture.configuration import CONFIGS
from spine_fracture.detection.families import LAYOUTS, Architecture, build_network
from spine_fracture.errors import ConflictError, InputError, ModelFileError, NotFoundError
from spine_fracture.evaluation.papers.printed import PAPERS
from spine_fracture.promotion import open_registry
from spine_fracture.registry import ModelVersion as Version
from spine_fracture.registry import Registry
from spine_fracture.settings import settings
from spine_fracture.training.systems.choices import choices
from spine_fracture.training.systems.families import available, system_names


def bundle(folder: Path, value: float) -> Path:
    manifest = Manifest(
        name="classifier",
        task="classification",
        family="test",
        architecture={},
        classes=("a",),
        config={},
        seed=0,
    )
    write_bundle(folder, {"w": torch.full((4,), value)}, manifest)
    return folder


def candidate_of(registry: Registry) -> Version:
    (candidate,) = (one for one in registry.versions() if one.status is ModelStatus.CANDIDATE)
    return candidate


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project of its own, with a small stand-in for the package's weights that passes for a model."""
    monkeypatch.setenv("SPINE_FRACTURE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    bundle(tmp_path / "weights" / "classifier", 1.0)
    monkeypatch.setattr(promotion, "SHIPPED_WEIGHTS", tmp_path / "weights")
    monkeypatch.setitem(promotion._SERVED_BY, "classification", ("bundle", "read_bundle"))
    settings.cache_clear()
    yield tmp_path / "home"
    settings.cache_clear()


def test_available_lists_every_system_with_its_task_input_and_study(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "240")
    run = CliRunner()
    listed = run.invoke(cli, ["models", "available"])
    assert listed.exit_code == 0, listed.output
    lines = {line.split()[0]: line for line in listed.output.splitlines() if line.strip()}
    files = [path for kind in ("detectors", "classifiers") for path in (CONFIGS / kind).glob("*.yaml")]
    assert set(system_names()) == {path.stem for path in files} - {"shipped"}
    assert set(system_names()) <= lines.keys()
    assert "malignant or benign" in lines["yeh2022"] and "T1 + T2" in lines["yeh2022"]
    assert "T1 + T2 + T2_FS + T1_CE" in lines["whole_study"] and "T2_FS" in lines["hemangioma_stir"]
    assert "radiographs, concat" in lines["chou_concat"] and "ticked" in lines["feature_regression"]
    for study in PAPERS:
        assert any(study in line.split() for line in lines.values()), study
    one = run.invoke(cli, ["models", "available", "yolov8"])
    assert "yolov8x" in one.output and "schedule.epochs" in one.output
    other = run.invoke(cli, ["models", "available", "yeh2022"])
    assert "resnet10, resnet18, resnet34, resnet50, resnet101" in other.output
    wrong = run.invoke(cli, ["models", "available", "yolo8"])
    assert isinstance(wrong.exception, InputError) and "Did you mean yolov8?" in str(wrong.exception)


def test_layouts_are_those_that_networks_are_built_from() -> None:
    for system in available():
        for choice in choices(system.config):
            assert set(choice.chosen.split(", ")) <= set(choice.names), (system.name, choice)
    for layout in LAYOUTS["retinanet"]:
        build_network("retinanet", Architecture(layout=layout, size=64, sequences="T1"), 1)


def test_what_could_never_serve_is_not_taken_in(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does it put the candidate aside that there is."""
    run, registry = CliRunner(), open_registry(open_project())
    run.invoke(cli, ["models", "register", str(bundle(tmp_path / "new", 2.0))])
    candidate = candidate_of(registry).name
    served_by = ("classification.loading", "load_level_model")
    monkeypatch.setitem(promotion._SERVED_BY, "classification", served_by)
    refused = run.invoke(cli, ["models", "register", str(bundle(tmp_path / "never", 3.0))])
    assert isinstance(refused.exception, ModelFileError) and "cannot serve" in str(refused.exception)
    assert candidate_of(registry).name == candidate


def test_list_promote_and_roll_back(home: Path, tmp_path: Path) -> None:
    run = CliRunner()
    listed = run.invoke(cli, ["models", "list"])
    assert listed.exit_code == 0 and "champion" in listed.output and "shipped" in listed.output
    registry = open_registry(open_project())
    registered = run.invoke(cli, ["models", "register", str(bundle(tmp_path / "new", 2.0))])
    candidate = candidate_of(registry)
    assert f"models promote {candidate.name}" in " ".join(registered.output.split())
    promoted = run.invoke(cli, ["models", "promote", candidate.name])
    assert promoted.exit_code == 0 and f"{candidate.name} now serves" in promoted.output
    assert registry.champion("classification").name == candidate.name
    back = run.invoke(cli, ["models", "rollback"])
    assert back.exit_code == 0 and "serves classification again" in back.output
    with open_project().session() as session:
        actions = [(event.action, event.actor) for event in session.scalars(select(AuditEvent))]
        states = {row.version: row.status.value for row in session.scalars(select(ModelVersion))}
    assert [action for action, _ in actions] == [
        "model.registered",
        "model.registered",
        "model.promoted",
        "model.rolled_back",
    ]
    assert actions[0][1] == "system" not in {actor for _, actor in actions[1:]}
    assert states[registry.champion("classification").name] == "champion"
    assert states[candidate.name] == "retired"
    manifest, state = read_bundle(tmp_path / "new")
    write_bundle(tmp_path / "other", state, manifest.model_copy(update={"task": "astrology"}))
    wrong = (
        (["register", str(tmp_path / "other")], InputError),
        (["promote", "absent-0"], NotFoundError),
        (["rollback", "--task", "x-rays"], InputError),
        (["rollback"], ConflictError),
    )
    for words, error in wrong:
        assert isinstance(run.invoke(cli, ["models", *words]).exception, error)
