"""Model versions, the champion that serves, and the way back: the only module that knows MLflow.

Every bundle is copied under ``home/registry/models`` and registered in MLflow (SQLite backend, local
files) with its digest (:attr:`spine_fracture.bundle.Manifest.digest`). A version is champion by an
alias, which MLflow moves in one transaction; each champion remembers whom it replaced, so that a
rollback is one step. What the versions are called is MLflow's to know: a bundle is read only where its model
is asked for, so that a damaged one stops no other. MLflow is imported on first use, since that takes seconds,
and its telemetry is off.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from spine_fracture import radiography
from spine_fracture.bundle import MANIFEST, Manifest, read_manifest, verified_manifest
from spine_fracture.classification import feature_regression
from spine_fracture.cohort.states import ModelStatus
from spine_fracture.errors import BusyError, ConflictError, ModelFileError, NotFoundError, StorageError
from spine_fracture.files import locked

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion as Entry

#: Models come in the package for the first two alone.
TASKS = ("detection", "classification", radiography.TASK, feature_regression.TASK)
#: The aliases of MLflow by which a task's versions are known.
_CHAMPION, _CANDIDATE = ModelStatus.CHAMPION.value, ModelStatus.CANDIDATE.value
#: What MLflow refuses in the name of a metric, e.g. the plus of ``T1+T2``.
_NOT_IN_A_NAME = re.compile(r"[^\w\-. :/]")
_SHA256, _NAME, _ORIGIN, _REPLACED = "sha256", "name", "origin", "replaced"
#: What MLflow answers where there is no such task or version, and where a task has no such alias.
_ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
#: How SQLAlchemy begins what a driver said, e.g. ``(sqlite3.OperationalError) database is locked``.
_DRIVER = re.compile(r"^\([\w.]+\) ")


class Origin(StrEnum):
    SHIPPED = "shipped"
    TRAINED = "trained"


@dataclass(frozen=True)
class ModelVersion:
    """A registered model, known also where its files are damaged. ``folder`` is its bundle; ``number`` counts
    the versions of its task; ``name`` is unique over all versions (:attr:`Manifest.version`).
    """

    task: str
    number: int
    name: str
    digest: str
    folder: Path
    status: ModelStatus
    origin: Origin
    created: datetime

    @property
    def model(self) -> str:
        """The model's own name, which other versions may have too."""
        return self.name.removesuffix(f"-{self.digest[:12]}")

    @property
    def manifest(self) -> Manifest:
        """Read from the bundle, unchecked; raises :class:`ModelFileError` where it is damaged."""
        return read_manifest(self.folder)


@contextmanager
def _registry_errors() -> Iterator[None]:
    """What MLflow or its database refuses, in words that name the remedy."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except (MlflowException, SQLAlchemyError) as error:
        # The first line: the others are SQL.
        reason = _DRIVER.sub("", str(error).strip().split("\n", 1)[0]).rstrip(".")
        if "locked" in reason:
            raise BusyError("The model registry is busy with another write: try again.") from error
        raise StorageError(
            f"The model registry refused: {reason}. Free some space, check the rights of the project folder, "
            "or restore its folder registry from a backup."
        ) from error


class Registry:
    """The models of one project folder (``home/registry``)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()

    @_registry_errors()
    def register_shipped(self, weights: Path) -> tuple[ModelVersion, ...]:
        """Take in the bundles of the package that are not known yet, one folder each.

        The first version of a task becomes champion, and so does a newer shipped one while the
        champion is itself a shipped one: what was trained here is never put aside by an update.
        """
        added = []
        for folder in sorted(path.parent for path in weights.glob(f"*/{MANIFEST}")):
            manifest = verified_manifest(folder)
            with locked(self._folder):
                if self._known(manifest) is not None:
                    continue
                champion = self._alias(manifest.task, _CHAMPION)
                entry = self._add(folder, manifest, Origin.SHIPPED, parameters={})
                if champion is None or champion.tags[_ORIGIN] == Origin.SHIPPED:
                    self._crown(entry, champion)
            added.append(self._version(self._client.get_model_version(manifest.task, entry.version)))
        return tuple(added)

    @_registry_errors()
    def register_candidate(self, folder: Path, parameters: Mapping[str, str] | None = None) -> ModelVersion:
        """Take in a trained bundle as its task's candidate; the same model twice is one version.

        ``parameters`` say what it came from (snapshot, parent, code version) and go into the run
        with the manifest's metrics.
        """
        manifest = verified_manifest(folder)
        with locked(self._folder):
            entry = self._known(manifest)
            if entry is None:
                entry = self._add(folder, manifest, Origin.TRAINED, dict(parameters or {}))
            self._client.set_registered_model_alias(manifest.task, _CANDIDATE, entry.version)
        return self.version(manifest.task, int(entry.version))

    @_registry_errors()
    def champion(self, task: str) -> ModelVersion:
        """The version that serves; raises when there is none or its files were changed."""
        entry = self._required_champion(task)
        try:
            return self._verified(entry)
        except ModelFileError as error:
            raise ModelFileError(
                f"The champion for {task} cannot serve: put the one before it back (spine-fracture models "
                f"rollback --task {task}) or promote another (spine-fracture models promote NAME). {error}"
            ) from error

    @_registry_errors()
    def serving(self, task: str) -> ModelVersion | None:
        """The champion without reading its files; None while there is none."""
        entry = self._alias(task, _CHAMPION)
        return None if entry is None else self._version(entry)

    @_registry_errors()
    def version(self, task: str, number: int) -> ModelVersion:
        """One version by its number."""
        entry = _found(self._client.get_model_version, task, str(number))
        if entry is None:
            raise NotFoundError(
                f"There is no version {number} for {task}: `spine-fracture models list` shows all."
            )
        return self._verified(entry)

    def named(self, name: str) -> ModelVersion:
        """One version by its unique name."""
        for version in self.versions():
            if version.name == name:
                return self.version(version.task, version.number)
        raise NotFoundError(f"There is no model {name!r}: `spine-fracture models list` shows all.")

    @_registry_errors()
    def versions(self) -> tuple[ModelVersion, ...]:
        """All versions, by task and number, without reading their files."""
        entries = sorted(self._client.search_model_versions(), key=lambda e: (e.name, int(e.version)))
        return tuple(self._version(entry) for entry in entries)

    @_registry_errors()
    def promote(self, version: ModelVersion, over: str | None = None) -> ModelVersion:
        """Make a version the champion of its task, remembering the one it replaces.

        ``over`` names the champion that it was found better than: raises :class:`ConflictError` when
        another one serves by now, since the two were never compared.
        """
        with locked(self._folder):
            entry = self._client.get_model_version(version.task, str(version.number))
            self._verified(entry)
            champion = self._alias(version.task, _CHAMPION)
            serving = None if champion is None else self._version(champion).name
            if over not in (None, serving):
                raise ConflictError(
                    f"{version.name} was compared with {over}, but {serving} serves by now: "
                    "retrain, so that it is compared with the model that serves."
                )
            if champion is not None and champion.version == entry.version:
                raise ConflictError(f"{version.name} is the champion already.")
            self._crown(entry, champion)
        return self.version(version.task, version.number)

    @_registry_errors()
    def rollback(self, task: str) -> ModelVersion:
        """Put the champion before this one back."""
        with locked(self._folder):
            champion = self._required_champion(task)
            before = champion.tags.get(_REPLACED)
            if before is None:
                raise ConflictError(
                    f"The champion for {task} replaced nobody: there is nothing to roll back to."
                )
            self._verified(self._client.get_model_version(task, before))
            self._client.set_registered_model_alias(task, _CHAMPION, before)
        return self.version(task, int(before))

    @cached_property
    def _client(self) -> MlflowClient:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("DO_NOT_TRACK", "true")
        from mlflow import MlflowClient

        # Not by its environment variable, which is heard only before the first import of MLflow.
        logging.getLogger("mlflow").setLevel(logging.WARNING)
        # What the database refuses is raised too, and told without SQL and traceback.
        logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
        self._folder.mkdir(parents=True, exist_ok=True)
        uri = f"sqlite:///{self._folder / 'mlflow.db'}"
        return MlflowClient(tracking_uri=uri, registry_uri=uri)

    def _add(self, folder: Path, manifest: Manifest, origin: Origin, parameters: Mapping[str, str]) -> Entry:
        """Copy the files, then make the rows: a crash between the two leaves only an unused copy."""
        kept = self._keep(folder, manifest)
        client, task = self._client, manifest.task
        if not client.search_registered_models(f"name = '{task}'"):
            client.create_registered_model(task)
        experiment = client.get_experiment_by_name(task)
        experiment_id = (
            experiment.experiment_id
            if experiment
            else client.create_experiment(task, artifact_location=(self._folder / "artifacts").as_uri())
        )
        run_id = client.create_run(experiment_id, run_name=manifest.version).info.run_id
        for key, value in parameters.items():
            client.log_param(run_id, key, value)
        for key, number in manifest.metrics.items():
            client.log_metric(run_id, _NOT_IN_A_NAME.sub("_", key), number)
        client.set_terminated(run_id)
        tags = {_SHA256: manifest.digest, _NAME: manifest.version, _ORIGIN: str(origin)}
        return client.create_model_version(task, kept.as_uri(), run_id, tags=tags)

    def _keep(self, folder: Path, manifest: Manifest) -> Path:
        target = self._bundle(manifest.task, manifest.digest)
        if target.is_dir():
            return target
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=target.parent, prefix=".incoming-") as incoming:
                whole = Path(incoming) / "bundle"
                whole.mkdir()
                for name in manifest.files:
                    shutil.copyfile(folder / name, whole / name)
                    with (whole / name).open("rb") as stream:
                        os.fsync(stream.fileno())
                whole.rename(target)
        except OSError as error:
            raise StorageError(
                f"Model {manifest.name} could not be copied into the registry: {error.strerror}. "
                "Free some space and try again."
            ) from error
        return target

    def _bundle(self, task: str, digest: str) -> Path:
        return self._folder / "models" / task / digest

    def _crown(self, entry: Entry, champion: Entry | None) -> None:
        """The note on the new champion first, then the one write that counts; it is no candidate any more."""
        if champion is not None:
            self._client.set_model_version_tag(entry.name, entry.version, _REPLACED, champion.version)
        self._client.set_registered_model_alias(entry.name, _CHAMPION, entry.version)
        candidate = self._alias(entry.name, _CANDIDATE)
        if candidate is not None and candidate.version == entry.version:
            self._client.delete_registered_model_alias(entry.name, _CANDIDATE)

    def _alias(self, task: str, alias: str) -> Entry | None:
        return _found(self._client.get_model_version_by_alias, task, alias)

    def _required_champion(self, task: str) -> Entry:
        entry = self._alias(task, _CHAMPION)
        if entry is None:
            raise NotFoundError(
                f"There is no champion for {task}: train a model (spine-fracture train system NAME), "
                "register it (spine-fracture models register FOLDER) and let it serve (spine-fracture models "
                "promote NAME)."
            )
        return entry

    def _known(self, manifest: Manifest) -> Entry | None:
        """The version that is this very model, if there is one, also one of before there were seals."""
        for entry in self._client.search_model_versions(f"name = '{manifest.task}'"):
            if entry.tags[_SHA256] == manifest.digest or manifest.seal == self._seal_since(entry):
                return entry
        return None

    def _seal_since(self, entry: Entry) -> str | None:
        """What the seal of a version without one is; None for another, and where its files are damaged."""
        try:
            kept = read_manifest(self._bundle(entry.name, entry.tags[_SHA256]))
        except ModelFileError:
            return None
        return None if kept.seal else kept.sealed().seal

    def _version(self, entry: Entry) -> ModelVersion:
        digest = entry.tags[_SHA256]
        return ModelVersion(
            task=entry.name,
            number=int(entry.version),
            name=entry.tags.get(_NAME) or self._run_name(entry),
            digest=digest,
            folder=self._bundle(entry.name, digest),
            status=self._status(entry),
            origin=Origin(entry.tags[_ORIGIN]),
            created=datetime.fromtimestamp(entry.creation_timestamp / 1000, UTC),
        )

    def _run_name(self, entry: Entry) -> str:
        """The name of a version of before names were tagged; that of its run is the same."""
        assert entry.run_id is not None  # _add makes every version with a run
        name: str = self._client.get_run(entry.run_id).info.run_name
        return name

    def _status(self, entry: Entry) -> ModelStatus:
        for status in (ModelStatus.CHAMPION, ModelStatus.CANDIDATE):
            alias = self._alias(entry.name, status.value)
            if alias is not None and alias.version == entry.version:
                return status
        return ModelStatus.RETIRED

    def _verified(self, entry: Entry) -> ModelVersion:
        """The version, after its files were read and compared with what was registered."""
        version = self._version(entry)
        manifest = verified_manifest(version.folder)
        if manifest.digest != version.digest:
            raise ModelFileError(
                f"Model {manifest.name} is not the one that was registered: its files were changed. "
                "Roll back to another version or register it again."
            )
        return version


def _found(look_up: Callable[[str, str], Entry], task: str, which: str) -> Entry | None:
    """What MLflow has of this task; None where it says that there is none, and only then."""
    from mlflow.exceptions import MlflowException

    try:
        return look_up(task, which)
    except MlflowException as error:
        if error.error_code in _ABSENT:
            return None
        raise
