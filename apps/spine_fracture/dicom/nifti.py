"""NIfTI volumes in and out."""

from __future__ import annotations

import gzip
import hashlib
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from spine_fracture.dicom.orientation import display_axes, plane_of, reorder
from spine_fracture.dicom.write import uid_from
from spine_fracture.errors import InputError, UnreadablePictureError
from spine_fracture.files import write_atomically
from spine_fracture.geometry import VolumeFrame
from spine_fracture.imaging import Pixels, Plane, Sequence, SpacingOrigin, Volume

nib: Any = import_module("nibabel")  # its types are partial

#: How much coarser than the others an axis must be to be the one the scanner stepped along.
_CLEARLY_COARSER = 2.5
_ASSUMED = b"spacing assumed"


def read_nifti(path: Path, sequence: Sequence = Sequence.UNKNOWN) -> Volume:
    """A NIfTI volume, whatever its axes are.

    Slices lie along the clearly coarsest axis; where there is none, as in isotropic volumes, they are
    sagittal. The file does not name its sequence: the caller may. UIDs follow from the content.
    Raises :class:`UnreadablePictureError` for a damaged file, NaN, more than three dimensions or no
    orientation.
    """
    try:
        image = nib.load(path)
        array: Pixels = np.asarray(image.dataobj, dtype=np.float32)
    except FileNotFoundError:
        raise InputError(f"There is no file {path.name}.") from None
    except nib.filebasedimages.ImageFileError:
        raise UnreadablePictureError(f"{path.name} is not a NIfTI file.") from None
    except Exception as error:  # a cut gzip stream, a short file, a nonsense header
        raise UnreadablePictureError(f"{path.name} is damaged or cut short: export it again.") from error
    array = array.reshape(array.shape[:3] + tuple(n for n in array.shape[3:] if n > 1))
    if array.ndim != 3 or not isinstance(image, nib.Nifti1Pair):
        raise UnreadablePictureError(f"{path.name} is not one NIfTI volume of three dimensions: split it.")
    if not np.isfinite(array).all():
        raise UnreadablePictureError(
            f"{path.name} holds values that are not numbers (NaN or infinity): fill them in and save again."
        )
    if not (image.header["qform_code"] or image.header["sform_code"]):
        raise UnreadablePictureError(
            f"{path.name} has no orientation (qform and sform code 0): export it again."
        )
    x, y, z = array.shape
    frame = VolumeFrame.from_nifti(image.affine, (z, y, x))
    across = _slice_axis(frame)
    pixels = array.transpose(2, 1, 0)
    order, reverse = display_axes(frame, across)
    sliced = reorder(pixels, frame, order, (False, False, False))
    if plane_of(sliced[1]) is Plane.SAGITTAL:
        sliced = reorder(pixels, frame, order, reverse)
    content = hashlib.sha256(array.tobytes() + frame.matrix.tobytes()).hexdigest()
    uid = uid_from("nifti", content)
    return Volume(
        series_uid=uid,
        pixels=np.ascontiguousarray(sliced[0]),
        frame=sliced[1],
        sequence=sequence,
        plane=plane_of(sliced[1]),
        spacing_origin=(
            SpacingOrigin.ASSUMED if _ASSUMED in bytes(image.header["descrip"]) else SpacingOrigin.MEASURED
        ),
        slice_uids=tuple(uid_from(uid, index) for index in range(len(sliced[0]))),
    )


def write_nifti(volume: Volume, path: Path) -> None:
    """Write ``.nii`` or ``.nii.gz`` atomically, float32, array axes (x, y, z) = (columns, rows, slices)."""
    if volume.spacing_origin is SpacingOrigin.UNKNOWN:
        raise InputError("NIfTI needs millimetres: give this volume a spacing with assume_spacing first.")
    image = nib.Nifti1Image(volume.pixels.transpose(2, 1, 0), volume.frame.to_nifti_affine())
    image.header.set_xyzt_units("mm")
    if volume.spacing_origin is SpacingOrigin.ASSUMED:
        image.header["descrip"] = _ASSUMED
    data = image.to_bytes()
    write_atomically(path, gzip.compress(data, 6, mtime=0) if path.suffix == ".gz" else data)


def _slice_axis(frame: VolumeFrame) -> int:
    spacing = np.asarray(frame.spacing)
    coarsest = int(spacing.argmax())
    others = np.delete(spacing, coarsest)
    if spacing[coarsest] >= _CLEARLY_COARSER * others.max():
        return coarsest
    return int(np.abs(frame.matrix[0, :3] / spacing).argmax())
