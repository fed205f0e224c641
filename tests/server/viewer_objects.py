"""Objects that an archive holds beside pictures, and requests for them in DICOMweb."""

from __future__ import annotations

import time
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    EnhancedSRStorage,
    ExplicitVRLittleEndian,
    SegmentationStorage,
)
from server.readers import Reader, Task
from server.studies import study_uid

from spine_fracture.dicom.write import uid_from
from spine_fracture.server.dicomweb import multipart


def report(
    patient: str, name: str = "report", *, sop_class: str = EnhancedSRStorage, **changed: object
) -> bytes:
    """A structured report on a patient's study, as short as one can be."""
    ds = _object(patient, name, "SR", sop_class)
    ds.ValueType = "CONTAINER"
    ds.CompletionFlag, ds.VerificationFlag = "COMPLETE", "UNVERIFIED"
    for attribute, value in changed.items():
        setattr(ds, attribute, value)
    return _bytes(ds)


def segmentation(patient: str) -> bytes:
    """A segmentation of four pixels."""
    ds = _object(patient, "segmentation", "SEG", SegmentationStorage)
    ds.ImageType = ["DERIVED", "PRIMARY"]
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.NumberOfFrames = 1, "MONOCHROME2", 1
    ds.Rows = ds.Columns = 2
    ds.BitsAllocated = ds.BitsStored = 8
    ds.HighBit, ds.PixelRepresentation = 7, 0
    ds.PixelData = b"\0\1\1\0"
    return _bytes(ds)


def derived(pictures: Iterable[Path], folder: Path, *, name: str = "derived") -> tuple[Path, ...]:
    """Copies of a series' files as a series that was computed from it."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for path in pictures:
        ds = dcmread(path)
        ds.ImageType = ["DERIVED", "SECONDARY", "OTHER"]
        ds.SeriesInstanceUID = uid_from(str(ds.SeriesInstanceUID), name)
        ds.SOPInstanceUID = uid_from(str(ds.SOPInstanceUID), name)
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        ds.SeriesNumber, ds.SeriesDescription = 77, "what a computer thinks"
        ds.AcquisitionContrast, ds.InversionTime, ds.ScanningSequence = "STIR", 150, "IR"
        made.append(folder / f"{ds.SOPInstanceUID}.dcm")
        ds.save_as(made[-1])
    return tuple(made)


def misspelt(path: Path, attribute: str, value: bytes) -> None:
    """Put ``value``, which pydicom would not write, in place of an attribute whose values are DS."""
    ds = dcmread(path)
    setattr(ds, attribute, "9" * len(value))
    ds.save_as(path)
    head = b"DS" + len(value).to_bytes(2, "little")
    path.write_bytes(path.read_bytes().replace(head + b"9" * len(value), head + value, 1))


def deflated(data: bytes) -> bytes:
    """The same object, packed."""
    ds = dcmread(BytesIO(data))
    ds.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    return _bytes(ds)


def uids_of(data: bytes) -> tuple[str, str, str]:
    """(study, series, instance) of an object."""
    ds = dcmread(BytesIO(data), stop_before_pixels=True)
    return str(ds.StudyInstanceUID), str(ds.SeriesInstanceUID), str(ds.SOPInstanceUID)


def stow(*objects: bytes) -> dict[str, object]:
    """What to give httpx.post for a STOW request."""
    message = multipart.join(objects, "application/dicom")
    return {"content": message.body, "headers": {"Content-Type": message.content_type}}


def open_level(reader: Reader, study: str) -> Task:
    """Sit down to a level of the study, as soon as the models have read it."""
    deadline = time.monotonic() + 60
    while "study" not in (task := reader.next(study=study)):
        assert time.monotonic() < deadline, task
        time.sleep(0.1)
    return task


def _object(patient: str, name: str, modality: str, sop_class: str) -> FileDataset:
    meta = FileMetaDataset()
    ds = FileDataset("", Dataset(), file_meta=meta, preamble=b"\0" * 128)
    ds.is_little_endian, ds.is_implicit_VR = True, False
    ds.SOPClassUID = meta.MediaStorageSOPClassUID = sop_class
    ds.SOPInstanceUID = meta.MediaStorageSOPInstanceUID = uid_from(patient, name, "instance")
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.PatientName = ds.PatientID = patient
    ds.StudyInstanceUID = study_uid(patient)
    ds.SeriesInstanceUID = uid_from(patient, name, "series")
    ds.Modality, ds.SeriesNumber, ds.InstanceNumber = modality, 99, 1
    ds.SeriesDescription = f"{modality} {name}"
    return ds


def _bytes(ds: FileDataset) -> bytes:
    buffer = BytesIO()
    dcmwrite(buffer, ds, write_like_original=False)
    return buffer.getvalue()
