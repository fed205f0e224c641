"""Writing files so that a crash leaves the old content or the new, never a part, and one writer at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path

from spine_fracture.errors import StorageError


def write_atomically(path: Path, data: bytes) -> None:
    """Temp file, fsync, rename: a reader sees the old content or the new, never a part.

    The file has the rights that the umask leaves, as any file that a program opens for writing.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise StorageError(
            f"Could not write {path.name}: {error.strerror}. Free some space or check the folder's rights; "
            "what was there before is intact."
        ) from error


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold ``folder`` against every other process that asks the same; released even by ``kill -9``."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stream = (folder / ".lock").open("wb")
    except OSError as error:
        raise StorageError(
            f"The folder {folder.name} cannot be written: {error.strerror}. Check its rights and the disk."
        ) from error
    with stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def kept_secret(path: Path) -> bytes:
    """The secret in ``path``, made when first needed, readable by its owner only."""
    try:
        # Linked into place whole: of two processes that make one, both use the first.
        if not path.exists():
            draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
                stream.write(secrets.token_hex(32).encode())
                stream.flush()
                os.fsync(stream.fileno())
            try:
                path.hardlink_to(draft)
            except FileExistsError:
                pass
            finally:
                draft.unlink()
        return path.read_bytes()
    except OSError as error:
        raise StorageError(
            f"The project's secret cannot be kept: {error.strerror}. Check the rights of the project folder."
        ) from error


def without_names(text: str, files: Iterable[Path]) -> str:
    """``text`` with "the file" in place of these files' paths and names, which may name a patient."""
    names = {name for path in files for name in (str(path), path.name)}
    for name in sorted(names, key=len, reverse=True):
        text = text.replace(name, "the file")
    return text
