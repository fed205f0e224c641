"""DICOM headers and pixels as the viewer gets them from files: under the patient's key, without names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import dcmread
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from spine_fracture.dicom.header import reading_dicom
from spine_fracture.errors import UnreadablePictureError
from spine_fracture.server.dicomweb.attributes import Attributes, of
from spine_fracture.server.dicomweb.identifying import take_out

_NATIVE = (ImplicitVRLittleEndian, ExplicitVRLittleEndian)
_BINARY = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})


@dataclass(frozen=True)
class Header:
    """The header of one file in the DICOM JSON model."""

    sop_uid: str
    attributes: Attributes


def read_header(path: Path, patient: str) -> Header:
    """The header as the viewer gets it. Raises :class:`UnreadablePictureError`."""
    with reading_dicom():
        ds = dcmread(path, stop_before_pixels=True)
        _put_under_key(ds, patient)
        attributes = _attributes(e for e in ds if e.VR not in _BINARY)
        return Header(str(ds.SOPInstanceUID), attributes)


def read_file(path: Path, patient: str) -> bytes:
    """The whole file, rewritten under the patient's key. Raises :class:`UnreadablePictureError`."""
    return _rewritten(path, patient)


def under_key(data: bytes, patient: str) -> bytes:
    """A whole DICOM file in memory, rewritten under the patient's key.

    Raises :class:`UnreadablePictureError`.
    """
    return _rewritten(BytesIO(data), patient)


def _rewritten(source: Path | BytesIO, patient: str) -> bytes:
    buffer = BytesIO()
    with reading_dicom():
        ds = dcmread(source)
        _put_under_key(ds, patient)
        dcmwrite(buffer, ds, write_like_original=False)
    return buffer.getvalue()


def read_frames(path: Path, frames: Iterable[int]) -> tuple[bytes, ...]:
    """Pixels of ``frames`` (from 1) as explicit little endian stores them; fewer when there are fewer.

    Raises :class:`UnreadablePictureError`.
    """
    with reading_dicom():
        ds = dcmread(path)
        count = int(ds.get("NumberOfFrames") or 1)
        wanted = [number - 1 for number in frames if 1 <= number <= count]
        if ds.file_meta.TransferSyntaxUID in _NATIVE:
            size = int(ds.Rows) * int(ds.Columns) * int(ds.SamplesPerPixel) * int(ds.BitsAllocated) // 8
            pixels: bytes = ds.PixelData
            return tuple(pixels[index * size : (index + 1) * size] for index in wanted)
        stack = _decoded(ds) if count > 1 else _decoded(ds)[None]
        return tuple(stack[i].astype(stack.dtype.newbyteorder("<"), copy=False).tobytes() for i in wanted)


def _decoded(ds: Dataset) -> npt.NDArray[Any]:
    try:
        return np.asarray(ds.pixel_array)
    except Exception as error:  # every decoder has errors of its own
        raise UnreadablePictureError("This picture cannot be decoded: export it again.") from error


def _put_under_key(ds: Dataset, patient: str) -> None:
    take_out(ds)
    ds.PatientName = ds.PatientID = patient
    ds.PatientBirthDate = ""
    ds.setdefault("AccessionNumber", "")


def _attributes(elements: Iterable[DataElement]) -> Attributes:
    """In the DICOM JSON model, without the values that it cannot hold."""
    said = ((f"{element.tag:08X}", _attribute(element)) for element in elements)
    return {tag: attribute for tag, attribute in said if attribute is not None}


def _attribute(element: DataElement) -> dict[str, Any] | None:
    """One attribute; None when its values are none of its kind, or not finite: JSON has no such numbers."""
    if element.VR == "SQ":
        return of("SQ", *(_attributes(item) for item in element.value))
    try:
        said: dict[str, Any] = element.to_json_dict(None, 0)
    except Exception:  # pydicom has no common error for a value that breaks its kind's rules
        return None
    numbers = (value for value in said.get("Value", ()) if isinstance(value, float))
    return said if all(map(isfinite, numbers)) else None
