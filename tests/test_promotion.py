"""The champion changes only over the one it was compared with, and never without a record."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from sqlalchemy import select

from spine_fracture import promotion, radiography
from spine_fracture.anatomy import MODEL_CLASSES
from spine_fracture.bundle import MANIFEST, Manifest, write_bundle
from spine_fracture.classification import feature_regression
from spine_fracture.cohort.project import Project, open_project
from spine_fracture.cohort.records import AuditEvent, ModelVersion
from spine_fracture.cohort.states import ModelStatus
from spine_fracture.errors import ConflictError, ModelFileError, NotFoundError
from spine_fracture.promotion import (
    has_champion,
    open_registry,
    pass_gate,
    promote_by_hand,
    register,
    roll_back,
)
from spine_fracture.registry import TASKS, Registry
from spine_fracture.training.gate import GateConfig, TestLevel, Verdict, decide

TASK = "classification"


def bundle(folder: Path, value: float, task: str = TASK) -> Path:
    manifest = Manifest(
        name="classifier", task=task, family="test", architecture={}, classes=("a",), config={}, seed=0
    )
    write_bundle(folder, {"w": torch.full((4,), value)}, manifest)
    return folder


@dataclass(frozen=True)
class Models:
    project: Project
    registry: Registry
    folder: Path

    def actions(self) -> list[str]:
        with self.project.session() as session:
            return list(session.scalars(select(AuditEvent.action).order_by(AuditEvent.id)))


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Models:
    bundle(tmp_path / "weights" / "classifier", 1.0)
    monkeypatch.setattr(promotion, "SHIPPED_WEIGHTS", tmp_path / "weights")
    project = open_project(tmp_path / "home")
    return Models(project, open_registry(project), tmp_path)


@pytest.fixture
def untested(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bundles here, which no server could answer with, are taken for models that it can."""
    monkeypatch.setattr(promotion, "require_serves", lambda manifest, folder: None)


def test_what_cannot_answer_for_its_task_is_not_promoted(models: Models) -> None:
    for value, task in enumerate(TASKS, 2):  # the same weights would have the same name
        before = models.registry.serving(task)
        baseline = models.registry.register_candidate(bundle(models.folder / task, value, task))
        with pytest.raises(ModelFileError, match=rf"{baseline.name} cannot serve {task}\. "):
            promote_by_hand(models.project, models.registry, baseline.name, "somebody")
        assert models.registry.serving(task) == before
    assert "model.promoted" not in models.actions()


@pytest.mark.usefixtures("untested")
def test_a_model_is_taken_in_on_the_record(models: Models) -> None:
    """The catalogue knows it at once, and who brought it."""
    versions = [
        register(models.project, models.registry, bundle(models.folder / str(value), value), "somebody")
        for value in (2.0, 3.0)
    ]
    with models.project.session() as session:
        rows = {row.version: row.status for row in session.scalars(select(ModelVersion))}
        told = [(e.action, e.actor, e.model_version) for e in session.scalars(select(AuditEvent))]
    assert rows == {version.name: version.status for version in models.registry.versions()}
    assert [rows[version.name] for version in versions] == [ModelStatus.RETIRED, ModelStatus.CANDIDATE]
    assert told[1:] == [("model.registered", "somebody", version.name) for version in versions]


def test_what_could_never_serve_is_not_taken_in(models: Models) -> None:
    with pytest.raises(ModelFileError, match="cannot serve"):
        register(models.project, models.registry, bundle(models.folder / "new", 2.0), "somebody")
    assert len(models.registry.versions()) == 1 and models.actions() == ["model.registered"]


@pytest.mark.usefixtures("untested")
def test_a_candidate_is_not_crowned_over_a_champion_it_was_not_compared_with(models: Models) -> None:
    project, registry = models.project, models.registry
    compared_with = registry.champion(TASK)
    candidate = registry.register_candidate(bundle(models.folder / "new", 2.0))
    levels = [TestLevel(f"patient {n}", c, MODEL_CLASSES[0], c) for n in range(12) for c in MODEL_CLASSES]
    decision = decide(
        levels, champion=compared_with.name, candidate=candidate.name, config=GateConfig(draws=200)
    )
    assert decision.verdict is Verdict.PROMOTE
    other = registry.register_candidate(bundle(models.folder / "other", 3.0))
    promote_by_hand(project, registry, other.name, "somebody")
    with pytest.raises(ConflictError, match=f"{other.name} serves by now"):
        pass_gate(project, registry, candidate, decision)
    assert registry.champion(TASK).name == other.name
    assert models.actions().count("model.promoted") == 1
    registry.rollback(TASK)
    assert pass_gate(project, registry, candidate, decision).name == candidate.name


def test_a_promotion_that_a_crash_kept_off_the_record_is_written_down(models: Models) -> None:
    candidate = models.registry.register_candidate(bundle(models.folder / "new", 2.0))
    models.registry.promote(candidate)  # and here the power goes, before the catalogue is told
    for _ in range(2):
        open_registry(models.project)
    assert models.actions() == ["model.registered", "model.reconciled"]
    with models.project.session() as session:
        rows = session.scalars(select(ModelVersion).order_by(ModelVersion.id))
        assert [row.status for row in rows] == [ModelStatus.RETIRED, ModelStatus.CHAMPION]


@pytest.mark.usefixtures("untested")
def test_a_damaged_champion_is_rolled_back_on_the_record(models: Models) -> None:
    project = models.project
    first = models.registry.champion(TASK)
    second = models.registry.register_candidate(bundle(models.folder / "new", 2.0))
    promote_by_hand(project, models.registry, second.name, "somebody")
    (second.folder / MANIFEST).write_text("{")
    assert [version.name for version in open_registry(project).versions()] == [first.name, second.name]
    with pytest.raises(ModelFileError, match="models rollback"):
        open_registry(project).champion(TASK)
    assert roll_back(project, models.registry, TASK, "somebody").name == first.name
    assert models.actions() == ["model.registered", "model.promoted", "model.rolled_back"]
    assert open_registry(project).champion(TASK).name == first.name


def test_a_version_that_was_damaged_before_the_catalogue_knew_it_stops_nothing(models: Models) -> None:
    candidate = models.registry.register_candidate(bundle(models.folder / "new", 2.0))
    models.registry.promote(candidate)
    (candidate.folder / MANIFEST).unlink()
    open_registry(models.project)
    assert models.actions() == ["model.registered", "model.reconciled"]
    with models.project.session() as session:
        row = session.scalars(select(ModelVersion).where(ModelVersion.version == candidate.name)).one()
        assert (row.name, row.sha256) == ("classifier", candidate.digest)
        assert (row.status, row.metrics) == (ModelStatus.CHAMPION, {})


@pytest.mark.usefixtures("untested")
@pytest.mark.parametrize("task", [radiography.TASK, feature_regression.TASK])
def test_a_task_that_no_model_came_for_is_served_once_one_is_promoted(models: Models, task: str) -> None:
    project, registry = models.project, models.registry
    with pytest.raises(NotFoundError, match=r"train system.*models register.*models promote"):
        registry.champion(task)
    with pytest.raises(NotFoundError, match="models register"):
        roll_back(project, registry, task, "somebody")
    first, second = (
        registry.register_candidate(bundle(models.folder / str(value), value, task)) for value in (2.0, 3.0)
    )
    with project.session() as session:
        assert not has_champion(session, task)
    assert promote_by_hand(project, registry, first.name, "somebody").name == first.name
    with project.session() as session:
        assert has_champion(session, task)
    with pytest.raises(ConflictError, match="nothing to roll back to"):
        roll_back(project, registry, task, "somebody")
    promote_by_hand(project, registry, second.name, "somebody")
    assert roll_back(project, registry, task, "somebody").name == first.name
    assert open_registry(project).champion(task).name == first.name
