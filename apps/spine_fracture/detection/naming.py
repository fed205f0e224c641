"""Which track is which level: the most likely chain of vertebrae, by dynamic programming.

The detector says what kind of body a track is (presacral, S1, C2), never its name. Names come
from the order of the bodies:

* A chain runs head to foot through some of the tracks and gives each a level. From one track to
  the next the level goes on by one, or by two to four where bodies in between were missed; the
  distance must fit that many steps, given the sizes of the bodies, and a missed body costs.
* A track may be given S1 only so far as the detector calls it a sacrum, C2 only so far as it calls
  it an axis, and any other name so far as it calls it presacral. A track left out costs what it
  was sure of. So S1 anchors the count from below, C2 from above, and false boxes fall out.
* T13 and L6 may be part of the chain or not, at a price (their rarity); so may T12 and L5 be absent.
  With both anchors in view, 25 presacral bodies are thus found out, and with one anchor they are
  not, as for any reader.
* Without an anchor all names are guesses; the one is preferred in which the lowest body is L5.

Viterbi's path gives the names, and the forward-backward sums over all chains give the probability
of each name; below :data:`SURE` a name is called unsure. The chain is found twice: first with
distances expected from the sizes of the boxes, then from the distances of the first chain.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from spine_fracture.anatomy import Level
from spine_fracture.detection.fusion import Track
from spine_fracture.geometry import FloatArray

#: Probability of a name below which the numbering is said to be unsure.
SURE = 0.9
#: Levels that can be named: the detector does not look for C1.
_LEVELS = tuple(level for level in Level if level is not Level.C1)
#: Most bodies in a row that may be missing from the chain.
_MOST_MISSED = 3
#: Distance of neighbouring centres over the mean size of their boxes, and its spread (log), before
#: the distances of the spine at hand are known, and after.
_PITCH, _LOOSE, _TIGHT = 1.08, 0.22, 0.18
_MISSED = math.log(0.02)
_RARE = {Level.T13: math.log(0.01), Level.L6: math.log(0.02)}
#: T11 to L1 and L4 to S1 without the body between: 11 thoracic or 4 lumbar vertebrae.
_ABSENT = math.log(0.01)
#: How far a C2 that the detector took for one of the bodies below may still be C2.
_AXIS_LOOKS_PRESACRAL = 0.2
#: Degrees from the vertical that a step of the chain may lean, as a spread.
_LEAN = 45.0
#: Where the spines in pictures begin and end: at C2 and at S1 often, without a sacrum at L5 rather
#: than at any one of the others.
_FIRST, _OTHER_FIRST = {Level.C2: math.log(0.5)}, math.log(0.05)
_LAST, _OTHER_LAST = {Level.S1: 0.0, Level.L5: math.log(0.3)}, math.log(0.03)
#: The detector's scores estimate overlap: this much is said of a body that is certainly there.
_CERTAIN = 0.75
_FLOOR = 0.002


@dataclass(frozen=True, eq=False)
class NamedTrack:
    """A track and its level; ``sure`` is False when another name is not unlikely."""

    track: Track
    level: Level
    sure: bool


@dataclass(frozen=True, eq=False)
class Naming:
    """The named tracks head to foot; ``notes`` say in words why ``sure`` is False."""

    levels: tuple[NamedTrack, ...]
    sure: bool
    notes: tuple[str, ...]


def name_tracks(tracks: Sequence[Track]) -> Naming:
    """Name the tracks that form a spine and drop the others."""
    tracks = sorted(tracks, key=lambda t: t.centre[1])
    if not tracks:
        return Naming((), False, ("No vertebra was found.",))
    centres = np.array([t.centre for t in tracks])
    sizes = np.array([t.length for t in tracks])
    emission = _emission(tracks)
    steps = _steps(centres, _expected(sizes), _LOOSE)
    path = _best_chain(emission, steps)
    if len(path) > 2:
        steps = _steps(centres, _measured(centres, sizes, path), _TIGHT)
        path = _best_chain(emission, steps)
    probability = _probabilities(emission, steps)
    named = tuple(
        NamedTrack(tracks[at], _LEVELS[level], bool(probability[at, level] >= SURE)) for at, level in path
    )
    notes = _notes(named)
    return Naming(named, not notes, notes)


def _emission(tracks: Sequence[Track]) -> FloatArray:
    """Log odds (tracks, levels) of a track being that level against not being a body at all."""
    odds = np.empty((len(tracks), len(_LEVELS)))
    for row, track in zip(odds, tracks, strict=True):
        row[:] = track.presacral
        row[_LEVELS.index(Level.S1)] = track.sacrum
        row[_LEVELS.index(Level.C2)] = max(track.axis, _AXIS_LOOKS_PRESACRAL * track.presacral)
    nothing = 1 - np.clip([[t.score / _CERTAIN] for t in tracks], _FLOOR, 1 - _FLOOR)
    return np.asarray(np.log(np.clip(odds / _CERTAIN, _FLOOR, 1 - _FLOOR)) - np.log(nothing))


def _expected(sizes: FloatArray) -> FloatArray:
    """Distance of one level's step between each two tracks, from the sizes of their boxes."""
    return np.asarray(_PITCH * (sizes[:, None] + sizes[None]) / 2)


def _measured(centres: FloatArray, sizes: FloatArray, path: Sequence[tuple[int, int]]) -> FloatArray:
    """The same from the steps of a first chain, as a running median along the spine."""
    at = np.array([track for track, _ in path])
    lengths = np.linalg.norm(np.diff(centres[at], axis=0), axis=1) / np.diff([level for _, level in path])
    middles = (centres[at[:-1], 1] + centres[at[1:], 1]) / 2
    relative = lengths / _expected(sizes)[at[:-1], at[1:]]
    between = (centres[:, None, 1] + centres[None, :, 1]) / 2
    nearest = np.argsort(np.abs(between[..., None] - middles), axis=-1)[..., :5]
    return np.asarray(np.median(relative[nearest], axis=-1) * _expected(sizes))


def _steps(centres: FloatArray, expected: FloatArray, spread: float) -> FloatArray:
    """Log density (tracks, tracks, 1 + missed) of going from one track to another by k bodies."""
    offset = centres[None] - centres[:, None]
    distance = np.hypot(offset[..., 0], offset[..., 1]) + 1e-6
    lean = np.degrees(np.arctan2(np.abs(offset[..., 0]), offset[..., 1]))
    count = np.arange(1, _MOST_MISSED + 2)
    misfit = np.log(distance[..., None] / (count * expected[..., None])) / spread
    log = -0.5 * misfit**2 - 0.5 * (lean / _LEAN)[..., None] ** 2 + _MISSED * (count - 1)
    log[offset[..., 1] <= 0] = -np.inf
    return np.asarray(log)


@lru_cache(maxsize=1)
def _succession() -> FloatArray:
    """Log price (levels, levels, bodies) of the second level following so many bodies after the first.

    All ways from one to the other are weighed: supernumerary bodies between them or not.
    """
    one = np.full((len(_LEVELS), len(_LEVELS)), -np.inf)
    usual = [level for level in _LEVELS if level not in _RARE]
    for upper, lower in pairwise(usual):
        one[_LEVELS.index(upper), _LEVELS.index(lower)] = 0.0
    for extra, price in _RARE.items():
        at = _LEVELS.index(extra)
        one[at - 1, at], one[at, at + 1] = price, 0.0
    for absent in (Level.T12, Level.L5):
        at = usual.index(absent)
        one[_LEVELS.index(usual[at - 1]), _LEVELS.index(usual[at + 1])] = _ABSENT
    ways = [one]
    for _ in range(_MOST_MISSED):
        ways.append(np.logaddexp.reduce(ways[-1][:, :, None] + one[None], axis=1))
    return np.stack(ways, axis=-1)


def _moves(steps: FloatArray, upper: int, lower: int) -> FloatArray:
    """Log weight (levels, levels) of going from track ``upper`` to ``lower``, best number of bodies."""
    return np.asarray((steps[upper, lower] + _succession()).max(axis=-1))


def _start() -> FloatArray:
    """Log weight of a chain starting at each level: a supernumerary one is as rare there as elsewhere."""
    return np.array([_FIRST.get(level, _OTHER_FIRST) + _RARE.get(level, 0.0) for level in _LEVELS])


def _end() -> FloatArray:
    """Log weight of a chain ending at each level."""
    return np.array([_LAST.get(level, _OTHER_LAST) for level in _LEVELS])


def _followers(steps: FloatArray, at: int) -> list[int]:
    """Tracks that can come next after track ``at``: none further than the longest gap allows."""
    return [other for other in range(len(steps)) if steps[at, other].max() > 3 * _MISSED - 12]


def _best_chain(emission: FloatArray, steps: FloatArray) -> list[tuple[int, int]]:
    """Viterbi: (track, level index) head to foot."""
    tracks, levels = emission.shape
    best = emission + _start()
    before = np.full((tracks, levels, 2), -1)
    for upper in range(tracks):
        for lower in _followers(steps, upper):
            arriving = best[upper][:, None] + _moves(steps, upper, lower)
            source = arriving.argmax(axis=0)
            weight = arriving[source, np.arange(levels)] + emission[lower]
            better = weight > best[lower]
            best[lower][better] = weight[better]
            before[lower][better] = np.stack([np.full(levels, upper), source], axis=1)[better]
    at, level = np.unravel_index(np.argmax(best + _end()), best.shape)
    path = [(int(at), int(level))]
    while before[path[-1]][0] >= 0:
        track, name = before[path[-1]]
        path.append((int(track), int(name)))
    return path[::-1]


def _probabilities(emission: FloatArray, steps: FloatArray) -> FloatArray:
    """Forward-backward: probability (tracks, levels) of each name, given that the track is in the chain."""
    tracks = len(emission)
    forward, backward = emission + _start(), np.tile(_end(), (tracks, 1))
    links = [
        (upper, lower, _moves(steps, upper, lower))
        for upper in range(tracks)
        for lower in _followers(steps, upper)
    ]
    for upper, lower, move in links:
        arriving = np.logaddexp.reduce(forward[upper][:, None] + move, axis=0) + emission[lower]
        forward[lower] = np.logaddexp(forward[lower], arriving)
    for upper, lower, move in reversed(links):
        leaving = np.logaddexp.reduce(move + (emission[lower] + backward[lower])[None], axis=1)
        backward[upper] = np.logaddexp(backward[upper], leaving)
    log = forward + backward
    log -= np.logaddexp.reduce(log, axis=1, keepdims=True)
    return np.asarray(np.exp(log))


def _notes(named: tuple[NamedTrack, ...]) -> tuple[str, ...]:
    """Why the numbering is unsure, in words; nothing when it is sure."""
    levels = {n.level for n in named}
    notes = []
    if not levels & {Level.S1, Level.C2}:
        notes.append("Numbering unsure: neither the sacrum nor C2 is in view, the levels are guessed.")
    elif not all(n.sure for n in named):
        unsure = [n.level for n in named if not n.sure]
        notes.append(f"Numbering unsure at {', '.join(unsure)}: another count is nearly as likely.")
    for extra in _RARE:
        if extra in levels:
            notes.append(f"Numbering unsure: a supernumerary {extra} or a transitional vertebra.")
    if {Level.L4, Level.S1} <= levels and Level.L5 not in levels and _adjacent(named, Level.L4, Level.S1):
        notes.append("Numbering unsure: one vertebra fewer than usual, or L5 was missed.")
    return tuple(notes)


def _adjacent(named: tuple[NamedTrack, ...], upper: Level, lower: Level) -> bool:
    return any((a.level, b.level) == (upper, lower) for a, b in pairwise(named))
