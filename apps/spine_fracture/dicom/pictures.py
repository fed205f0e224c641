"""Plain pictures: one sagittal slice without millimetres."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from spine_fracture.dicom.orientation import sagittal_frame
from spine_fracture.dicom.write import uid_from
from spine_fracture.errors import UnreadablePictureError
from spine_fracture.imaging import Plane, Sequence, SpacingOrigin, Volume


def read_picture(path: Path, sequence: Sequence = Sequence.UNKNOWN) -> Volume:
    """A PNG or JPEG as a volume of one slice, grey values as stored, spacing unknown.

    A picture says neither its plane nor its orientation: it is taken as sagittal in display order (head
    up, front to the left). Colour is read as its brightness. UIDs follow from the pixels.
    """
    try:
        with Image.open(path, formats=("PNG", "JPEG")) as image:
            grey = image if image.mode in ("L", "I;16", "I") else image.convert("L")
            pixels = np.asarray(grey, dtype=np.float32)[None]
    except UnidentifiedImageError:
        raise UnreadablePictureError(f"{path.name} is no PNG or JPEG picture.") from None
    except OSError as error:
        raise UnreadablePictureError(
            f"{path.name} cannot be read or is cut short: export it again."
        ) from error
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
