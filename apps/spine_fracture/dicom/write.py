"""Volumes out as DICOM: one MR Image Storage instance a slice (PS3.3 A.4).

Where millimetres are assumed, the object says so twice: in the Pixel Spacing Calibration
Description, which the reader takes :attr:`SpacingOrigin.ASSUMED` from, and at the end of the Series
Description, which people see.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import UID, ExplicitVRLittleEndian, MRImageStorage
from pydicom.valuerep import format_number_as_ds

from spine_fracture.errors import InputError
from spine_fracture.files import write_atomically
from spine_fracture.geometry import VolumeFrame
from spine_fracture.imaging import Acquisition, Sequence, SpacingOrigin, Volume

ASSUMED_CALIBRATION = "ASSUMED: true spacing is unknown"
ASSUMED_SUFFIX = " [spacing assumed]"
_CONTRAST = {
    Sequence.T1: "T1",
    Sequence.T1_CONTRAST: "T1",
    Sequence.T2: "T2",
    Sequence.T2_FAT_SAT: "STIR",
}


@dataclass(frozen=True)
class PatientTags:
    """Whose study it is. ``patient_key`` is pseudonymous: it goes in as both ID and name."""

    patient_key: str
    study_uid: str
    study_date: date | None = None
    study_description: str = ""


def uid_from(*parts: object) -> str:
    """A UID under 2.25 (PS3.5 B.2) that depends on the parts alone, so that doing it again gives it again."""
    digest = hashlib.sha256("\x1f".join(str(part) for part in parts).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def assume_spacing(volume: Volume, spacing_mm: tuple[float, float, float]) -> Volume:
    """The volume with ``spacing_mm`` (columns, rows, slices) in place of unknown millimetres, marked so."""
    if volume.spacing_origin is not SpacingOrigin.UNKNOWN:
        raise InputError("The spacing of this volume is known: nothing may be assumed in its place.")
    if min(spacing_mm) <= 0:
        raise InputError(f"An assumed spacing needs three positive numbers, got {spacing_mm}.")
    scale = np.diag([*(np.asarray(spacing_mm) / volume.frame.spacing), 1.0])
    frame = VolumeFrame(volume.frame.matrix @ scale, volume.frame.shape)
    return replace(volume, frame=frame, spacing_origin=SpacingOrigin.ASSUMED)


def write_series(
    volume: Volume, patient: PatientTags, folder: Path, *, series_number: int = 1
) -> tuple[Path, ...]:
    """Write ``volume`` as a series under ``folder``, one file a slice named by its instance UID.

    Pixels that are whole numbers from 0 to 65535 are stored as they are; others are mapped onto
    16 bits with Rescale Slope and Intercept. Empty slice or frame-of-reference UIDs are derived from
    the series and study UIDs; series of one study must share a frame of reference. Each file is
    written atomically. Returns the paths in slice order. Raises :class:`InputError` when the spacing
    is unknown or a UID is not one, :class:`~spine_fracture.errors.StorageError` when the disk refuses.
    """
    if volume.spacing_origin is SpacingOrigin.UNKNOWN:
        raise InputError("DICOM needs millimetres: give this volume a spacing with assume_spacing first.")
    for given in (patient.study_uid, volume.series_uid):
        if not UID(given).is_valid:
            raise InputError(f"{given!r} is not a DICOM UID: make one with uid_from.")
    paths = []
    for instance in _instances(volume, patient, series_number):
        path = folder / f"{instance.SOPInstanceUID}.dcm"
        buffer = BytesIO()
        dcmwrite(buffer, instance, write_like_original=False)
        write_atomically(path, buffer.getvalue())
        paths.append(path)
    return tuple(paths)


def _instances(volume: Volume, patient: PatientTags, series_number: int) -> Iterator[FileDataset]:
    shared = _shared(volume, patient, series_number)
    stored, slope, intercept = _stored(volume.pixels)
    if (slope, intercept) != (1.0, 0.0):
        shared.RescaleSlope = format_number_as_ds(slope)
        shared.RescaleIntercept = format_number_as_ds(intercept)
        shared.RescaleType = "US"
    low, high = np.percentile(volume.pixels, (0.5, 99.5))
    shared.WindowCenter = format_number_as_ds(float(low + high) / 2)
    shared.WindowWidth = format_number_as_ds(max(float(high - low), 1.0))
    slices = len(volume.pixels)
    uids = volume.slice_uids or tuple(uid_from(volume.series_uid, index) for index in range(slices))
    centres = volume.frame.to_patient([[0.5, 0.5, index + 0.5] for index in range(slices)])
    for index, (uid, centre) in enumerate(zip(uids, centres, strict=True)):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = MRImageStorage
        meta.MediaStorageSOPInstanceUID = UID(uid)
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        instance = FileDataset("", shared, file_meta=meta, preamble=b"\0" * 128)
        instance.is_little_endian = True
        instance.is_implicit_VR = False
        instance.SOPInstanceUID = uid
        instance.InstanceNumber = index + 1
        instance.ImagePositionPatient = _ds(centre)
        instance.PixelData = stored[index].tobytes()
        yield instance


def _shared(volume: Volume, patient: PatientTags, series_number: int) -> Dataset:
    """Everything that the instances of the series have in common."""
    _, rows, columns = volume.pixels.shape
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "OTHER"]
    ds.SOPClassUID = MRImageStorage
    ds.PatientName = ds.PatientID = patient.patient_key
    ds.PatientBirthDate = ds.PatientSex = ""
    ds.PatientIdentityRemoved = "YES"
    ds.DeidentificationMethod = "Pseudonymous key"
    ds.StudyInstanceUID = patient.study_uid
    ds.StudyDate = patient.study_date.strftime("%Y%m%d") if patient.study_date else ""
    ds.StudyTime = ds.StudyID = ds.AccessionNumber = ds.ReferringPhysicianName = ""
    ds.StudyDescription = patient.study_description
    ds.SeriesInstanceUID = volume.series_uid
    ds.SeriesNumber = series_number
    ds.Manufacturer = ds.PositionReferenceIndicator = ""
    ds.PatientPosition = "HFS"
    ds.FrameOfReferenceUID = volume.frame_of_reference_uid or uid_from(
        patient.study_uid, "frame of reference"
    )
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.Rows, ds.Columns = rows, columns
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit = 15
    ds.PixelRepresentation = 0
    _set_geometry(ds, volume)
    _set_acquisition(ds, volume.acquisition, volume.sequence)
    assumed = volume.spacing_origin is SpacingOrigin.ASSUMED
    description = volume.acquisition.description or volume.sequence.value
    ds.SeriesDescription = description[: 64 - len(ASSUMED_SUFFIX)] + (ASSUMED_SUFFIX if assumed else "")
    if assumed:
        ds.PixelSpacingCalibrationType = "GEOMETRY"
        ds.PixelSpacingCalibrationDescription = ASSUMED_CALIBRATION
    return ds


def _set_geometry(ds: Dataset, volume: Volume) -> None:
    frame = volume.frame
    x, y, step = frame.matrix[:3, 0], frame.matrix[:3, 1], frame.matrix[:3, 2]
    column_spacing, row_spacing, _ = frame.spacing
    if abs(x @ y) > 1e-4 * column_spacing * row_spacing:
        raise InputError("The rows and columns of this volume are not at right angles: DICOM cannot say so.")
    thickness = abs(float(step @ frame.axes[:, 2]))
    ds.PixelSpacing = _ds([row_spacing, column_spacing])
    ds.ImageOrientationPatient = _ds([*(x / column_spacing), *(y / row_spacing)])
    ds.SliceThickness = ds.SpacingBetweenSlices = format_number_as_ds(thickness)


def _set_acquisition(ds: Dataset, acquisition: Acquisition, sequence: Sequence) -> None:
    ds.Modality = acquisition.modality
    ds.ScanningSequence = list(acquisition.scanning_sequence) or "RM"
    ds.SequenceVariant = list(acquisition.sequence_variant) or "NONE"
    ds.ScanOptions = list(acquisition.scan_options)
    ds.MRAcquisitionType = "2D"
    ds.EchoTrainLength = None
    ds.RepetitionTime = _ds_or_empty(acquisition.repetition_time)
    ds.EchoTime = _ds_or_empty(acquisition.echo_time)
    ds.InversionTime = _ds_or_empty(acquisition.inversion_time)
    ds.FlipAngle = _ds_or_empty(acquisition.flip_angle)
    ds.MagneticFieldStrength = _ds_or_empty(acquisition.field_strength)
    agent = acquisition.contrast_agent or ("unnamed" if sequence is Sequence.T1_CONTRAST else None)
    if agent is not None:
        ds.ContrastBolusAgent = agent
    if acquisition.sequence_name is not None:
        ds.SequenceName = acquisition.sequence_name
    if acquisition.body_part is not None:
        ds.BodyPartExamined = acquisition.body_part
    # Timings that nobody knows cannot tell the weighting, so what the caller knows of it is written.
    timed = acquisition.repetition_time is not None and acquisition.echo_time is not None
    contrast = acquisition.acquisition_contrast or (None if timed else _CONTRAST.get(sequence))
    if contrast is not None:
        ds.AcquisitionContrast = contrast


def _stored(pixels: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.uint16], float, float]:
    """Stored values (slices, rows, columns), and the slope and intercept that take them back."""
    if not np.isfinite(pixels).all():
        raise InputError(
            "The volume holds values that are not numbers (NaN or infinity): mend it before writing."
        )
    low, high = float(pixels.min()), float(pixels.max())
    if low >= 0 and high <= 65535 and np.array_equal(pixels, np.rint(pixels)):
        return pixels.astype("<u2"), 1.0, 0.0
    slope = float(format_number_as_ds((high - low) / 65535 if high > low else 1.0))
    intercept = float(format_number_as_ds(low))
    stored = np.clip(np.rint((pixels.astype(np.float64) - intercept) / slope), 0, 65535)
    return stored.astype("<u2"), slope, intercept


def _ds(values: npt.ArrayLike) -> list[str]:
    return [format_number_as_ds(float(value)) for value in np.asarray(values, dtype=np.float64)]


def _ds_or_empty(value: float | None) -> str:
    return "" if value is None else format_number_as_ds(float(value))
