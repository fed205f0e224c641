"""A DICOM series as a :class:`~spine_fracture.imaging.Volume`; every file's pixels are read once."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import dcmread

from spine_fracture.dicom.arrangement import arrange
from spine_fracture.dicom.header import SliceHeader, read_headers
from spine_fracture.dicom.orientation import display_axes, plane_of, reorder
from spine_fracture.dicom.recognise import sequence_of
from spine_fracture.errors import InputError, UnreadablePictureError
from spine_fracture.imaging import Acquisition, Pixels, Plane, Volume


def read_series(files: Sequence[Path]) -> Volume:
    """Read the files of one series, in any order.

    Raises :class:`UnreadablePictureError` when they are damaged or no single even stack of slices,
    and :class:`OffDomainError` when they are not MR of the spine; the text names the first bad file.
    """
    headers: list[SliceHeader] = []
    acquisitions: dict[str, Acquisition] = {}
    for path in files:
        try:
            headers.extend(read_headers(path, acquisitions))
        except InputError as error:
            raise type(error)(f"{path.name}: {error}") from error
    return read_slices(headers)


def read_slices(headers: Sequence[SliceHeader]) -> Volume:
    """Read the pixels of slices whose headers are known, from a scan or :func:`read_headers`."""
    stack = arrange(headers)
    first = stack.headers[0]
    pixels: npt.NDArray[Any] = _pixels(stack.headers)
    frame = stack.frame
    uids = tuple(h.sop_uid for h in stack.headers)
    plane = plane_of(frame)
    if plane is Plane.SAGITTAL:
        order, reverse = display_axes(frame)
        pixels, frame = reorder(pixels, frame, order, reverse)
        uids = uids[::-1] if reverse[2] else uids
    return Volume(
        series_uid=first.series_uid,
        pixels=np.ascontiguousarray(pixels),
        frame=frame,
        sequence=sequence_of(first.acquisition),
        plane=plane,
        spacing_origin=first.spacing_origin,
        slice_uids=uids,
        frame_of_reference_uid=first.frame_of_reference_uid,
        acquisition=first.acquisition,
    )


def _pixels(headers: Sequence[SliceHeader]) -> Pixels:
    """(slices, rows, columns) in the scanner's units."""
    decoded = lru_cache(maxsize=1)(_decode)  # the frames of one compressed file lie side by side
    pixels = np.empty((len(headers), headers[0].rows, headers[0].columns), dtype=np.float32)
    for target, header in zip(pixels, headers, strict=True):
        stored = _stored(header) if header.pixel_offset is not None else decoded(header.path)[header.frame]
        target[:] = stored
        if (header.slope, header.intercept) != (1.0, 0.0):
            with np.errstate(over="ignore"):
                target *= header.slope
                target += header.intercept
    low, high = pixels.min(), pixels.max()
    if not np.isfinite([low, high]).all():
        raise UnreadablePictureError("The rescaled pixel values are not finite: export the pictures again.")
    if low == high:
        raise UnreadablePictureError(
            "The pictures are blank: every pixel has the same value. Export them again."
        )
    return high + low - pixels if headers[0].inverted else pixels


def _stored(header: SliceHeader) -> npt.NDArray[Any]:
    """Uncompressed stored values (rows, columns)."""
    count = header.rows * header.columns
    try:
        values = np.fromfile(header.path, header.stored_type, count, offset=header.pixel_offset or 0)
    except OSError as error:
        raise UnreadablePictureError(f"{header.path.name} cannot be opened ({error.strerror}).") from error
    if values.size < count:
        raise UnreadablePictureError(f"{header.path.name} is truncated: export it again.")
    return values.reshape(header.rows, header.columns)


def _decode(path: Path) -> npt.NDArray[Any]:
    """Stored values (frames, rows, columns) of a file that needs a decoder (GDCM, or pydicom for RLE)."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ds = dcmread(path)
            array = np.asarray(ds.pixel_array)
    except Exception as error:  # the decoders have no common error
        raise UnreadablePictureError(
            f"{path.name}: its pixels cannot be decoded (damaged, missing or an unknown compression). "
            "Export it again, uncompressed."
        ) from error
    return array.reshape(-1, int(ds.Rows), int(ds.Columns))
