"""Is the picture upright? A file can be wrong about its orientation, and a plain picture says nothing.

An upright sagittal lumbar spine ends below in a sacrum that lies behind the vertebra above it; an
upright neck begins above with the axis. The middle slices are read turned over as well: if they show
such a spine where the given ones show none, or a clearer one, the picture is refused, since names and
sides would be wrong. The limits were chosen on training and validation pictures and phantoms.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from spine_fracture.detection.candidates import Candidate
from spine_fracture.detection.detector import VertebraDetector
from spine_fracture.detection.fusion import Track, fuse_slices
from spine_fracture.errors import OffDomainError
from spine_fracture.imaging import Pixels

#: A track below this is not counted; an anchor must reach it as sacrum or axis.
_CERTAIN = 0.4
#: Upside down, a spine can seem to end in a sacrum too: so much more must be seen after turning it.
_CLEARER = 1.02
#: Where no anchor is seen as given and one is after turning, this much of a spine is enough: an
#: upside-down spine still looks much like one, a mirrored one less.
_UPSIDE_DOWN = 0.95
_MIRRORED = 0.8
_MIDDLE = 3


def check_upright(detector: VertebraDetector, pixels: Pixels, found: Sequence[Candidate]) -> None:
    """Raise :class:`OffDomainError` when the spine stands upright only after turning the picture.

    ``pixels`` (slices, 2, rows, columns) as read, ``found`` all candidates in them.
    """
    start = max(0, (len(pixels) - _MIDDLE) // 2)
    middle = pixels[start : start + _MIDDLE]
    given = fuse_slices(c for c in found if start <= c.slice_index < start + _MIDDLE)
    anchored = is_anchored(given)
    limits = [("upside down", middle[:, :, ::-1], _CLEARER if anchored else _UPSIDE_DOWN)]
    if not anchored:
        limits.append(("mirrored front to back", middle[..., ::-1], _MIRRORED))
        limits.append(("turned by 180 degrees", middle[:, :, ::-1, ::-1], _MIRRORED))
    for words, turned, limit in limits:
        tracks = fuse_slices(detector.detect(np.ascontiguousarray(turned)))
        if is_anchored(tracks) and _evidence(tracks) > limit * _evidence(given):
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
