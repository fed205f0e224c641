"""Files are written whole, with the rights of any other file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from spine_fracture.errors import StorageError
from spine_fracture.files import write_atomically


@pytest.mark.parametrize("umask", [0o022, 0o002, 0o077])
def test_rights_are_those_the_umask_leaves(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        write_atomically(tmp_path / "new" / "a", b"1")
        write_atomically(tmp_path / "new" / "a", b"2")
    finally:
        os.umask(before)
    (only,) = (tmp_path / "new").iterdir()
    assert only.read_bytes() == b"2"
    assert only.stat().st_mode & 0o777 == 0o666 & ~umask


def test_what_was_there_stays_when_it_cannot_be_replaced(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").write_text("kept")
    with pytest.raises(StorageError, match="Could not write a"):
        write_atomically(tmp_path / "a", b"1")
    with pytest.raises(StorageError):
        write_atomically(tmp_path / "a" / "b" / "c", b"1")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a" / "b").read_text() == "kept"
