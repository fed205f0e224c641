"""Changing the champion, on the record: the registry decides what serves, the catalogue remembers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from operator import attrgetter
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from spine_fracture import radiography
from spine_fracture.bundle import SHIPPED_WEIGHTS, Manifest, read_manifest
from spine_fracture.classification import feature_regression
from spine_fracture.cohort import records
from spine_fracture.cohort.audit import SYSTEM, record
from spine_fracture.cohort.project import Project
from spine_fracture.cohort.states import ModelStatus
from spine_fracture.errors import InputError, ModelFileError
from spine_fracture.files import write_atomically
from spine_fracture.registry import TASKS, ModelVersion, Registry
from spine_fracture.training.gate import GateDecision, Verdict

#: By task: the module, imported when it is needed, and what in it makes of a bundle the model that answers.
_SERVED_BY: Mapping[str, tuple[str, str]] = {
    "detection": ("detection.detector", "VertebraDetector.load"),
    "classification": ("classification.loading", "load_level_model"),
    radiography.TASK: ("classification.radiograph", "RadiographModel.load"),
    feature_regression.TASK: ("classification.feature_regression", "FeatureRegression.load"),
}


def open_registry(project: Project) -> Registry:
    """The project's registry with the shipped models in it, of which the catalogue is told.

    Promotions that a crash kept out of the catalogue are written down now.
    """
    registry = Registry(project.settings.registry_folder)
    added = registry.register_shipped(SHIPPED_WEIGHTS)
    if added:
        with project.transaction() as session:
            for version in added:
                _record(session, "model.registered", version)
            mirror(session, registry)
    _reconcile(project, registry)
    return registry


def register(project: Project, registry: Registry, folder: Path, actor: str) -> ModelVersion:
    """Take a trained bundle in as the candidate of its task, on the record.

    A crash may keep it off: then once more, since the same model is one version.
    Raises :class:`ModelFileError` for one that the server could not answer with, and
    :class:`~spine_fracture.errors.InputError` for a task that is not served from the registry.
    """
    require_serves(read_manifest(folder), folder)
    version = registry.register_candidate(folder)
    with project.transaction() as session:
        _record(session, "model.registered", version, actor=actor)
        mirror(session, registry)
    return version


def pass_gate(
    project: Project, registry: Registry, candidate: ModelVersion, decision: GateDecision
) -> ModelVersion:
    """Keep the decision, promote the candidate if it says so, and return the champion after it.

    Raises :class:`~spine_fracture.errors.ConflictError` when the champion that the candidate was
    compared with no longer serves.
    """
    write_atomically(
        project.settings.results_folder / "gate" / f"{candidate.name}.json", decision.to_json().encode()
    )
    with project.transaction() as session:
        _record(session, "model.gate", candidate, details=json.loads(decision.to_json()))
        mirror(session, registry)
    if decision.verdict is Verdict.PROMOTE:
        return _crown(project, registry, candidate, SYSTEM, over=decision.champion)
    return registry.champion(candidate.task)


def promote_by_hand(project: Project, registry: Registry, name: str, actor: str) -> ModelVersion:
    """Make a version champion by a person's decision, past the gate.

    Raises :class:`ModelFileError` for one that the server could not answer with, e.g. a baseline.
    """
    version = registry.named(name)
    require_serves(version.manifest, version.folder)
    return _crown(project, registry, version, actor, details={"past_the_gate": True})


def roll_back(project: Project, registry: Registry, task: str, actor: str) -> ModelVersion:
    """Put the champion before this one back."""
    if task not in TASKS:
        raise InputError(f"There is no task {task!r}: use {' or '.join(TASKS)}.")
    with project.transaction() as session:
        version = registry.rollback(task)
        _record(session, "model.rolled_back", version, actor=actor)
        mirror(session, registry)
    return version


def has_champion(session: Session, task: str) -> bool:
    """Whether a model serves this task; asks the catalogue, as the registry takes seconds to open."""
    serving = (records.ModelVersion.task == task) & (records.ModelVersion.status == ModelStatus.CHAMPION)
    return session.scalar(select(records.ModelVersion.id).where(serving).limit(1)) is not None


def mirror(session: Session, registry: Registry) -> None:
    """Bring the catalogue's model versions up to date with the registry's."""
    known = {row.version: row for row in session.scalars(select(records.ModelVersion))}
    for version in registry.versions():
        row = known.get(version.name)
        if row is None:
            row = records.ModelVersion(version=version.name, name=version.model, task=version.task)
            row.sha256 = version.digest
            # A damaged one has no figures to show; what is wrong with it is said when it is asked for.
            with suppress(ModelFileError):
                row.metrics = dict(version.manifest.metrics)
            session.add(row)
        row.status = version.status


def _reconcile(project: Project, registry: Registry) -> None:
    """Put on the record which champions serve without the catalogue knowing it.

    The registry's alias moves before the catalogue's transaction ends, so a crash between the two
    leaves a champion that nobody promoted on paper.
    """
    with project.session() as session:
        if not _unrecorded(session, registry):
            return
    with project.transaction() as session:
        for version in _unrecorded(session, registry):
            _record(session, "model.reconciled", version, details={"serves": version.task})
        mirror(session, registry)


def _unrecorded(session: Session, registry: Registry) -> list[ModelVersion]:
    """The champions of the registry that are not the catalogue's."""
    serving = select(records.ModelVersion.version).where(records.ModelVersion.status == ModelStatus.CHAMPION)
    known = set(session.scalars(serving))
    return [v for v in registry.versions() if v.status is ModelStatus.CHAMPION and v.name not in known]


def _crown(
    project: Project,
    registry: Registry,
    version: ModelVersion,
    actor: str,
    details: dict[str, object] | None = None,
    over: str | None = None,
) -> ModelVersion:
    # Inside the transaction: whoever reconciles meanwhile waits, and finds both sides changed.
    with project.transaction() as session:
        before = registry.serving(version.task)
        champion = registry.promote(version, over)
        said = {**({"replaced": before.name} if before else {}), **(details or {})}
        _record(session, "model.promoted", champion, actor=actor, details=said)
        mirror(session, registry)
    return champion


def require_serves(manifest: Manifest, folder: Path) -> None:
    """Raises :class:`ModelFileError` where the server could not answer with the model in this folder, and
    :class:`InputError` for a task that is not served from the registry.
    """
    if manifest.task not in _SERVED_BY:
        raise InputError(
            f"{manifest.version} answers from {manifest.task}, which is not served from the registry: that "
            f"holds models for {' and '.join(TASKS)}."
        )
    module, name = _SERVED_BY[manifest.task]
    load = attrgetter(name)(import_module(f"spine_fracture.{module}"))
    try:
        load(folder)
    except ModelFileError as error:
        raise ModelFileError(f"{manifest.version} cannot serve {manifest.task}. {error}") from error


def _record(
    session: Session,
    action: str,
    version: ModelVersion,
    actor: str = SYSTEM,
    details: dict[str, object] | None = None,
) -> None:
    record(session, action, f"model:{version.name}", actor=actor, model_version=version.name, details=details)
