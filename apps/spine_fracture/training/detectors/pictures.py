"""Pictures that teach the detector, kept in an array cache.

Each is a pair on a square canvas with the outlines of its known bodies, and a line beyond which
(headwards) nothing was labelled: the open lumbar set outlines L1 to S1 only although T12 and more
are in view.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from spine_fracture.anatomy import Level
from spine_fracture.detection.letterbox import Letterbox
from spine_fracture.detection.tasks import KINDS
from spine_fracture.geometry import FloatArray, PixelBox
from spine_fracture.lumbar_set import LumbarPatient, read_grey
from spine_fracture.training.cohorts.cache import ArrayCache, CacheWriter

Grey = npt.NDArray[np.uint8]
#: Kinds of bodies that are not looked for: one that teaches nothing, and one that is background.
DOUBTFUL, BACKGROUND = -1, -2
#: Raise it when pictures are chosen, named or stored otherwise, so that older ones are not read.
FORM = 2
#: How fast the chance of a slice falls with its distance, in slices, from the middle of a study.
_SLICES_NEAR = 2.0


@dataclass(frozen=True, eq=False)
class TeachingPicture:
    """One pair and what is known of it, in pixels of its canvas.

    ``pixels`` (2, side, side) uint8, T1 and T2; ``outlines`` one (n, 2) polygon a body, head to
    foot, with ``kinds`` indices of the detector's classes; or :data:`DOUBTFUL` for one that teaches
    neither that it is to be found nor that it is not, or :data:`BACKGROUND`. ``horizon`` (2, 2): two
    points of the line beyond which nothing was labelled, or None when all bodies were.
    """

    pixels: Grey
    outlines: tuple[FloatArray, ...]
    kinds: tuple[int, ...]
    horizon: FloatArray | None


def kind_of(level: Level, *, altered: bool) -> int:
    """The detector's class of a body."""
    if level is Level.S1:
        return KINDS.index("sacrum")
    if level is Level.C2:
        return KINDS.index("axis")
    return KINDS.index("abnormal" if altered else "vertebra")


def ellipse_in(box: PixelBox) -> FloatArray:
    """The outline (16, 2) of the ellipse that fills ``box``: of a body whose box alone is known.

    Turned with the picture its box grows less than that of the box's corners would, which are empty
    (Kalra et al. 2021, ICCV).
    """
    angle = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    radii = np.array([box.width, box.height]) / 2
    return np.asarray(box.centre + radii * np.stack([np.cos(angle), np.sin(angle)], axis=1))


def stretched(picture: npt.NDArray[Any]) -> Grey:
    """Grey levels between the 0.5th and 99.5th percentile spread over 0..255."""
    low, high = np.percentile(picture, (0.5, 99.5))
    scaled = (picture.astype(np.float32) - low) * (255.0 / max(float(high - low), 1e-6))
    return np.asarray(np.clip(np.rint(scaled), 0, 255), np.uint8)


def aligned_pair(patient: LumbarPatient) -> Grey:
    """T1 moved on T2 by the manifest's shift, shape (2, rows, columns), stretched."""
    t1, t2 = stretched(read_grey(patient.t1)), stretched(read_grey(patient.t2))
    dx, dy = patient.t1_to_t2
    moved = cv2.warpAffine(t1, np.array([[1.0, 0.0, dx], [0.0, 1.0, dy]]), t2.shape[::-1])
    return np.stack([moved, t2])


def fit_canvas(pixels: Grey, side: int) -> tuple[Grey, float]:
    """``pixels`` (2, rows, columns) sized to a square canvas from its top left, and the magnification."""
    scale = side / max(pixels.shape[1:])
    rows, columns = (round(n * scale) for n in pixels.shape[1:])
    canvas = np.zeros((2, side, side), np.uint8)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    for channel, picture in zip(canvas, pixels, strict=True):
        channel[:rows, :columns] = cv2.resize(picture, (columns, rows), interpolation=method)
    return canvas, scale


def real_picture(patient: LumbarPatient, side: int) -> TeachingPicture:
    """The pair of a patient without findings, outlines moved to T2's grid."""
    canvas, scale = fit_canvas(aligned_pair(patient), side)
    outlines = tuple((v.polygon + patient.t1_to_t2) * scale for v in patient.vertebrae)
    kinds = tuple(kind_of(v.level, altered=False) for v in patient.vertebrae)
    return TeachingPicture(canvas, outlines, kinds, horizon_above(outlines))


def horizon_above(outlines: tuple[FloatArray, ...], gap: float = 0.08) -> FloatArray:
    """The line across the spine just above the first outline, (2, 2), (x, y) each.

    ``gap`` is the distance from the body's upper end as a share of the body's length, so that the
    line runs in the disc.
    """
    first, second = outlines[0].mean(axis=0), outlines[1].mean(axis=0)
    upwards = (first - second) / np.linalg.norm(first - second)
    reach = ((outlines[0] - first) @ upwards).max()
    length = reach - ((outlines[0] - first) @ upwards).min()
    point = first + upwards * (reach + gap * length)
    across = np.array([-upwards[1], upwards[0]])
    return np.stack([point, point + across * length])


def tiles(
    pixels: Grey,
    outlines: Sequence[FloatArray],
    kinds: Sequence[int],
    side: int,
    horizon: FloatArray | None = None,
) -> Iterator[TeachingPicture]:
    """A picture sized as for the network, in overlapping square tiles; bodies cut through are doubtful.

    A tile that shows none of the bodies is left out where there is a ``horizon``: it may lie beyond.
    """
    letterbox = Letterbox(pixels.shape[1], pixels.shape[2], side)
    rows, columns = letterbox.filled
    scale = np.array([columns / letterbox.columns, rows / letterbox.rows])
    sized = np.stack([cv2.resize(p, (columns, rows), interpolation=letterbox.resampling) for p in pixels])
    for top in _starts(rows, side):
        for left in _starts(columns, side):
            tile = np.zeros((2, side, side), np.uint8)
            part = sized[:, top : top + side, left : left + side]
            tile[:, : part.shape[1], : part.shape[2]] = part
            corner, end = np.array([left, top]), np.array([part.shape[2], part.shape[1]])
            placed = [outline * scale - corner for outline in outlines]
            clipped = [np.clip(outline, 0, end) for outline in placed]
            kept = [k for k, c in enumerate(clipped) if (np.ptp(c, axis=0) > 1).all()]
            if horizon is not None and not kept:
                continue
            cut = [kinds[k] != BACKGROUND and not np.array_equal(clipped[k], placed[k]) for k in kept]
            yield TeachingPicture(
                tile,
                tuple(clipped[k] for k in kept),
                tuple(DOUBTFUL if c else kinds[k] for k, c in zip(kept, cut, strict=True)),
                None if horizon is None else horizon * scale - corner,
            )


def slices_near_middle(number: int, most: int, rng: np.random.Generator) -> list[int]:
    """At most ``most`` of ``number`` slices, in order, mostly near the middle.

    Some are beside the spine: they teach too.
    """
    distance = np.abs(np.arange(number) - (number - 1) / 2)
    chances = np.exp(-distance / _SLICES_NEAR)
    chosen = rng.choice(number, min(most, number), replace=False, p=chances / chances.sum())
    return sorted(int(at) for at in chosen)


def _starts(length: int, side: int) -> list[int]:
    """Where tiles of ``side`` start so that they cover ``length``, evenly."""
    number = max(1, -(-length // side))
    return [round(k * max(length - side, 0) / max(number - 1, 1)) for k in range(number)]


def write_pictures(folder: Path, pictures: Iterable[tuple[str, TeachingPicture]]) -> None:
    """Store pictures, each with the name of its source (``real``, ``lesion``, ``phantom``)."""
    sources: list[str] = []
    with CacheWriter(folder) as writer:
        for source, picture in pictures:
            bodies = [
                (len(sources), kind, len(o)) for kind, o in zip(picture.kinds, picture.outlines, strict=True)
            ]
            horizon = picture.horizon if picture.horizon is not None else np.full((2, 2), np.nan)
            writer.append(
                pixels=picture.pixels[None],
                bodies=np.array(bodies, np.int32).reshape(-1, 3),
                points=np.concatenate([*picture.outlines, np.empty((0, 2))]).astype(np.float32),
                horizon=horizon[None].astype(np.float32),
            )
            sources.append(source)
        writer.describe(sources=list(sources))


class PictureCache:
    """Random access to the pictures that :func:`write_pictures` stored."""

    def __init__(self, folder: Path) -> None:
        self._cache = ArrayCache.open(folder)
        self.sources: tuple[str, ...] = tuple(str(s) for s in self._cache.description["sources"])  # type: ignore[union-attr]
        bodies = self._cache["bodies"]
        self._first_body = np.searchsorted(bodies[:, 0], np.arange(len(self.sources) + 1))
        self._first_point = np.concatenate([[0], np.cumsum(bodies[:, 2])])

    def __len__(self) -> int:
        return len(self.sources)

    def __iter__(self) -> Iterator[TeachingPicture]:
        return (self[at] for at in range(len(self)))

    def __getitem__(self, at: int) -> TeachingPicture:
        if not 0 <= at < len(self):
            raise IndexError(at)
        rows = range(self._first_body[at], self._first_body[at + 1])
        points = self._cache["points"]
        horizon = np.asarray(self._cache["horizon"][at], np.float64)
        return TeachingPicture(
            pixels=self._cache["pixels"][at],
            outlines=tuple(
                np.asarray(points[self._first_point[r] : self._first_point[r + 1]], np.float64) for r in rows
            ),
            kinds=tuple(int(self._cache["bodies"][r, 1]) for r in rows),
            horizon=None if np.isnan(horizon).any() else horizon,
        )
