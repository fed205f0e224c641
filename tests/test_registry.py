"""The registry: shipped models, candidates, promotion, the way back, and changed files."""

from __future__ import annotations

import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from sqlalchemy import Engine, event

from spine_fracture.bundle import MANIFEST, WEIGHTS, Manifest, write_bundle
from spine_fracture.cohort.states import ModelStatus
from spine_fracture.errors import BusyError, ConflictError, ModelFileError, NotFoundError, StorageError
from spine_fracture.registry import Origin, Registry

TASK = "classification"


def bundle(folder: Path, value: float, task: str = TASK, name: str = "model") -> Path:
    manifest = Manifest(
        name=name,
        task=task,
        family="test",
        architecture={},
        classes=("a",),
        config={},
        seed=0,
        metrics={"validation.macro_f1": 0.5, "validation.T1+T2.f1": 0.4},
    )
    write_bundle(folder, {"w": torch.full((4,), value)}, manifest)
    return folder


@pytest.fixture(scope="session")
def empty_registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow takes seconds to make its tables: once, then copied."""
    folder = tmp_path_factory.mktemp("registry")
    assert Registry(folder).versions() == ()
    return folder


@pytest.fixture
def registry(empty_registry: Path, tmp_path: Path) -> Registry:
    shutil.copytree(empty_registry, tmp_path / "registry")
    return Registry(tmp_path / "registry")


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    bundle(tmp_path / "weights" / "classifier", 1.0)
    bundle(tmp_path / "weights" / "detector", 2.0, task="detection", name="detector")
    return tmp_path / "weights"


def test_shipped_models_become_champions_once(registry: Registry, shipped: Path) -> None:
    assert {v.task for v in registry.register_shipped(shipped)} == {"classification", "detection"}
    assert registry.register_shipped(shipped) == ()
    champion = registry.champion(TASK)
    assert (champion.status, champion.origin, champion.number) == (ModelStatus.CHAMPION, Origin.SHIPPED, 1)
    assert champion.folder != shipped / "classifier"


def test_an_update_of_the_package_replaces_a_shipped_champion_only(
    registry: Registry, shipped: Path, tmp_path: Path
) -> None:
    registry.register_shipped(shipped)
    bundle(shipped / "classifier", 1.5)
    (newer,) = registry.register_shipped(shipped)
    assert registry.champion(TASK).name == newer.name
    ours = registry.promote(registry.register_candidate(bundle(tmp_path / "new", 3.0)))
    bundle(shipped / "classifier", 1.7)
    (newest,) = registry.register_shipped(shipped)
    assert newest.status is ModelStatus.RETIRED
    assert registry.champion(TASK).name == ours.name


def test_attachments_are_kept_with_the_weights_and_checked(registry: Registry, tmp_path: Path) -> None:
    manifest = Manifest(
        name="joined", task=TASK, family="test", architecture={}, classes=("a",), config={}, seed=0
    )
    kept = []
    for trees in (b"tree 1", b"tree 2"):
        write_bundle(tmp_path / "joined", {"w": torch.zeros(4)}, manifest, {"trees.txt": trees})
        version = registry.register_candidate(tmp_path / "joined")
        kept.append((version.folder / "trees.txt").read_bytes())
    assert kept == [b"tree 1", b"tree 2"] and len(registry.versions()) == 2
    (version.folder / "trees.txt").write_bytes(b"tree 3")
    with pytest.raises(ModelFileError, match="sha256"):
        registry.named(version.name)


def test_a_candidate_does_not_serve_until_promoted_and_rollback_puts_the_last_one_back(
    registry: Registry, shipped: Path, tmp_path: Path
) -> None:
    registry.register_shipped(shipped)
    first = registry.champion(TASK)
    candidate = registry.register_candidate(bundle(tmp_path / "new", 3.0), {"snapshot": "s1"})
    assert candidate.status is ModelStatus.CANDIDATE and candidate.origin is Origin.TRAINED
    assert registry.champion(TASK).name == first.name
    assert registry.promote(candidate).status is ModelStatus.CHAMPION
    assert Registry(tmp_path / "registry").champion(TASK).name == candidate.name
    assert registry.version(TASK, first.number).status is ModelStatus.RETIRED
    third = registry.promote(registry.register_candidate(bundle(tmp_path / "newer", 4.0)))
    assert registry.champion(TASK).name == third.name
    assert registry.rollback(TASK).name == candidate.name
    assert registry.rollback(TASK).name == first.name
    assert registry.version(TASK, third.number).status is ModelStatus.RETIRED
    with pytest.raises(ConflictError, match="nothing to roll back"):
        registry.rollback(TASK)


def test_the_same_weights_are_one_version(registry: Registry, tmp_path: Path) -> None:
    once = registry.register_candidate(bundle(tmp_path / "a", 3.0))
    twice = registry.register_candidate(bundle(tmp_path / "b", 3.0))
    assert once.number == twice.number
    assert len(registry.versions()) == 1


def test_promoting_the_champion_is_a_conflict(registry: Registry, shipped: Path) -> None:
    registry.register_shipped(shipped)
    with pytest.raises(ConflictError):
        registry.promote(registry.champion(TASK))


def test_a_changed_byte_is_never_served(registry: Registry, shipped: Path) -> None:
    registry.register_shipped(shipped)
    weights = registry.champion(TASK).folder / WEIGHTS
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(ModelFileError, match="sha256"):
        registry.champion(TASK)


def test_nor_is_another_model_put_in_its_place(registry: Registry, shipped: Path, tmp_path: Path) -> None:
    """Weights and manifest agree with each other, but not with what was registered."""
    registry.register_shipped(shipped)
    other, kept = bundle(tmp_path / "other", 9.0), registry.champion(TASK).folder
    for name in (WEIGHTS, MANIFEST):
        shutil.copy(other / name, kept / name)
    with pytest.raises(ModelFileError, match="not the one that was registered"):
        registry.champion(TASK)


def test_a_temperature_that_was_changed_is_noticed(registry: Registry, shipped: Path) -> None:
    registry.register_shipped(shipped)
    path = registry.champion(TASK).folder / MANIFEST
    assert '"temperature": 1.0' in path.read_text()
    path.write_text(path.read_text().replace('"temperature": 1.0', '"temperature": 9.0'))
    with pytest.raises(ModelFileError, match="not as it was written"):
        registry.champion(TASK)
    changed = Manifest.model_validate_json(path.read_bytes())
    path.write_text(changed.sealed().model_dump_json())
    with pytest.raises(ModelFileError, match="not the one that was registered"):
        registry.champion(TASK)


@pytest.mark.parametrize("content", ["{", None])
def test_a_version_without_its_manifest_is_still_known_and_the_way_back_is_open(
    registry: Registry, shipped: Path, tmp_path: Path, content: str | None
) -> None:
    registry.register_shipped(shipped)
    first = registry.champion(TASK)
    second = registry.promote(registry.register_candidate(bundle(tmp_path / "new", 3.0)))
    before = registry.versions()
    (second.folder / MANIFEST).unlink()
    if content is not None:
        (second.folder / MANIFEST).write_text(content)
    assert registry.versions() == before and registry.serving(TASK) == second
    with pytest.raises(ModelFileError, match=r"models rollback --task classification.*model\.json"):
        registry.champion(TASK)
    with pytest.raises(ModelFileError, match=r"model\.json"):
        registry.named(second.name)
    assert registry.rollback(TASK).name == registry.champion(TASK).name == first.name


def test_a_registry_of_before_versions_were_tagged_with_their_names_knows_them(
    registry: Registry, shipped: Path
) -> None:
    registry.register_shipped(shipped)
    before = registry.versions()
    for version in before:
        registry._client.delete_model_version_tag(version.task, str(version.number), "name")
        (version.folder / MANIFEST).unlink()
    assert registry.versions() == before


def test_a_registry_of_before_there_were_seals_goes_on(registry: Registry, shipped: Path) -> None:
    sealed = {name: (shipped / name / MANIFEST).read_bytes() for name in ("classifier", "detector")}
    for name, text in sealed.items():
        manifest = Manifest.model_validate_json(text)
        (shipped / name / MANIFEST).write_text(manifest.model_dump_json(exclude={"seal"}))
    registry.register_shipped(shipped)
    before = registry.champion(TASK)
    for name, text in sealed.items():
        (shipped / name / MANIFEST).write_bytes(text)
    registry.register_shipped(shipped)
    registry.register_candidate(shipped / "classifier")
    assert registry.champion(TASK).name == before.name  # whose readings go on being its own
    assert len(registry.versions()) == 2


def test_a_damaged_candidate_is_neither_registered_nor_promoted(
    registry: Registry, shipped: Path, tmp_path: Path
) -> None:
    registry.register_shipped(shipped)
    good = registry.register_candidate(bundle(tmp_path / "new", 3.0))
    (good.folder / WEIGHTS).write_bytes(b"nonsense")
    with pytest.raises(ModelFileError):
        registry.promote(good)
    (tmp_path / "new" / WEIGHTS).write_bytes(b"nonsense")
    with pytest.raises(ModelFileError):
        registry.register_candidate(tmp_path / "new")
    assert registry.champion(TASK).origin is Origin.SHIPPED


def test_names_that_do_not_exist_are_said(registry: Registry) -> None:
    for ask in (
        lambda: registry.champion(TASK),
        lambda: registry.version(TASK, 7),
        lambda: registry.named("absent-000"),
    ):
        with pytest.raises(NotFoundError):
            ask()


@pytest.fixture
def impatient() -> Iterator[None]:
    """MLflow gives up at once on a database that another program holds, not after 20 seconds."""

    def shorten(_c: object, _cursor: object, statement: str, parameters: object, *_: object) -> object:
        return statement.replace("busy_timeout = 20000", "busy_timeout = 1"), parameters

    event.listen(Engine, "before_cursor_execute", shorten, retval=True)
    yield
    event.remove(Engine, "before_cursor_execute", shorten)


@pytest.mark.usefixtures("impatient")
def test_a_registry_that_another_program_holds_is_busy_and_not_empty(
    registry: Registry, shipped: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    registry.register_shipped(shipped)
    held = sqlite3.connect(tmp_path / "registry" / "mlflow.db")
    held.execute("BEGIN EXCLUSIVE")
    for ask in (
        lambda: registry.champion(TASK),
        lambda: registry.serving(TASK),
        lambda: registry.version(TASK, 1),
        lambda: registry.versions(),
        lambda: registry.rollback(TASK),
    ):
        with pytest.raises(BusyError, match="try again"):
            ask()
    held.close()
    assert registry.champion(TASK).number == 1
    assert "SELECT" not in capfd.readouterr().err


def test_a_registry_that_lost_a_table_says_so_in_a_line(
    registry: Registry, shipped: Path, tmp_path: Path
) -> None:
    registry.register_shipped(shipped)
    with sqlite3.connect(tmp_path / "registry" / "mlflow.db") as database:
        database.execute("DROP TABLE registered_model_aliases")
    with pytest.raises(StorageError, match=r"no such table: registered_model_aliases\. .*backup") as caught:
        registry.champion(TASK)
    assert "\n" not in str(caught.value)


def test_a_champion_that_cannot_be_looked_up_is_not_put_aside(
    registry: Registry, shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import TEMPORARILY_UNAVAILABLE

    def refuse(*_: object) -> None:
        raise MlflowException("(sqlite3.OperationalError) database is locked", TEMPORARILY_UNAVAILABLE)

    registry.register_shipped(shipped)
    ours = registry.promote(registry.register_candidate(bundle(tmp_path / "new", 3.0)))
    bundle(shipped / "classifier", 1.5)
    with monkeypatch.context() as patch:
        patch.setattr(registry._client, "get_model_version_by_alias", refuse)
        with pytest.raises(BusyError):
            registry.register_shipped(shipped)
    assert registry.champion(TASK).name == ours.name
    (newer,) = registry.register_shipped(shipped)
    assert newer.status is ModelStatus.RETIRED and registry.champion(TASK).name == ours.name


def test_the_project_folder_may_be_moved(registry: Registry, shipped: Path, tmp_path: Path) -> None:
    name = registry.register_shipped(shipped)[0].name
    (tmp_path / "registry").rename(tmp_path / "elsewhere")
    moved = Registry(tmp_path / "elsewhere")
    assert moved.named(name).folder.is_relative_to(tmp_path / "elsewhere")


def test_nothing_is_sent_anywhere(registry: Registry, shipped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise AssertionError(f"tried to connect to {args}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    registry.register_shipped(shipped)


def test_importing_the_registry_does_not_import_mlflow() -> None:
    code = "import sys, spine_fracture.registry; sys.exit('mlflow' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_new_registry_says_nothing_of_its_own(tmp_path: Path) -> None:
    """Also where MLflow was imported first, and has set its own level of telling."""
    code = "import sys, mlflow; from spine_fracture.registry import Registry as R; from pathlib import Path"
    run = f"{code}; R(Path(sys.argv[1])).versions()"
    done = subprocess.run(
        [sys.executable, "-c", run, str(tmp_path / "new")], check=True, capture_output=True, text=True
    )
    assert "INFO" not in done.stdout + done.stderr
