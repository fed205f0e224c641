"""Plain pictures: one sagittal slice without millimetres."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from spine_fracture.dicom.orientation import sagittal_frame
from spine_fracture.dicom.write import uid_from
from spine_fracture.imaging import Plane, Sequence, SpacingOrigin, Volume
from spine_fracture.pictures import read_stored_grey


def read_picture(path: Path, sequence: Sequence = Sequence.UNKNOWN) -> Volume:
    """A PNG or JPEG as a volume of one slice, grey values as stored, spacing unknown.

    A picture says neither its plane nor its orientation: it is taken as sagittal in display order (head
    up, front to the left). Colour is read as its brightness. UIDs follow from the pixels.
    """
    pixels = read_stored_grey(path).astype(np.float32)[None]
    _, rows, columns = pixels.shape
    content = hashlib.sha256(pixels.tobytes()).hexdigest()
    return Volume(
        series_uid=uid_from("picture", sequence, content),
        pixels=pixels,
        frame=sagittal_frame((1, rows, columns)),
        sequence=sequence,
        plane=Plane.SAGITTAL,
        spacing_origin=SpacingOrigin.UNKNOWN,
        slice_uids=(uid_from("picture", sequence, content, "slice"),),
    )
