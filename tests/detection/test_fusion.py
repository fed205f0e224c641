"""Candidates of slices become vertebrae: through missing slices, sideways curves, and false boxes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spine_fracture.detection.candidates import Candidate
from spine_fracture.detection.fusion import fuse_slices
from spine_fracture.geometry import PixelBox


def body(slice_index, x=50.0, y=50.0, score=0.9, abnormal=0.0):
    return Candidate(slice_index, PixelBox(x, y, x + 40, y + 30), score, abnormal, 0.0, 0.0)


@given(st.sets(st.integers(0, 8), min_size=2), st.permutations(range(5)))
def test_every_body_is_one_track_whatever_the_order(slices, order):
    slices = {s for s in slices if any(0 < abs(s - other) <= 2 for other in slices)} or {0}
    candidates = [body(s, y=60.0 * k) for k in order for s in slices]
    tracks = fuse_slices(candidates)
    centres = [t.centre[1] for t in tracks]
    assert centres == sorted(centres)
    assert sum(len(t.candidates) for t in tracks) == len(candidates)
    for track in tracks:
        indices = [c.slice_index for c in track.candidates]
        assert indices == sorted(set(indices))


def test_a_slice_where_the_body_was_missed_is_stepped_over():
    tracks = fuse_slices([body(s) for s in (0, 1, 3, 4)])
    assert [[c.slice_index for c in t.candidates] for t in tracks] == [[0, 1, 3, 4]]


def test_two_parts_of_a_body_with_a_long_gap_are_one():
    tracks = fuse_slices([body(s, x=50 + (s > 5) * 8) for s in (0, 1, 2, 9, 10, 11)])
    assert [len(t.candidates) for t in tracks] == [6]


def test_a_body_that_wanders_sideways_is_followed():
    tracks = fuse_slices([body(s, x=50 + 8 * s) for s in range(8)])
    assert len(tracks) == 1


def test_neighbours_are_not_joined_and_one_slice_gives_one_box():
    tracks = fuse_slices([body(0), body(0, y=95), body(1), body(1, y=95)])
    assert [len(t.candidates) for t in tracks] == [2, 2]


def test_a_box_on_one_slice_of_many_counts_for_little():
    stack = [body(s) for s in range(7)]
    tracks = fuse_slices([*stack, body(3, x=200, score=0.9)])
    stray = next(t for t in tracks if len(t.candidates) == 1)
    assert stray.score < 0.35
    assert fuse_slices([body(0)])[0].score == 0.9  # a single picture is all there is


def test_abnormality_is_a_share():
    (track,) = fuse_slices([body(s, score=0.2, abnormal=0.6) for s in range(3)])
    assert track.abnormal == pytest.approx(0.75)


def test_no_candidates_give_no_tracks():
    assert fuse_slices([]) == ()
