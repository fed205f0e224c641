"""Volumes written as DICOM come back as they were, and the files are valid MR images."""

from __future__ import annotations

import resource
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from made_series import PATIENT, frame, volume, written
from pydicom import dcmread
from pydicom.uid import MRImageStorage

from spine_fracture.dicom.reader import read_series
from spine_fracture.dicom.write import PatientTags, assume_spacing, uid_from, write_series
from spine_fracture.errors import InputError, StorageError
from spine_fracture.imaging import Sequence, SpacingOrigin

#: Types 1 and 2 of the MR Image IOD, PS3.3 table A.4-1, for an image without cardiac gating or contrast.
REQUIRED = """PatientName PatientID PatientBirthDate PatientSex StudyInstanceUID StudyDate StudyTime
StudyID AccessionNumber ReferringPhysicianName Modality SeriesInstanceUID SeriesNumber FrameOfReferenceUID
PositionReferenceIndicator Manufacturer InstanceNumber PixelSpacing ImageOrientationPatient
ImagePositionPatient SliceThickness SamplesPerPixel PhotometricInterpretation Rows Columns BitsAllocated
BitsStored HighBit PixelRepresentation PixelData ImageType ScanningSequence SequenceVariant ScanOptions
MRAcquisitionType RepetitionTime EchoTime EchoTrainLength SOPClassUID SOPInstanceUID""".split()  # noqa: SIM905


@pytest.mark.parametrize("sequence", [Sequence.T1, Sequence.T2])
def test_a_series_comes_back_as_it_was(tmp_path: Path, sequence: Sequence) -> None:
    made = volume(sequence=sequence)
    read = read_series(written(tmp_path, made)[::-1])
    np.testing.assert_array_equal(read.pixels, made.pixels)
    np.testing.assert_allclose(read.frame.matrix, made.frame.matrix, atol=1e-6)
    assert (read.series_uid, read.sequence, read.plane) == (made.series_uid, sequence, made.plane)
    assert read.spacing_origin is SpacingOrigin.MEASURED
    assert read.frame_of_reference_uid == made.frame_of_reference_uid
    assert read.acquisition.description == f"sag {sequence}"
    assert read.slice_uids == tuple(path.stem for path in written(tmp_path, made))


def test_the_files_hold_what_an_mr_image_must(tmp_path: Path) -> None:
    tags = PatientTags("key-1", PATIENT.study_uid, date(2024, 5, 17))
    for path in write_series(volume(), tags, tmp_path):
        ds = dcmread(path)
        assert [name for name in REQUIRED if name not in ds] == []
        assert ds.SOPClassUID == ds.file_meta.MediaStorageSOPClassUID == MRImageStorage
        assert ds.SOPInstanceUID == ds.file_meta.MediaStorageSOPInstanceUID
        assert (ds.BitsAllocated, ds.PixelRepresentation, ds.StudyDate) == (16, 0, "20240517")
        assert ds.PatientName == ds.PatientID == "key-1"


def test_real_numbers_and_negative_ones_survive_within_a_step(tmp_path: Path) -> None:
    made = volume()
    made = replace(made, pixels=(made.pixels / 7 - 40).astype(np.float32))
    read = read_series(written(tmp_path, made))
    np.testing.assert_allclose(read.pixels, made.pixels, atol=np.ptp(made.pixels) / 65535)


def test_doing_it_again_gives_the_same_files(tmp_path: Path) -> None:
    first = [path.read_bytes() for path in written(tmp_path)]
    assert [path.read_bytes() for path in written(tmp_path)] == first
    assert uid_from("a", 1) == uid_from("a", 1) != uid_from("a1")


def test_assumed_millimetres_stay_assumed(tmp_path: Path) -> None:
    counted = volume(where=frame((5, 40, 32), spacing=(1, 1, 1)), spacing_origin=SpacingOrigin.UNKNOWN)
    assumed = assume_spacing(counted, (0.6, 0.6, 4.0))
    files = written(tmp_path, assumed)
    assert "assumed" in dcmread(files[0]).SeriesDescription
    read = read_series(files)
    assert read.spacing_origin is SpacingOrigin.ASSUMED
    np.testing.assert_allclose(read.frame.spacing, (0.6, 0.6, 4.0))
    assert read.acquisition.description == counted.acquisition.description
    with pytest.raises(InputError, match="known"):
        assume_spacing(read, (1, 1, 1))
    with pytest.raises(InputError, match="positive"):
        assume_spacing(counted, (1, 0, 1))


def test_unknown_millimetres_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="assume_spacing"):
        written(tmp_path, volume(spacing_origin=SpacingOrigin.UNKNOWN))


def test_a_weighting_known_without_timings_survives(tmp_path: Path) -> None:
    for sequence in (Sequence.T1, Sequence.T2, Sequence.T2_FAT_SAT, Sequence.T1_CONTRAST):
        made = volume(sequence=sequence, name=sequence)
        bare = replace(made.acquisition, repetition_time=None, echo_time=None, description=None)
        assert read_series(written(tmp_path, replace(made, acquisition=bare))).sequence is sequence


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    made = volume()
    with pytest.raises(InputError, match="not a DICOM UID"):
        written(tmp_path, replace(made, series_uid="series 1"))
    with pytest.raises(InputError, match="NaN"):
        written(tmp_path, replace(made, pixels=np.full_like(made.pixels, np.nan)))
    sheared = made.frame.matrix.copy()
    sheared[:3, 0] += 0.2 * sheared[:3, 1]
    with pytest.raises(InputError, match="right angles"):
        written(tmp_path, replace(made, frame=replace(made.frame, matrix=sheared)))


def test_a_disk_that_is_full_leaves_nothing_half_written(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))  # any longer file now fails as a full disk does
    try:
        with pytest.raises(StorageError, match="Free some space"):
            written(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []
