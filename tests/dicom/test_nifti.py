"""NIfTI of any axis order becomes a sagittal volume in display order; bad files say why."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_series import frame, volume
from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform

from spine_fracture.dicom.nifti import read_nifti, write_nifti
from spine_fracture.dicom.write import assume_spacing
from spine_fracture.errors import InputError, UnreadablePictureError
from spine_fracture.imaging import Plane, Sequence, SpacingOrigin

DISPLAY = np.array([[0.0, 0.0, -1.0], [1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])


def saved(path: Path, array: np.ndarray, affine: np.ndarray | None = None) -> Path:
    nib.save(nib.Nifti1Image(array, np.diag([4.0, 1, 1, 1]) if affine is None else affine), path)
    return path


@settings(max_examples=48, deadline=None)
@given(
    codes=st.permutations(["RL", "AP", "SI"]).flatmap(
        lambda axes: st.tuples(*[st.sampled_from(a) for a in axes])
    ),
    coarse=st.sampled_from([1.0, 4.0]),
)
def test_every_axis_order_gives_one_volume(
    tmp_path_factory: pytest.TempPathFactory, codes: tuple[str, str, str], coarse: float
) -> None:
    folder = tmp_path_factory.mktemp("nifti")
    array = np.random.default_rng(1).normal(size=(4, 9, 7)).astype(np.float32)
    affine = np.diag([coarse, 1.0, 1.1, 1.0])
    affine[:3, 3] = [-3, 20, 5]
    ras = nib.Nifti1Image(array, affine)
    turned = ras.as_reoriented(ornt_transform(io_orientation(affine), axcodes2ornt(codes)))
    nib.save(turned, folder / "turned.nii")
    read = read_nifti(folder / "turned.nii")
    assert read.plane is Plane.SAGITTAL
    np.testing.assert_allclose(np.diag(read.frame.axes.T @ DISPLAY), 1)
    # Slices run left to right, rows head to foot, columns front to back: RAS the other way round.
    np.testing.assert_array_equal(read.pixels, array[:, ::-1, ::-1].transpose(0, 2, 1)[::1])
    point = read.frame.to_patient([[0.5, 0.5, 0.5]])[0] * [-1, -1, 1]
    np.testing.assert_allclose(point, nib.affines.apply_affine(affine, [0, 8, 6]), atol=1e-5)


def test_thick_axial_slices_stay_axial(tmp_path: Path) -> None:
    read = read_nifti(saved(tmp_path / "a.nii", np.ones((8, 9, 3)), np.diag([0.6, 0.6, 4.0, 1.0])))
    assert read.plane is Plane.AXIAL
    assert len(read.pixels) == 3


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_a_volume_comes_back_as_it_was(tmp_path: Path, name: str) -> None:
    made = volume()
    write_nifti(made, tmp_path / name)
    read = read_nifti(tmp_path / name, Sequence.T2)
    np.testing.assert_array_equal(read.pixels, made.pixels)
    np.testing.assert_allclose(read.frame.matrix, made.frame.matrix, atol=1e-4)
    assert (read.sequence, read.spacing_origin) == (Sequence.T2, SpacingOrigin.MEASURED)
    assert read_nifti(tmp_path / name).series_uid == read.series_uid


def test_assumed_millimetres_stay_assumed_and_unknown_ones_are_not_written(tmp_path: Path) -> None:
    counted = volume(where=frame((5, 40, 32), spacing=(1, 1, 1)), spacing_origin=SpacingOrigin.UNKNOWN)
    write_nifti(assume_spacing(counted, (0.7, 0.7, 4)), tmp_path / "a.nii")
    assert read_nifti(tmp_path / "a.nii").spacing_origin is SpacingOrigin.ASSUMED
    with pytest.raises(InputError, match="millimetres"):
        write_nifti(counted, tmp_path / "b.nii")


def test_bad_files_say_why(tmp_path: Path) -> None:
    array = np.ones((4, 9, 7), dtype=np.float32)
    array[1, 2, 3] = np.nan
    with pytest.raises(UnreadablePictureError, match="NaN"):
        read_nifti(saved(tmp_path / "nan.nii", array))
    with pytest.raises(UnreadablePictureError, match="three dimensions"):
        read_nifti(saved(tmp_path / "4d.nii", np.ones((4, 9, 7, 2))))
    assert read_nifti(saved(tmp_path / "flat4d.nii", np.ones((4, 9, 7, 1)))).pixels.shape == (4, 7, 9)
    image = nib.Nifti1Image(np.ones((4, 9, 7)), None)
    nib.save(image, tmp_path / "lost.nii")
    with pytest.raises(UnreadablePictureError, match="no orientation"):
        read_nifti(tmp_path / "lost.nii")
    whole = saved(tmp_path / "cut.nii.gz", np.random.default_rng(0).normal(size=(9, 9, 9)))
    whole.write_bytes(whole.read_bytes()[:-200])
    with pytest.raises(UnreadablePictureError, match="cut short"):
        read_nifti(whole)
    (tmp_path / "text.nii").write_text("not a picture")
    with pytest.raises(UnreadablePictureError, match="NIfTI"):
        read_nifti(tmp_path / "text.nii")
    with pytest.raises(InputError, match="no file"):
        read_nifti(tmp_path / "nowhere.nii")


def test_real_volumes_of_all_orientations_are_sagittal_in_display_order(real_data: Path) -> None:
    files = sorted((real_data / "volumes").glob("*.nii.gz"))
    assert {"".join(nib.aff2axcodes(nib.load(f).affine)) for f in files} >= {"RAS", "PSR", "PIR"}
    for file in files:
        read = read_nifti(file)
        assert read.plane is Plane.SAGITTAL
        assert (np.diag(read.frame.axes.T @ DISPLAY) > 0.9).all()
        image = nib.load(file)
        index = np.argwhere(np.asarray(image.dataobj) == np.asarray(image.dataobj).max())[:1]
        x, y, z = np.floor(
            read.frame.to_voxel(nib.affines.apply_affine(image.affine, index) * [-1, -1, 1]) + 1e-4
        ).astype(int)[0]
        assert read.pixels[z, y, x] == read.pixels.max()


def test_the_real_lumbar_volume_shows_the_back_on_the_right(real_data: Path) -> None:
    read = read_nifti(real_data / "volumes" / "sct_tutorial_t2_lumbar.nii.gz")
    middle = read.pixels[len(read.pixels) // 2]
    # The belly is air and noise; fluid in the canal and fat of the back are bright on T2.
    assert middle[:, middle.shape[1] // 2 :].mean() > 1.5 * middle[:, : middle.shape[1] // 2].mean()
