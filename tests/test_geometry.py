"""Pixel to millimetre and back, for any orientation, oblique too."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from spine_fracture.errors import InputError
from spine_fracture.geometry import PatientBox, PixelBox, VolumeFrame

angles = st.floats(-180, 180)
offsets = st.floats(-500, 500)
spacings = st.floats(0.2, 8.0)


@st.composite
def frames(draw: st.DrawFn) -> VolumeFrame:
    """A stack of 5 slices of 40 x 30 pixels, turned and placed anyhow, slices leaning up to 20 degrees."""
    turn = Rotation.from_euler("xyz", [draw(angles) for _ in range(3)], degrees=True).as_matrix()
    lean = Rotation.from_euler("x", draw(st.floats(-20, 20)), degrees=True).as_matrix()
    direction = turn @ lean[:, 2] * draw(st.sampled_from([-1.0, 1.0]))
    return VolumeFrame.from_dicom(
        [draw(offsets) for _ in range(3)],
        [*turn[:, 0], *turn[:, 1]],
        [draw(spacings), draw(spacings)],
        direction * draw(spacings),
        (5, 40, 30),
    )


@st.composite
def boxes(draw: st.DrawFn) -> PixelBox:
    x0, y0 = draw(st.floats(-5, 25)), draw(st.floats(-5, 35))
    return PixelBox(x0, y0, x0 + draw(st.floats(0.5, 20)), y0 + draw(st.floats(0.5, 20)))


@given(frames(), st.lists(st.tuples(*[st.floats(-10, 60)] * 3), min_size=1, max_size=8))
def test_voxel_to_patient_and_back_is_the_identity(
    frame: VolumeFrame, voxels: list[tuple[float, ...]]
) -> None:
    np.testing.assert_allclose(frame.to_voxel(frame.to_patient(voxels)), voxels, atol=1e-6)


@given(frames())
def test_nifti_affine_round_trip(frame: VolumeFrame) -> None:
    again = VolumeFrame.from_nifti(frame.to_nifti_affine(), frame.shape)
    np.testing.assert_allclose(again.matrix, frame.matrix, atol=1e-6)


@given(frames(), boxes(), st.integers(0, 4), st.integers(0, 4))
def test_box_survives_the_way_through_space_on_upright_stacks(
    frame: VolumeFrame, box: PixelBox, one: int, other: int
) -> None:
    upright = VolumeFrame(_unsheared(frame), frame.shape)
    first, last = sorted((one, other))
    back, low, high = upright.box_to_pixel(upright.box_to_patient(box, first, last))
    np.testing.assert_allclose(back.as_tuple(), box.as_tuple(), atol=1e-6)
    assert (low, high) == (first, last)


def _unsheared(frame: VolumeFrame) -> np.ndarray:
    matrix = frame.matrix.copy()
    matrix[:3, 2] = frame.axes[:, 2] * frame.spacing[2]
    return matrix


def test_first_pixel_centre_is_the_dicom_position() -> None:
    frame = VolumeFrame.from_dicom([10, 20, 30], [0, 1, 0, 0, 0, -1], [2.0, 0.5], [4, 0, 0], (3, 8, 6))
    np.testing.assert_allclose(frame.to_patient([0.5, 0.5, 0.5]), [[10, 20, 30]])
    # One column further is posterior by the column spacing, one row further is footwards by the row spacing.
    np.testing.assert_allclose(frame.to_patient([1.5, 0.5, 0.5]), [[10, 20.5, 30]])
    np.testing.assert_allclose(frame.to_patient([0.5, 1.5, 0.5]), [[10, 20, 28]])
    np.testing.assert_allclose(frame.spacing, (0.5, 2.0, 4.0))


def test_ras_nifti_origin_becomes_lps() -> None:
    affine = np.diag([2.0, 3.0, 4.0, 1.0])
    affine[:3, 3] = [7, 8, 9]
    frame = VolumeFrame.from_nifti(affine, (4, 5, 6))
    np.testing.assert_allclose(frame.to_patient([0.5, 0.5, 0.5]), [[-7, -8, 9]])


@given(boxes(), boxes())
def test_iou_is_symmetric_and_bounded(one: PixelBox, other: PixelBox) -> None:
    assert one.iou(other) == pytest.approx(other.iou(one))
    assert 0 <= one.iou(other) <= 1
    assert one.iou(one) == pytest.approx(1)


@pytest.mark.parametrize(
    "numbers", [(0, 0, 0, 5), (3, 0, 1, 5), (0, 0, float("nan"), 5), (0, 0, float("inf"), 5)]
)
def test_a_box_without_area_is_refused(numbers: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match="box needs"):
        PixelBox(*numbers)


def test_a_box_outside_the_picture_is_refused() -> None:
    with pytest.raises(InputError, match="outside the picture"):
        PixelBox(50, 50, 60, 60).inside(40, 40)
    assert PixelBox(-5, 10, 60, 20).inside(30, 40) == PixelBox(0, 10, 40, 20)


def test_degenerate_frames_and_boxes_in_space_are_refused() -> None:
    with pytest.raises(InputError, match="singular"):
        VolumeFrame.from_dicom([0, 0, 0], [1, 0, 0, 0, 1, 0], [1, 1], [0, 0, 0], (1, 4, 4))
    with pytest.raises(InputError, match="orthogonal"):
        PatientBox(np.zeros(3), np.ones(3), np.ones((3, 3)))
    with pytest.raises(InputError, match="positive size"):
        PatientBox(np.zeros(3), np.array([1.0, 0, 1]), np.eye(3))


@given(st.tuples(*[st.floats(-200, 200)] * 3), st.tuples(*[angles] * 3))
def test_slices_between_do_not_count_for_the_distance_in_the_plane(
    away: tuple[float, float, float], turn: tuple[float, float, float]
) -> None:
    axes = Rotation.from_euler("xyz", turn, degrees=True).as_matrix()
    box = PatientBox(np.array([5.0, -7, 3]), np.ones(3), axes)
    assert box.in_plane_mm(box.centre + axes @ away) == pytest.approx(np.hypot(*away[:2]), abs=1e-9)


def test_square_holds_the_box() -> None:
    square = PixelBox(10, 10, 20, 40).square(1.2)
    assert square.as_tuple() == pytest.approx((-3, 7, 33, 43))
