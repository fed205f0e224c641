"""Weights on disk: what was written comes back, and a damaged file is never served."""

from __future__ import annotations

import resource
import signal
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from spine_fracture.bundle import (
    WEIGHTS,
    Manifest,
    read_attachment,
    read_bundle,
    read_manifest,
    write_atomically,
    write_bundle,
)
from spine_fracture.errors import ModelFileError, StorageError

MANIFEST = Manifest(
    name="toy",
    task="classification",
    family="toy",
    architecture={"width": 1},
    classes=("a", "b"),
    config={},
    seed=1,
)


def test_round_trip_and_version(tmp_path: Path) -> None:
    state = {"w": torch.tensor([0.5, -2.0]), "steps": torch.tensor(3)}
    written = write_bundle(tmp_path, state, MANIFEST)
    manifest, loaded = read_bundle(tmp_path)
    assert manifest == written
    assert manifest.version == f"toy-{manifest.digest[:12]}"
    assert torch.equal(loaded["w"], state["w"]) and loaded["steps"].item() == 3


@pytest.mark.parametrize("position", [0, 20, -1])
def test_one_changed_byte_is_refused(tmp_path: Path, position: int) -> None:
    write_bundle(tmp_path, {"w": torch.arange(50.0)}, MANIFEST)
    data = bytearray((tmp_path / WEIGHTS).read_bytes())
    data[position] ^= 1
    (tmp_path / WEIGHTS).write_bytes(bytes(data))
    with pytest.raises(ModelFileError, match="sha256"):
        read_bundle(tmp_path)


def test_attachments_come_back_and_make_another_version(tmp_path: Path) -> None:
    state = {"w": torch.zeros(3)}
    plain = write_bundle(tmp_path / "plain", state, MANIFEST)
    first = write_bundle(tmp_path / "first", state, MANIFEST, {"trees.txt": b"tree 1"})
    second = write_bundle(tmp_path / "second", state, MANIFEST, {"trees.txt": b"tree 2"})
    assert plain.sha256 == first.sha256
    assert len({plain.version, first.version, second.version}) == 3
    manifest, _ = read_bundle(tmp_path / "first")
    assert manifest == first and read_attachment(tmp_path / "first", manifest, "trees.txt") == b"tree 1"
    with pytest.raises(ModelFileError, match="comes without trees"):
        read_attachment(tmp_path / "plain", plain, "trees.txt")


@pytest.mark.parametrize(
    "change",
    [{"temperature": 1.2}, {"classes": ("b", "a")}, {"training_patients": ("p",)}, {"config": {"a": 1}}],
    ids=str,
)
def test_equal_weights_with_another_manifest_are_another_version(
    tmp_path: Path, change: dict[str, object]
) -> None:
    state = {"w": torch.zeros(3)}
    plain = write_bundle(tmp_path / "plain", state, MANIFEST)
    other = write_bundle(tmp_path / "other", state, MANIFEST.model_copy(update=change))
    assert plain.sha256 == other.sha256 and plain.version != other.version
    (tmp_path / "plain" / "model.json").write_text(plain.model_copy(update=change).model_dump_json())
    with pytest.raises(ModelFileError, match="not as it was written"):
        read_bundle(tmp_path / "plain")


def test_how_well_it_did_renames_no_model(tmp_path: Path) -> None:
    state = {"w": torch.zeros(3)}
    plain = write_bundle(tmp_path / "plain", state, MANIFEST)
    judged = write_bundle(tmp_path / "judged", state, MANIFEST.model_copy(update={"metrics": {"auc": 0.9}}))
    assert judged.version == plain.version


def test_a_bundle_of_before_there_were_seals_keeps_its_name(tmp_path: Path) -> None:
    sealed = write_bundle(tmp_path, {"w": torch.zeros(3)}, MANIFEST)
    (tmp_path / "model.json").write_text(sealed.model_dump_json(exclude={"seal"}))
    manifest, _ = read_bundle(tmp_path)
    assert manifest.version == f"toy-{sealed.sha256[:12]}"


@pytest.mark.parametrize("content", [b"other trees", None])
def test_a_changed_or_missing_attachment_is_refused(tmp_path: Path, content: bytes | None) -> None:
    write_bundle(tmp_path, {"w": torch.zeros(3)}, MANIFEST, {"trees.txt": b"trees"})
    (tmp_path / "trees.txt").unlink()
    if content is not None:
        (tmp_path / "trees.txt").write_bytes(content)
    with pytest.raises(ModelFileError, match=r"trees\.txt"):
        read_bundle(tmp_path)


@pytest.mark.parametrize("name", ["../trees.txt", "/trees.txt", ".trees", "a/b"])
def test_attachments_lie_in_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValidationError):
        write_bundle(tmp_path, {"w": torch.zeros(3)}, MANIFEST, {name: b"trees"})
    assert not list(tmp_path.iterdir())


def test_missing_or_broken_manifest_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="No such file"):
        read_bundle(tmp_path)
    (tmp_path / "model.json").write_text("{")
    with pytest.raises(ModelFileError, match=rf"model.json in {tmp_path} was damaged.*Train the model again"):
        read_bundle(tmp_path)


def test_what_is_no_folder_of_a_model_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("a file")
    with pytest.raises(ModelFileError, match=r"README\.md.*Not a directory.*Give the folder of a model"):
        read_manifest(tmp_path / "README.md")
    write_bundle(tmp_path / "toy", {"w": torch.zeros(3)}, MANIFEST)
    (tmp_path / "toy" / WEIGHTS).unlink()
    (tmp_path / "toy" / WEIGHTS).mkdir()
    with pytest.raises(ModelFileError, match=rf"{WEIGHTS}.*Is a directory.*Train the model again"):
        read_bundle(tmp_path / "toy")


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "file"
    write_atomically(target, b"old")
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limit[1]))
    try:
        with pytest.raises(StorageError, match="intact"):
            write_atomically(target, b"new" * 1000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, previous)
    assert target.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
