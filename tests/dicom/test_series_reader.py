"""Series in any orientation and encoding are read right; what is bad says why."""

from __future__ import annotations

import contextlib
import itertools
import random
from dataclasses import replace
from pathlib import Path

import gdcm
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_series import AXIAL, change, enhanced, frame, set_all, volume, written
from pydicom import dcmread
from pydicom.dataset import FileDataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)
from scipy.spatial.transform import Rotation

from spine_fracture.dicom.orientation import plane_of
from spine_fracture.dicom.reader import read_series
from spine_fracture.errors import InputError, OffDomainError, UnreadablePictureError
from spine_fracture.geometry import VolumeFrame
from spine_fracture.imaging import Plane, Sequence

DISPLAY = np.array([[0.0, 0.0, -1.0], [1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])


def some_frame(
    shape: tuple[int, int, int], turn: int, tilt: tuple[float, float, float], flips: int
) -> VolumeFrame:
    """One of the 48 ways to lie along the body's axes, tilted by up to some degrees (right-handed or not)."""
    order = list(itertools.permutations(range(3)))[turn]
    axes = np.eye(3)[:, list(order)] * [1 - 2 * (flips >> i & 1) for i in range(3)]
    return frame(shape, Rotation.from_euler("xyz", tilt, degrees=True).as_matrix() @ axes)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    turn=st.integers(0, 5),
    flips=st.integers(0, 7),
    tilt=st.tuples(*[st.floats(-17, 17)] * 3),
    shuffle=st.randoms(use_true_random=False),
)
def test_a_voxel_stays_where_it_is_in_the_patient(
    tmp_path_factory: pytest.TempPathFactory,
    turn: int,
    flips: int,
    tilt: tuple[float, float, float],
    shuffle: random.Random,
) -> None:
    shape = (3, 8, 6)
    where = some_frame(shape, turn, tilt, flips)
    made = volume(shape, where=where)
    files = list(written(tmp_path_factory.mktemp("series"), made))
    shuffle.shuffle(files)
    read = read_series(files)

    index = np.argwhere(np.ones(shape))
    patient = where.to_patient(index[:, ::-1] + 0.5)
    found = read.frame.to_voxel(patient)
    np.testing.assert_allclose(found, np.floor(found) + 0.5, atol=1e-4)
    x, y, z = np.floor(found).astype(int).T
    np.testing.assert_array_equal(read.pixels[z, y, x], made.pixels[tuple(index.T)])
    assert read.slice_uids[int(z[0])] in {path.stem for path in files}
    if read.plane is Plane.SAGITTAL:
        assert (np.diag(read.frame.axes.T @ DISPLAY) > 0.8).all()


def test_planes_are_named_and_a_strong_tilt_has_none() -> None:
    shape = (3, 8, 6)
    assert plane_of(frame(shape)) is Plane.SAGITTAL
    assert plane_of(frame(shape, AXIAL)) is Plane.AXIAL
    assert plane_of(frame(shape, AXIAL[:, [0, 2, 1]])) is Plane.CORONAL
    assert plane_of(frame(shape, Rotation.from_euler("y", 45, degrees=True).as_matrix())) is Plane.UNKNOWN


def test_slice_uids_follow_their_slices(tmp_path: Path) -> None:
    made = volume()
    files = written(tmp_path, made)
    for index, path in enumerate(files):
        read = read_series(files)
        assert read.slice_uids[index] == path.stem
        np.testing.assert_array_equal(read.pixels[index], dcmread(path).pixel_array)


def test_one_slice_is_a_volume(tmp_path: Path) -> None:
    read = read_series(written(tmp_path)[2:3])
    assert read.pixels.shape == (1, 40, 32)
    np.testing.assert_allclose(read.frame.spacing, (0.7, 0.8, 4.0))


def test_signed_values_stay_negative(tmp_path: Path) -> None:
    files = written(tmp_path)

    def sign(ds: FileDataset) -> None:
        ds.PixelData = (ds.pixel_array.astype(np.int16) - 500).tobytes()
        ds.PixelRepresentation = 1

    for path in files:
        change(path, sign)
    np.testing.assert_array_equal(read_series(files).pixels, volume().pixels - 500)


def test_rescale_and_inverted_grey_are_applied(tmp_path: Path) -> None:
    files = written(tmp_path)
    set_all(files, RescaleSlope="2.5", RescaleIntercept="-10")
    expected = volume().pixels * 2.5 - 10
    np.testing.assert_allclose(read_series(files).pixels, expected)
    set_all(files, PhotometricInterpretation="MONOCHROME1")
    read = read_series(files).pixels
    np.testing.assert_allclose(read, expected.max() + expected.min() - expected, rtol=1e-5)


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4], [3, 0, 4, 1, 2]])
def test_enhanced_mr_is_read_frame_by_frame(tmp_path: Path, order: list[int]) -> None:
    made = volume()
    read = read_series([enhanced(written(tmp_path, made), tmp_path / "enhanced.dcm", order)])
    np.testing.assert_array_equal(read.pixels, made.pixels)
    np.testing.assert_allclose(read.frame.matrix, made.frame.matrix, atol=1e-6)
    assert read.sequence is Sequence.T2
    assert read.acquisition.repetition_time == 3500
    assert read.acquisition.scanning_sequence == ("SE",)


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
)
def test_other_uncompressed_syntaxes_are_read(tmp_path: Path, syntax: UID) -> None:
    files = written(tmp_path)

    def convert(ds: FileDataset) -> None:
        if not syntax.is_little_endian:
            ds.PixelData = ds.pixel_array.astype(">u2").tobytes()
        ds.is_little_endian, ds.is_implicit_VR = syntax.is_little_endian, syntax.is_implicit_VR
        ds.file_meta.TransferSyntaxUID = syntax

    for path in files:
        change(path, convert)
    np.testing.assert_array_equal(read_series(files).pixels, volume().pixels)


SYNTAXES = {
    "JPEG-LS": gdcm.TransferSyntax.JPEGLSLossless,
    "JPEG 2000": gdcm.TransferSyntax.JPEG2000Lossless,
    "JPEG": gdcm.TransferSyntax.JPEGLosslessProcess14_1,
}


def compress(path: Path, name: str) -> None:
    if name == "RLE":
        ds = dcmread(path)
        ds.compress(RLELossless)
        ds.save_as(path)
        return
    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    assert reader.Read()
    change_syntax = gdcm.ImageChangeTransferSyntax()
    change_syntax.SetTransferSyntax(gdcm.TransferSyntax(SYNTAXES[name]))
    change_syntax.SetInput(reader.GetImage())
    assert change_syntax.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(path))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change_syntax.GetOutput())
    assert writer.Write()


@pytest.mark.parametrize("name", ["JPEG-LS", "JPEG 2000", "JPEG", "RLE"])
@pytest.mark.parametrize("frames", ["single", "multi"])
def test_compressed_pictures_are_decoded(tmp_path: Path, name: str, frames: str) -> None:
    made = volume()
    files = written(tmp_path, made)
    if frames == "multi":
        files = (enhanced(files, tmp_path / "enhanced.dcm"),)
    for path in files:
        compress(path, name)
        assert dcmread(path).file_meta.TransferSyntaxUID.is_compressed
    np.testing.assert_array_equal(read_series(files).pixels, made.pixels)


def cut_header(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:400])


def cut_pixels(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def drop_pixels(path: Path) -> None:
    change(path, lambda ds: ds.__delattr__("PixelData"))


def no_dicom(path: Path) -> None:
    path.write_text("not a picture")


def blank(path: Path) -> None:
    change(path, lambda ds: setattr(ds, "PixelData", bytes(len(ds.PixelData))))


BAD_FILES = {
    "truncated header": (cut_header, "damaged or cut short"),
    "truncated pixels": (cut_pixels, "truncated"),
    "no pixel data": (drop_pixels, "no pixel data"),
    "not DICOM": (no_dicom, "not a DICOM file"),
    "no position": (
        lambda p: change(p, lambda ds: ds.__delattr__("ImagePositionPatient")),
        "no usable position",
    ),
    "no spacing": (lambda p: change(p, lambda ds: setattr(ds, "PixelSpacing", [0, 0])), "pixel spacing"),
    "a document": (lambda p: change(p, lambda ds: ds.__delattr__("Rows")), "no picture"),
    "colour": (lambda p: change(p, lambda ds: setattr(ds, "SamplesPerPixel", 3)), "colour"),
    "one bit": (lambda p: change(p, lambda ds: setattr(ds, "BitsAllocated", 1)), "bits"),
    "missing file": (Path.unlink, "cannot be opened"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_file_is_named_with_what_is_wrong(tmp_path: Path, case: str) -> None:
    files = written(tmp_path)
    spoil, reason = BAD_FILES[case]
    spoil(files[2])
    with pytest.raises(UnreadablePictureError, match=reason) as caught:
        read_series(files)
    assert files[2].name in str(caught.value)


@pytest.fixture(scope="module")
def small_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("small"), volume((1, 8, 8)))[0]


def test_a_file_cut_anywhere_is_an_error_of_ours(tmp_path: Path) -> None:
    whole = written(tmp_path)[0].read_bytes()
    target = tmp_path / "cut.dcm"
    for length in [*range(0, 1500, 13), *range(1500, len(whole), 200), len(whole) - 1]:
        target.write_bytes(whole[:length])
        with pytest.raises(InputError):
            read_series([target])


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_file_with_changed_bytes_is_read_or_refused(small_file: Path, data: st.DataObject) -> None:
    path = small_file.with_name("changed.dcm")
    content = bytearray(small_file.read_bytes())
    for at in data.draw(st.lists(st.integers(132, len(content) - 1), min_size=1, max_size=4)):
        content[at] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    with contextlib.suppress(InputError):
        assert np.isfinite(read_series([path]).pixels).all()


def test_damaged_compression_is_an_error_and_not_noise(tmp_path: Path) -> None:
    files = written(tmp_path, volume((1, 200, 200)))
    compress(files[0], "JPEG-LS")
    data = files[0].read_bytes()
    files[0].write_bytes(data[: len(data) // 2])
    with pytest.raises(UnreadablePictureError, match=r"decoded|cut short"):
        read_series(files)


def test_blank_pictures_are_refused(tmp_path: Path) -> None:
    files = written(tmp_path)
    for path in files:
        blank(path)
    with pytest.raises(UnreadablePictureError, match="blank"):
        read_series(files)


@pytest.mark.parametrize("modality", ["CT", "CR", "DX", "PT"])
def test_other_modalities_are_off_domain(tmp_path: Path, modality: str) -> None:
    files = written(tmp_path)
    set_all(files, Modality=modality)
    with pytest.raises(OffDomainError, match=f"{modality}, not MR"):
        read_series(files)


@pytest.mark.parametrize("part", ["HEAD", "KNEE", "brain"])
def test_other_body_parts_are_off_domain(tmp_path: Path, part: str) -> None:
    files = written(tmp_path)
    set_all(files, BodyPartExamined=part)
    with pytest.raises(OffDomainError, match="another part of the body"):
        read_series(files)


def test_a_localiser_of_three_planes_is_refused(tmp_path: Path) -> None:
    shape = (1, 20, 20)
    planes = [frame(shape), frame(shape, AXIAL), frame(shape, AXIAL[:, [0, 2, 1]])]
    files = [
        path
        for index, where in enumerate(planes)
        for path in written(tmp_path, replace(volume(shape, where=where), slice_uids=(f"1.2.{index}",)))
    ]
    with pytest.raises(UnreadablePictureError, match="different orientations"):
        read_series(files)


def test_slices_at_one_position_are_refused(tmp_path: Path) -> None:
    files = written(tmp_path)
    second_echo = replace(volume(), slice_uids=tuple(f"1.2.{i}" for i in range(5)))
    with pytest.raises(UnreadablePictureError, match="same position"):
        read_series(files + written(tmp_path, second_echo))


def test_a_missing_slice_is_noticed(tmp_path: Path) -> None:
    files = written(tmp_path)
    with pytest.raises(UnreadablePictureError, match="uneven"):
        read_series(files[:2] + files[3:])


def test_rounded_positions_pass_as_even(tmp_path: Path) -> None:
    files = written(tmp_path)

    def nudge(ds: FileDataset) -> None:
        ds.ImagePositionPatient = [
            float(v) + 0.05 * (-1) ** int(ds.InstanceNumber) for v in ds.ImagePositionPatient
        ]

    for path in files:
        change(path, nudge)
    assert len(read_series(files).pixels) == 5


def test_slices_of_two_matrices_or_two_series_are_refused(tmp_path: Path) -> None:
    files = written(tmp_path)
    wide = written(tmp_path, replace(volume((1, 40, 36)), slice_uids=("1.2.3",)))
    with pytest.raises(UnreadablePictureError, match="differ in matrix"):
        read_series(files + wide)
    with pytest.raises(UnreadablePictureError, match="several series"):
        read_series(files + written(tmp_path, volume(name="other")))
    with pytest.raises(UnreadablePictureError, match="no slices"):
        read_series([])
