"""Candidates of all slices joined into tracks: one vertebra in three dimensions, one box a slice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from spine_fracture.detection.candidates import Candidate
from spine_fracture.geometry import PixelBox

#: Boxes of neighbouring slices that overlap at least this much (IoU) show the same body.
_SAME_BODY = 0.4
#: Slices that may lie between two boxes of a track, one missing slice at a time.
_REACH = 3
#: A body in a stack is seen on several slices; the mean of this many best scores is its score.
_SUPPORT = 3


@dataclass(frozen=True, eq=False)
class Track:
    """One vertebra through the slices: ``candidates`` by slice, at most one each.

    ``slices`` is the number of slices of the stack that had any candidate: a body is expected on
    several of them, and scores are lowered when it is not.
    """

    candidates: tuple[Candidate, ...]
    slices: int

    @property
    def centre(self) -> tuple[float, float]:
        """Median centre (x, y) in pixels of the grid."""
        x, y = np.median([c.box.centre for c in self.candidates], axis=0)
        return float(x), float(y)

    @property
    def length(self) -> float:
        """Size of the body in pixels: the root of the median box's area."""
        return float(np.sqrt(np.median([c.box.area for c in self.candidates])))

    @property
    def score(self) -> float:
        """How sure it is that there is a body, in [0, 1]."""
        return self._support([c.score for c in self.candidates])

    @property
    def abnormal(self) -> float:
        """The share of the presacral score that says altered rather than normal, in [0, 1]."""
        abnormal = self._support([c.abnormal for c in self.candidates])
        normal = self._support([max(c.vertebra, c.sacrum, c.axis) for c in self.candidates])
        return abnormal / max(abnormal + normal, 1e-9)

    @property
    def presacral(self) -> float:
        """How sure it is that this is a body between C3 and the sacrum."""
        return self._support([max(c.vertebra, c.abnormal) for c in self.candidates])

    @property
    def sacrum(self) -> float:
        return self._support([c.sacrum for c in self.candidates])

    @property
    def axis(self) -> float:
        return self._support([c.axis for c in self.candidates])

    def _support(self, scores: list[float]) -> float:
        expected = min(_SUPPORT, self.slices)
        return sum(sorted(scores, reverse=True)[:expected]) / expected


@dataclass(eq=False)
class _Growing:
    candidates: dict[int, Candidate] = field(default_factory=dict)

    def middle(self) -> PixelBox:
        """The median box over the slices."""
        corners = np.median([c.box.as_tuple() for c in self.candidates.values()], axis=0)
        return PixelBox(*(float(v) for v in corners))

    def nearest(self, slice_index: int) -> tuple[int, PixelBox]:
        """Distance in slices and box of the member nearest to a slice that has no member yet."""
        index = min(self.candidates, key=lambda i: abs(i - slice_index))
        return abs(index - slice_index), self.candidates[index].box


def fuse_slices(candidates: Iterable[Candidate]) -> tuple[Track, ...]:
    """Join candidates that overlap from slice to slice; tracks come head to foot.

    The strongest candidates are placed first, each with the track whose nearest slice shows the
    most overlapping box, or as a new track. A slice where a body was missed is stepped over, and a
    body that moves sideways from slice to slice (scoliosis) is followed. Parts of one body with a
    longer gap between them are joined in the end, if they share no slice.
    """
    tracks: list[_Growing] = []
    slices = set()
    for candidate in sorted(candidates, key=lambda c: -c.score):
        slices.add(candidate.slice_index)
        best, overlap = None, _SAME_BODY
        for track in tracks:
            if candidate.slice_index in track.candidates:
                continue
            distance, box = track.nearest(candidate.slice_index)
            if distance <= _REACH and box.iou(candidate.box) >= overlap:
                best, overlap = track, box.iou(candidate.box)
        if best is None:
            best = _Growing()
            tracks.append(best)
        best.candidates[candidate.slice_index] = candidate
    joined = [
        Track(tuple(t.candidates[index] for index in sorted(t.candidates)), len(slices))
        for t in _parts_joined(tracks)
    ]
    return tuple(sorted(joined, key=lambda t: t.centre[1]))


def _parts_joined(tracks: list[_Growing]) -> list[_Growing]:
    """Tracks that lie on each other in the plane, and have no slice in common, made one."""
    whole: list[_Growing] = []
    for part in tracks:  # in the order of their strongest candidates
        for track in whole:
            if not part.candidates.keys() & track.candidates.keys() and (
                part.middle().iou(track.middle()) >= _SAME_BODY
            ):
                track.candidates |= part.candidates
                break
        else:
            whole.append(part)
    return whole
