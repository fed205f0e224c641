"""Is the picture upright? A file can be wrong about its orientation, and a plain picture says nothing.

An upright sagittal lumbar spine ends below in a sacrum that lies behind the vertebra above it; an
upright neck begins above with the axis. Where that is seen nothing more is asked. Where it is not, the
middle slices are turned over: if the turned ones show a spine that the given ones do not, the
picture is refused, since names and sides would be wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from spine_fracture.detection.detector import VertebraDetector
from spine_fracture.detection.fusion import Track, fuse_slices
from spine_fracture.errors import OffDomainError
from spine_fracture.imaging import Pixels

#: A track below this is not counted; an anchor must reach it as sacrum or axis.
_CERTAIN = 0.4
#: So many more vertebrae (in units of score) must appear in the turned picture.
_CLEARLY_MORE = 1.25
_MIDDLE = 3

_TURNS: tuple[tuple[str, Callable[[Pixels], Pixels]], ...] = (
    ("upside down", lambda pixels: pixels[:, :, ::-1]),
    ("mirrored front to back", lambda pixels: pixels[:, :, :, ::-1]),
    ("turned by 180 degrees", lambda pixels: pixels[:, :, ::-1, ::-1]),
)


def check_upright(detector: VertebraDetector, pixels: Pixels, tracks: Sequence[Track]) -> None:
    """Raise :class:`OffDomainError` when the spine stands upright only after turning the picture.

    ``pixels`` (slices, 2, rows, columns) as read, ``tracks`` what was found in them.
    """
    if is_anchored(tracks):
        return
    start = max(0, (len(pixels) - _MIDDLE) // 2)
    middle = pixels[start : start + _MIDDLE]
    given = _evidence(fuse_slices(detector.detect(middle)))
    for words, turn in _TURNS:
        turned = fuse_slices(detector.detect(np.ascontiguousarray(turn(middle))))
        if is_anchored(turned) and _evidence(turned) > _CLEARLY_MORE * given:
            raise OffDomainError(
                f"The picture seems to be {words}. Correct its orientation (head up, front to the left) "
                "and take it in again."
            )


def is_anchored(tracks: Sequence[Track]) -> bool:
    """Whether a sacrum ends the spine below, behind the body above it, or an axis begins it above."""
    certain = [track for track in tracks if track.score >= _CERTAIN]
    for above, below in pairwise(certain):
        if below.sacrum >= _CERTAIN and below.sacrum > below.presacral and below is certain[-1]:
            return below.centre[0] > above.centre[0]
    return bool(len(certain) > 1 and certain[0].axis >= _CERTAIN and certain[0].axis > certain[0].presacral)


def _evidence(tracks: Sequence[Track]) -> float:
    return sum(track.score for track in tracks if track.score >= _CERTAIN)
