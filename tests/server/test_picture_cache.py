"""Series as Slicer loads them: as shown, or with their voxels as in the files."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import httpx
import nibabel as nib
import numpy as np
import pytest
from pydicom import dcmread
from server.made_desk import TRAIN, mirrored_desk
from server.running import RunningServer, running
from server.studies import QuickPipeline, image_id, volume

from spine_fracture.cohort.ingest import ingest
from spine_fracture.cohort.project import open_project
from spine_fracture.dicom.nifti import write_nifti
from spine_fracture.imaging import Sequence

T2 = image_id(TRAIN)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    """Its pictures' columns run from back to front, and are turned for reading."""
    mirrored_desk(tmp_path).project.engine.dispose()
    with running(tmp_path / "home", None, QuickPipeline()) as found:
        yield found


def fetched(server: RunningServer, image: str, **query: str) -> nib.Nifti1Image:
    found = httpx.get(f"{server.url}/datastore/image", params={"image": image, **query}, timeout=60)
    return nib.Nifti1Image.from_bytes(gzip.decompress(found.raise_for_status().content))


def test_a_picture_as_stored_has_the_pixels_of_its_files(server: RunningServer, tmp_path: Path) -> None:
    """Also where the picture as shown, which older versions kept under its UID alone, is in the cache."""
    shown, stored = fetched(server, T2), fetched(server, T2, stored="true")
    study = server.room.catalogue.find(T2)
    pixels = np.asanyarray(stored.dataobj)
    turned = server.room.catalogue.picture(study)
    files = {ds.SOPInstanceUID: ds for ds in map(dcmread, (tmp_path / "pictures").rglob("*.dcm"))}
    for index, uid in enumerate(turned.slice_uids):
        assert np.array_equal(pixels[..., index].T, files[uid].pixel_array)
        corner = np.array(files[uid].ImagePositionPatient, dtype=float) * [-1, -1, 1]
        assert np.allclose(nib.affines.apply_affine(stored.affine, [0, 0, index]), corner, atol=1e-3)
    assert np.array_equal(np.asanyarray(shown.dataobj), turned.pixels.T)
    assert np.array_equal(pixels[::-1], turned.pixels.T)


def test_a_picture_that_is_no_dicom_is_stored_as_it_is_shown(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for sequence in (Sequence.T1, Sequence.T2):
        write_nifti(volume(TRAIN, sequence), folder / f"sub-01_{sequence}.nii.gz")
    project = open_project(tmp_path / "home")
    ingest(folder, "Test centre", project)
    project.engine.dispose()
    with running(tmp_path / "home", None, QuickPipeline()) as server:
        (image,) = server.room.catalogue.images()
        shown, stored = fetched(server, image), fetched(server, image, stored="true")
    assert np.array_equal(np.asanyarray(stored.dataobj), np.asanyarray(shown.dataobj))
    assert np.array_equal(stored.affine, shown.affine)
