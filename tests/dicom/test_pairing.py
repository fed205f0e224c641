"""T1 on T2's grid, by geometry and then by the pictures."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_series import AXIAL, frame, volume
from scipy import ndimage

from spine_fracture.dicom.alignment import measure, refine
from spine_fracture.dicom.pairing import RESIDUAL_LIMIT_PX, pair, scaled
from spine_fracture.dicom.pictures import read_picture
from spine_fracture.errors import InputError, OffDomainError
from spine_fracture.geometry import VolumeFrame
from spine_fracture.imaging import Pixels, Plane, Sequence, SpacingOrigin, Volume

SHAPE = (5, 128, 112)


@lru_cache
def both() -> tuple[Volume, Volume]:
    return (
        volume(SHAPE, sequence=Sequence.T1, where=frame(SHAPE)),
        volume(SHAPE, sequence=Sequence.T2, where=frame(SHAPE)),
    )


def moved(made: Volume, rows: float, columns: float) -> Volume:
    """The patient lies lower and further back in the picture by so many pixels."""
    return replace(made, pixels=ndimage.shift(made.pixels, (0, rows, columns), order=1, mode="nearest"))


def test_equal_grids_are_taken_as_they_are() -> None:
    t1, t2 = both()
    stack = pair(t1, t2)
    np.testing.assert_array_equal(stack.pixels[:, 0], scaled(t1.pixels))
    np.testing.assert_array_equal(stack.pixels[:, 1], scaled(t2.pixels))
    assert stack.reference is t2 and stack.other is t1
    assert not stack.registered and stack.t1_shift_px == (0, 0)
    assert stack.residual_px is not None and stack.residual_px < 0.3


@pytest.mark.parametrize("present", [Sequence.T1, Sequence.T2])
def test_a_missing_sequence_is_zeros(present: Sequence) -> None:
    t1, t2 = both()
    stack = pair(t1, None) if present is Sequence.T1 else pair(None, t2)
    channel = 0 if present is Sequence.T1 else 1
    assert stack.pixels[:, channel].max() == 1 and not stack.pixels[:, 1 - channel].any()
    assert (stack.has_t1, stack.has_t2) == (channel == 0, channel == 1)
    assert stack.residual_px is None and stack.other is None


@settings(max_examples=15, deadline=None)
@given(
    spacing=st.tuples(st.floats(0.6, 1.2), st.floats(0.6, 1.2)),
    away=st.tuples(st.floats(-2, 2), st.floats(-6, 6), st.floats(-6, 6)),
)
def test_t1_of_another_grid_is_resampled_in_the_patient(
    spacing: tuple[float, float], away: tuple[float, float, float]
) -> None:
    _, t2 = both()
    origin = (25.0 + away[0], -60.0 + away[1], 90.0 + away[2])
    where = frame((6, 140, 130), spacing=(*spacing, 4.0), origin=origin)
    t1 = replace(t2, pixels=ramp(where), frame=where, sequence=Sequence.T1, slice_uids=())
    stack = pair(t1, t2)
    # The T1 is a ramp in millimetres, so its samples say where in the patient they were taken.
    inside = stack.pixels[1:4, 0, 20:-30, 20:-30]
    expected = ramp(t2.frame)[1:4, 20:-30, 20:-30]
    covered = (inside > 0.02) & (inside < 0.98)
    assert covered.mean() > 0.5
    slope, offset = np.polyfit(expected[covered], inside[covered], 1)
    np.testing.assert_allclose(inside[covered], slope * expected[covered] + offset, atol=2e-3)
    low, high = np.percentile(t1.pixels[:, ::4, ::4], (0.5, 99.5))
    np.testing.assert_allclose((slope, offset), (1 / (high - low), -low / (high - low)), rtol=0.02)


def ramp(where: VolumeFrame) -> Pixels:
    index = np.indices(where.shape).reshape(3, -1).T[:, ::-1] + 0.5
    return (where.to_patient(index) @ [1.0, 2.0, 3.0]).reshape(where.shape).astype(np.float32)


def test_a_stack_turned_in_the_patient_is_resampled_too() -> None:
    t1, t2 = both()
    angle = np.radians(4)
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    centre = t1.frame.to_patient([[56, 64, 2.5]])[0]
    matrix = t1.frame.matrix.copy()
    matrix[:3, :3] = turn @ matrix[:3, :3]
    matrix[:3, 3] = centre - matrix[:3, :3] @ [56, 64, 2.5]
    where = VolumeFrame(matrix, SHAPE)
    # What a scanner turned by 4 degrees would have seen.
    at = t1.frame.to_voxel(where.to_patient(np.indices(SHAPE).reshape(3, -1).T[:, ::-1] + 0.5)) - 0.5
    turned = ndimage.map_coordinates(t1.pixels, at[:, ::-1].T, order=1, mode="nearest").reshape(SHAPE)
    stack = pair(replace(t1, pixels=turned.astype(np.float32), frame=where), t2)
    straight = pair(t1, t2)
    difference = np.abs(stack.pixels[:, 0] - straight.pixels[:, 0])[:, 30:-30, 30:-30]
    assert difference.mean() < 0.02
    assert not stack.registered


@pytest.mark.parametrize("shift", [(9.0, -6.5), (-14.0, 0.0), (0.0, 20.0)])
def test_a_pair_that_disagrees_is_found_and_registered(shift: tuple[float, float]) -> None:
    t1, t2 = both()
    stack = pair(moved(t1, *shift), t2)
    assert stack.residual_px == pytest.approx(np.hypot(*shift), abs=0.7)
    assert stack.registered
    np.testing.assert_allclose(stack.t1_shift_px, (-shift[1], -shift[0]), atol=0.7)
    assert measure(stack.pixels[:, 0], stack.pixels[:, 1]).residual_px < 1


def test_a_pair_is_registered_where_t1_ends_before_the_middle_slice() -> None:
    t1, t2 = both()
    lower = moved(t1, 9.0, -6.5)
    beside = frame((2, *SHAPE[1:]), origin=(25 + 0.04, -60, 90))
    left = replace(lower, pixels=lower.pixels[:2], frame=beside, series_uid="1.2")
    stack = pair(left, t2)
    assert [bool(slice_.any()) for slice_ in stack.pixels[:, 0]] == [True, True, False, False, False]
    assert stack.registered
    np.testing.assert_allclose(stack.t1_shift_px, (6.5, -9.0), atol=1.0)


def test_pictures_too_empty_to_be_registered_leave_the_measured_shift() -> None:
    _, t2 = both()
    pixels = scaled(t2.pixels)
    assert refine(np.zeros_like(pixels), pixels, (7.0, -3.0)) == (7.0, -3.0)


def test_a_small_disagreement_is_measured_and_left() -> None:
    t1, t2 = both()
    stack = pair(moved(t1, 2.0, -1.5), t2)
    assert stack.residual_px == pytest.approx(2.5, abs=0.4)
    assert not stack.registered


def test_pictures_with_nothing_in_common_have_no_residual() -> None:
    _, t2 = both()
    foreign = volume(SHAPE, sequence=Sequence.T1, where=frame(SHAPE), name="somebody else")
    stack = pair(foreign, t2)
    assert stack.residual_px is None and not stack.registered and stack.has_t1
    lost = pair(replace(foreign, frame_of_reference_uid="1.2.3"), t2)
    assert not lost.has_t1 and not lost.pixels[:, 0].any() and lost.pixels[:, 1].any()


def test_a_single_slice_meets_its_nearest_neighbour() -> None:
    t1, t2 = both()
    one = frame((1, *SHAPE[1:]), origin=(25 - 2 * 4 - 1.2, -60, 90))
    single = replace(t1, pixels=t1.pixels[2:3], frame=one, series_uid="1.2")
    stack = pair(single, t2)
    assert [bool(slice_.any()) for slice_ in stack.pixels[:, 0]] == [False, False, True, True, False]


def test_what_cannot_be_paired_is_refused() -> None:
    t1, t2 = both()
    with pytest.raises(InputError, match="neither"):
        pair(None, None)
    with pytest.raises(OffDomainError, match="axial"):
        pair(replace(t1, plane=Plane.AXIAL, frame=frame(SHAPE, AXIAL)), t2)
    with pytest.raises(InputError, match="given as T1"):
        pair(t2, t2)
    with pytest.raises(InputError, match="do not overlap"):
        pair(replace(t1, frame=frame(SHAPE, origin=(25, -60, 900))), t2)
    with pytest.raises(InputError, match="unknown"):
        pair(replace(t1, spacing_origin=SpacingOrigin.UNKNOWN), t2)
    assert pair(replace(t1, sequence=Sequence.UNKNOWN), None).has_t1


def test_scaling_keeps_the_range_and_a_blank_series_blank() -> None:
    result = scaled(both()[0].pixels)
    assert result.dtype == np.float32 and result.min() == 0 and result.max() == 1
    assert not scaled(np.full((1, 80, 80), 7, dtype=np.float32)).any()


def test_measuring_takes_a_few_milliseconds() -> None:
    stack = np.random.default_rng(0).random((15, 384, 384), dtype=np.float32)
    taken = []
    for _ in range(5):
        begin = time.perf_counter()
        measure(stack, stack)
        taken.append(time.perf_counter() - begin)
    assert min(taken) < 0.06


def test_real_pairs_out_of_place_are_found_from_the_pictures_and_no_others(real_data: Path) -> None:
    folder = real_data / "lumbar_t1t2"
    flagged = {}
    for patient in json.loads((folder / "manifest.json").read_text()):
        t1, t2 = (read_picture(folder / patient[s]["file"], Sequence(s)) for s in ("T1", "T2"))
        stack = pair(t1, t2)
        assert stack.residual_px is not None, patient["patient"]
        if stack.residual_px > RESIDUAL_LIMIT_PX:
            flagged[patient["patient"]] = stack, patient["t1_t2_shift_px"]
        else:
            assert not stack.registered
    assert flagged.keys() == {"0268", "0075"}
    for stack, (rows, columns) in flagged.values():
        assert stack.registered
        assert np.hypot(stack.t1_shift_px[0] + columns, stack.t1_shift_px[1] + rows) < 1.5
        assert measure(stack.pixels[:, 0], stack.pixels[:, 1]).residual_px < 1
