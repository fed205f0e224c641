"""How the column closes the gap a collapsed body leaves: bodies move whole, discs give way.

Distances are counted from the collapsed body's endplate outwards along its axis, in body heights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spine_fracture.simulation.canvas import BodyFrame, Labels

FloatField = npt.NDArray[np.float32]
DISCS = 3  # on each side share what is handed on
_USUAL_BODY, _USUAL_DISC = 1.0, 0.33
_RIM = 0.03  # of a body's height: cortex that moves with its body though the mask may miss it


@dataclass(frozen=True)
class Fade:
    """Share of the endplate's displacement that is left at each distance: 1 at the endplate, constant
    over neighbouring bodies, falling across discs to 0. ``fast`` is spent in the first disc.
    """

    distance: tuple[float, ...]
    slow: tuple[float, ...]
    fast: tuple[float, ...]

    @property
    def end(self) -> float:
        """Distance beyond which nothing moves, with room for the widened discs."""
        return self.distance[-1] + 1.0

    def spread(self, distance: FloatField, slow: FloatField, fast: FloatField) -> FloatField:
        """Displacement towards the body at output ``distance`` from its moved endplate, when the
        endplate moved by ``slow`` + ``fast`` (all in body heights, broadcast together).

        The forward map takes a point at input distance d to d plus the displacement that is *not*
        handed on to it, so discs only widen and the map cannot fold; here it is inverted piece by piece.
        """
        total = slow + fast
        left = [slow * s + fast * f for s, f in zip(self.slow, self.fast, strict=True)]
        out = [d + total - g for d, g in zip(self.distance, left, strict=True)]
        found = np.where(distance < 0, total, 0)
        for j in range(len(out) - 1):
            share = (distance - out[j]) / np.maximum(out[j + 1] - out[j], 1e-6)
            piece = left[j] + share * (left[j + 1] - left[j])
            found = np.where((share >= 0) & (share < 1), piece, found)
        return found.astype(np.float32)


def fades(labels: Labels, frame: BodyFrame) -> tuple[Fade, Fade]:
    """The fades above and below a body of ``labels`` (slices, rows, columns).

    Where the neighbours are not marked, bodies and discs of usual size are assumed; none reaches
    beyond the picture, so that nothing has to be pulled in from outside it.
    """
    plane = labels[int(np.clip(round(frame.middle), 0, len(labels) - 1))]
    extents = _extents(plane, frame)
    room = (frame.centre[0] / frame.height - 0.5, (plane.shape[0] - frame.centre[0]) / frame.height - 0.5)
    above, below = (
        _fade([(low, high) for low, high in extents[side] if low > 0], room[side]) for side in (0, 1)
    )
    return above, below


def _extents(plane: Labels, frame: BodyFrame) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """Nearest and farthest distance of each marked body above, and of each below, nearest first."""
    own = 1 + frame.level.order
    sides: tuple[list[tuple[float, float]], list[tuple[float, float]]] = ([], [])
    for value in np.unique(plane[plane > 0]):
        if value == own:
            continue
        points = np.argwhere(plane == value) + 0.5 - frame.centre
        along = points @ frame.down / frame.height
        near = np.abs(points @ frame.back) < 0.4 * frame.depth
        if not near.any():
            continue
        side = 0 if value < own else 1
        along = -along[near] if side == 0 else along[near]
        sides[side].append((float(along.min()) - 0.5 - _RIM, float(along.max()) - 0.5 + _RIM))
    for extents in sides:
        extents.sort()
    return sides


def _fade(bodies: list[tuple[float, float]], room: float) -> Fade:
    """Knots over the discs that lie within ``room``; bodies that are not marked are assumed."""
    reach = max(room, 0.2)
    gaps: list[tuple[float, float]] = []
    at = 0.0
    for index in range(DISCS):
        assumed = (at + _USUAL_DISC, at + _USUAL_DISC + _USUAL_BODY)
        low, high = bodies[index] if index < len(bodies) else assumed
        low = max(low, at + 0.05)
        if low > reach:
            break
        gaps.append((at, low))
        at = max(high, low + 0.05)
    gaps = gaps or [(0.0, reach)]
    distance: list[float] = []
    slow: list[float] = []
    fast: list[float] = []
    for index, gap in enumerate(gaps):
        distance += gap
        slow += [1 - index / len(gaps), 1 - (index + 1) / len(gaps)]
        fast += [1.0, 0.0] if index == 0 else [0.0, 0.0]
    return Fade(tuple(distance), tuple(slow), tuple(fast))
