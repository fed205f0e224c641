"""Arrays on disk that a training reads without decoding anything: memory-mapped, one file an array.

A cache is a folder with ``<name>.bin`` (raw, C order) for each array and ``cache.json``, written
last, which holds every array's dtype and shape and whatever the writer says of its content. A
folder without a readable ``cache.json`` is no cache: an interrupted writing is never mistaken for one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from spine_fracture.errors import InputError, StorageError
from spine_fracture.files import write_atomically

_INDEX = "cache.json"


class _ArrayEntry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    dtype: str
    shape: tuple[int, ...]


class _Index(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    arrays: dict[str, _ArrayEntry]
    description: dict[str, JsonValue]


@dataclass(frozen=True, eq=False)
class ArrayCache:
    """An opened cache. ``arrays`` are read-only memory maps; ``description`` is the writer's."""

    folder: Path
    arrays: Mapping[str, npt.NDArray[Any]]
    description: Mapping[str, JsonValue]

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Map the arrays of ``folder``; raises :class:`InputError` when it holds no whole cache."""
        try:
            index = _Index.model_validate_json((folder / _INDEX).read_bytes())
        except (OSError, ValidationError) as error:
            raise InputError(f"{folder} is not an array cache ({error}): write it again.") from error
        arrays = {name: _mapped(folder / f"{name}.bin", entry) for name, entry in index.arrays.items()}
        return cls(folder, arrays, index.description)

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        if name not in self.arrays:
            raise InputError(
                f"The cache {self.folder.name} has no array {name!r}, only {', '.join(self.arrays)}."
            )
        return self.arrays[name]


def _mapped(path: Path, entry: _ArrayEntry) -> npt.NDArray[Any]:
    dtype = np.dtype(entry.dtype)
    expected = math.prod(entry.shape) * dtype.itemsize
    actual = path.stat().st_size if path.is_file() else -1
    if actual != expected:
        raise InputError(
            f"{path.name} of the cache should hold {expected} bytes, not {actual}: write it again."
        )
    if expected == 0:  # an empty file cannot be mapped
        return np.empty(entry.shape, dtype)
    return np.memmap(path, dtype=dtype, mode="r", shape=entry.shape)


def _not_written(error: OSError) -> StorageError:
    return StorageError(
        f"Could not write the array cache: {error.strerror}. Free some space, or choose another folder."
    )


class CacheWriter:
    """Appends rows to the arrays of a new cache; leaving the ``with`` block without error seals it.

    >>> with CacheWriter(folder) as writer:
    ...     writer.append(pixels=batch, label=labels)
    ...     writer.describe(seed=1)
    """

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / _INDEX).unlink(missing_ok=True)
        except OSError as error:
            raise _not_written(error) from error
        self._folder = folder
        self._files: dict[str, BinaryIO] = {}
        self._entries: dict[str, _ArrayEntry] = {}
        self._description: dict[str, JsonValue] = {}

    def __enter__(self) -> Self:
        return self

    def append(self, **rows: npt.NDArray[Any]) -> None:
        """Add ``rows[name]`` of shape (n, ...) below what array ``name`` already holds."""
        for name, values in rows.items():
            entry = self._entries.get(name) or _ArrayEntry(
                dtype=values.dtype.str, shape=(0, *values.shape[1:])
            )
            if (values.dtype.str, values.shape[1:]) != (entry.dtype, entry.shape[1:]):
                raise InputError(
                    f"Array {name!r} holds rows {entry.shape[1:]} of {entry.dtype}, "
                    f"got {values.shape[1:]} of {values.dtype.str}."
                )
            try:
                if name not in self._files:
                    file = self._folder / f"{name}.bin"
                    file.unlink(missing_ok=True)  # it may be shared, or mapped by somebody
                    self._files[name] = file.open("wb")
                self._files[name].write(np.ascontiguousarray(values).tobytes())
            except OSError as error:
                raise _not_written(error) from error
            self._entries[name] = entry.model_copy(
                update={"shape": (entry.shape[0] + len(values), *entry.shape[1:])}
            )

    def describe(self, **facts: JsonValue) -> None:
        """What a reader needs to know besides the arrays, e.g. seeds and patient keys."""
        self._description.update(facts)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in self._files.values():
            try:
                file.close()  # writes what is still in memory
            except OSError as failed:
                if kind is None:
                    raise _not_written(failed) from failed
        if kind is None:
            _write_index(self._folder, _Index(arrays=self._entries, description=self._description))


def share_arrays(cache: ArrayCache, folder: Path, **facts: JsonValue) -> None:
    """Make ``folder`` a cache of the same arrays, which are linked and not copied, described by ``facts``."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in cache.arrays:
            link = folder / f"{name}.bin"
            link.unlink(missing_ok=True)
            link.symlink_to((cache.folder / f"{name}.bin").resolve())
    except OSError as error:
        raise _not_written(error) from error
    entries = {
        name: _ArrayEntry(dtype=array.dtype.str, shape=array.shape) for name, array in cache.arrays.items()
    }
    _write_index(folder, _Index(arrays=entries, description=facts))


def _write_index(folder: Path, index: _Index) -> None:
    write_atomically(folder / _INDEX, json.dumps(index.model_dump(), indent=1).encode())
