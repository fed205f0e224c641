"""Where levels lie in the classifier's feature space, kept on disk with a small picture of each."""

from __future__ import annotations

import io
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from spine_fracture.classification.attention import AttentiveClassifier
from spine_fracture.classification.crops import BoxOnSlice
from spine_fracture.evaluation.reports.drawing import beside, crop, grey
from spine_fracture.files import write_atomically
from spine_fracture.imaging import PairedStack, Pixels

_MARGIN = 2.0  # of the box, so that the neighbours show what is ordinary here
_SIDE = 104
_QUALITY = 80


@dataclass(frozen=True, order=True)
class LevelKey:
    """A level as it was outlined when it was looked at."""

    level_id: int
    version: int


@dataclass(frozen=True, eq=False)
class OutlinedLevel:
    """A level and its boxes on the grid of its study's pair."""

    key: LevelKey
    boxes: tuple[BoxOnSlice, ...]


class FeatureSpace:
    """Features by level, level version and classifier version. Safe to use from several threads.

    Everything here can be made again from the pictures: it is a cache, and lies in the cache folder.
    """

    def __init__(self, folder: Path) -> None:
        self._features = folder / "features"
        self._pictures = folder / "thumbnails"
        self._read: dict[tuple[str, LevelKey], Pixels] = {}
        self._reading = threading.Lock()

    def find(self, classifier: str, key: LevelKey) -> Pixels | None:
        """The features (channels,) of a level, or None when it has not been looked at."""
        known = self._read.get((classifier, key))
        if known is not None:
            return known
        try:
            found = np.load(self._feature_file(classifier, key), allow_pickle=False)
        except (OSError, ValueError):
            return None
        return self._remember(classifier, key, np.asarray(found, dtype=np.float32))

    def picture(self, key: LevelKey) -> bytes | None:
        """The level in T1 and T2 as a JPEG, or None when it has not been looked at."""
        try:
            return self._picture_file(key).read_bytes()
        except OSError:
            return None

    def add(self, network: AttentiveClassifier, pair: PairedStack, levels: Sequence[OutlinedLevel]) -> None:
        """Look at all levels of a study and keep what was found."""
        features = network.features(pair.pixels, [level.boxes for level in levels])
        for level, row in zip(levels, features, strict=True):
            stream = io.BytesIO()
            np.save(stream, row, allow_pickle=False)
            file = self._feature_file(network.version, level.key)
            write_atomically(self._picture_file(level.key), _thumbnail(pair, level.boxes))
            write_atomically(file, stream.getvalue())
            self._remember(network.version, level.key, row)
            for folder in (file.parent, self._pictures):
                _drop_older(folder, level.key)

    def _remember(self, classifier: str, key: LevelKey, row: Pixels) -> Pixels:
        with self._reading:
            self._read[classifier, key] = row
        return row

    def _feature_file(self, classifier: str, key: LevelKey) -> Path:
        return self._features / classifier / f"{key.level_id}-{key.version}.npy"

    def _picture_file(self, key: LevelKey) -> Path:
        return self._pictures / f"{key.level_id}-{key.version}.jpg"


def _drop_older(folder: Path, key: LevelKey) -> None:
    for file in folder.glob(f"{key.level_id}-*"):
        version = file.stem.partition("-")[2]
        if version.isdecimal() and int(version) < key.version:
            file.unlink(missing_ok=True)


def _thumbnail(pair: PairedStack, boxes: Sequence[BoxOnSlice]) -> bytes:
    """The level's middle slice in every sequence that is there, side by side."""
    index, box = sorted(boxes, key=lambda item: item[0])[len(boxes) // 2]
    frame = box.square(_MARGIN)
    parts = [
        crop(grey(picture), frame).resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)
        for picture in pair.pixels[index]
        if picture.any()
    ]
    stream = io.BytesIO()
    beside(parts, gap=2).save(stream, format="JPEG", quality=_QUALITY)
    return stream.getvalue()
