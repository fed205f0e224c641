"""DICOM headers and pixels as the viewer gets them from files: under the patient's key, without names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.filewriter import dcmwrite
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from spine_fracture.errors import UnreadablePictureError
from spine_fracture.server.dicomweb.attributes import Attributes

_NATIVE = (ImplicitVRLittleEndian, ExplicitVRLittleEndian)
#: Of the patient module, what a reader needs and what names nobody.
_KEPT_OF_PATIENT = frozenset({"PatientSex", "PatientAge", "PatientSize", "PatientWeight"})
_IDENTIFYING = frozenset(
    """AccessionNumber StudyID ReferringPhysicianName ReferringPhysicianAddress PhysiciansOfRecord
    ReferringPhysicianTelephoneNumbers NameOfPhysiciansReadingStudy PerformingPhysicianName OperatorsName
    ConsultingPhysicianName InstitutionName InstitutionAddress InstitutionalDepartmentName StationName
    DeviceSerialNumber ProtocolName ImageComments FrameComments AdmittingDiagnosesDescription
    ReferencedPatientSequence ReferencedPerformedProcedureStepSequence RequestAttributesSequence
    IconImageSequence OriginalAttributesSequence""".split()  # noqa: SIM905
)
#: Orders, visits and procedure steps; in a report group 0040 is its content.
_ORDERS, _STEPS = frozenset({0x0032, 0x0038, 0x4008}), 0x0040
_BINARY = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})


@dataclass(frozen=True)
class Header:
    """The header of one file in the DICOM JSON model."""

    sop_uid: str
    attributes: Attributes


def read_header(path: Path, patient: str) -> Header:
    """The header as the viewer gets it. Raises :class:`UnreadablePictureError`."""
    ds = _read(path, pixels=False)
    attributes: Attributes = _under_key(ds, patient).to_json_dict()
    return Header(str(ds.SOPInstanceUID), attributes)


def read_file(path: Path, patient: str) -> bytes:
    """The whole file, rewritten under the patient's key."""
    return _written(_under_key(_read(path), patient, binary=True))


def under_key(data: bytes, patient: str) -> bytes:
    """A whole DICOM file in memory, rewritten under the patient's key."""
    return _written(_under_key(dcmread(BytesIO(data)), patient, binary=True))


def _written(ds: Dataset) -> bytes:
    buffer = BytesIO()
    dcmwrite(buffer, ds, write_like_original=False)
    return buffer.getvalue()


def read_frames(path: Path, frames: Iterable[int]) -> tuple[bytes, ...]:
    """Pixels of ``frames`` (from 1) as explicit little endian stores them; fewer when there are fewer."""
    ds = _read(path)
    count = int(ds.get("NumberOfFrames") or 1)
    wanted = [number - 1 for number in frames if 1 <= number <= count]
    if ds.file_meta.TransferSyntaxUID in _NATIVE:
        size = int(ds.Rows) * int(ds.Columns) * int(ds.SamplesPerPixel) * int(ds.BitsAllocated) // 8
        pixels: bytes = ds.PixelData
        return tuple(pixels[index * size : (index + 1) * size] for index in wanted)
    try:
        decoded = np.asarray(ds.pixel_array)
    except Exception as error:  # every decoder has errors of its own
        raise UnreadablePictureError("This picture cannot be decoded: export it again.") from error
    stack = decoded if count > 1 else decoded[None]
    return tuple(stack[i].astype(stack.dtype.newbyteorder("<"), copy=False).tobytes() for i in wanted)


def _read(path: Path, *, pixels: bool = True) -> Dataset:
    try:
        return dcmread(path, stop_before_pixels=not pixels)
    except (InvalidDicomError, OSError) as error:
        raise UnreadablePictureError("A file of this series can no longer be read.") from error


def _under_key(ds: Dataset, patient: str, *, binary: bool = False) -> Dataset:
    """``ds`` changed in place; ``binary`` keeps pixels and other binary values."""
    is_report = ds.get("Modality") == "SR"
    for element in list(ds):
        if _must_go(element, is_report) or (not binary and element.VR in _BINARY):
            del ds[element.tag]
    ds.PatientName = ds.PatientID = patient
    ds.PatientBirthDate = ""
    ds.setdefault("AccessionNumber", "")
    return ds


def _must_go(element: DataElement, is_report: bool) -> bool:
    group, name = element.tag.group, element.keyword
    if group == 0x0010:
        return name not in _KEPT_OF_PATIENT
    orders = group in _ORDERS or (group == _STEPS and not is_report)
    return bool(group % 2) or orders or name in _IDENTIFYING
