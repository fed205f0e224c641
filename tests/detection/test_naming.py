"""The decoder on synthetic spines: missing bodies, false boxes, anchors, supernumerary vertebrae."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spine_fracture.anatomy import Level, spine, usual_levels
from spine_fracture.detection.candidates import Candidate
from spine_fracture.detection.fusion import Track
from spine_fracture.detection.naming import name_tracks
from spine_fracture.geometry import PixelBox


def column(levels, score=0.88, jitter=0.0, seed=0):
    """Tracks of a spine that curves, bodies growing towards the sacrum; S1 sits closer and aslant."""
    rng = np.random.default_rng(seed)
    tracks, x, y = {}, 100.0, 20.0
    for level in levels:
        size = 14 + 1.2 * level.order
        pitch = size * (0.95 if level is Level.S1 else 1.15) * (1 + jitter * rng.uniform(-1, 1))
        lean = np.radians(35 if level is Level.S1 else 12 * np.sin(level.order / 4))
        x, y = x + pitch * np.sin(lean), y + pitch * np.cos(lean)
        tracks[level] = track(x, y, size, level, score)
    return tracks


def track(x, y, size, level, score):
    kinds = {Level.S1: (0.02, 0.0, score, 0.0), Level.C2: (0.02, 0.0, 0.0, score)}
    box = PixelBox(x - size / 2, y - size * 0.45, x + size / 2, y + size * 0.45)
    return Track((Candidate(0, box, *kinds.get(level, (score, 0.05, 0.0, 0.0))),), 1)


def names(naming):
    return [n.level for n in naming.levels]


LUMBAR = [level for level in usual_levels() if level.order >= Level.T11.order]


@settings(max_examples=40, deadline=None)
@given(
    top=st.integers(1, 18),
    jitter=st.floats(0, 0.1),
    missing=st.sets(st.integers(0, 22), max_size=2),
    seed=st.integers(0, 50),
)
def test_a_spine_with_sacrum_is_named_from_below_whatever_is_missing(top, jitter, missing, seed):
    levels = [level for level in usual_levels() if level.order >= top]
    tracks = column(levels, jitter=jitter, seed=seed)
    inner = levels[1:-1]
    gone = {inner[m % len(inner)] for m in missing}
    # One body in a row may be missing; two neighbours at once are another test.
    if any(abs(levels.index(a) - levels.index(b)) == 1 for a in gone for b in gone):
        gone = set(list(gone)[:1])
    kept = {level: t for level, t in tracks.items() if level not in gone}
    naming = name_tracks(list(kept.values()))
    assert names(naming) == list(kept)


@settings(max_examples=30, deadline=None)
@given(beside=st.lists(st.tuples(st.integers(0, 7), st.floats(60, 120), st.floats(0.06, 0.4)), max_size=4))
def test_false_boxes_beside_the_spine_are_dropped(beside):
    tracks = column(LUMBAR)
    chain = list(tracks.values())
    false = [
        track(chain[at].centre[0] + offset, chain[at].centre[1] + 7, 30, Level.L3, score)
        for at, offset, score in beside
    ]
    naming = name_tracks(chain + false)
    assert names(naming) == LUMBAR
    assert [n.track for n in naming.levels] == chain


def test_order_of_the_tracks_does_not_matter():
    tracks = list(column(LUMBAR).values())
    assert names(name_tracks(tracks[::-1])) == LUMBAR


def test_a_clear_lumbar_spine_is_sure():
    naming = name_tracks(list(column(LUMBAR).values()))
    assert naming.sure
    assert all(n.sure for n in naming.levels)
    assert naming.notes == ()


def test_a_cervical_spine_is_named_from_c2():
    levels = [level for level in usual_levels() if Level.C2.order <= level.order <= Level.T3.order]
    naming = name_tracks(list(column(levels).values()))
    assert names(naming) == levels
    assert naming.sure


def test_a_second_sacral_segment_is_not_counted():
    tracks = column(LUMBAR)
    x, y = tracks[Level.S1].centre
    below = Track((Candidate(0, PixelBox(x + 15, y + 15, x + 50, y + 45), 0.0, 0.0, 0.25, 0.0),), 1)
    assert names(name_tracks([*tracks.values(), below])) == LUMBAR


@pytest.mark.parametrize("extra", [{"six_lumbar": True}, {"thirteen_thoracic": True}])
def test_one_body_too_many_between_both_anchors_is_said_aloud(extra):
    levels = [level for level in spine(**extra) if level is not Level.C1]
    naming = name_tracks(list(column(levels).values()))
    assert len(naming.levels) == len(levels)
    assert {Level.L6, Level.T13} & set(names(naming))
    assert names(naming)[0] is Level.C2
    assert names(naming)[-1] is Level.S1
    assert not naming.sure
    assert "supernumerary" in " ".join(naming.notes)


def test_one_body_too_few_between_both_anchors_is_said_aloud():
    levels = [level for level in usual_levels() if level not in (Level.C1, Level.L5)]
    tracks = column(levels)
    naming = name_tracks(list(tracks.values()))
    assert names(naming)[0] is Level.C2
    assert names(naming)[-1] is Level.S1
    assert not naming.sure


def test_without_anchor_the_names_are_guesses_and_said_to_be():
    levels = LUMBAR[:-1]
    naming = name_tracks(list(column(levels).values()))
    assert names(naming) == levels  # the lowest body is guessed to be L5
    assert not naming.sure
    assert not any(n.sure for n in naming.levels)
    assert "neither the sacrum nor C2" in naming.notes[0]


def test_a_doubtful_sacrum_makes_the_count_unsure():
    tracks = column(LUMBAR)
    x, y = tracks[Level.S1].centre
    doubtful = Track((Candidate(0, PixelBox(x - 20, y - 18, x + 20, y + 18), 0.35, 0.0, 0.4, 0.0),), 1)
    naming = name_tracks([*(t for level, t in tracks.items() if level is not Level.S1), doubtful])
    assert not naming.sure


def test_no_tracks_are_no_spine():
    naming = name_tracks([])
    assert naming.levels == ()
    assert not naming.sure
