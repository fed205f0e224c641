"""The one place that opens PNG and JPEG files."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from spine_fracture.errors import UnreadablePictureError

#: What Pillow's decoders raise on damaged files, a picture too large to be one among them.
_DAMAGE = (
    *(OSError, SyntaxError, ValueError, TypeError, LookupError, OverflowError, EOFError, MemoryError),
    *(struct.error, zlib.error, Image.DecompressionBombError),
)
#: Difference of the channels of a pixel that compression can make, and share of pixels that may have more.
_SLIGHT, _COLOURED = 24, 0.002
#: Modes of Pillow that hold one grey value a pixel.
_GREY = ("L", "I;16", "I")


def read_stored_grey(path: Path) -> npt.NDArray[Any]:
    """Grey values as stored, 8, 16 or 32 bits, shape (rows, columns); colour as its 8-bit brightness.

    Raises :class:`UnreadablePictureError`, whatever is wrong with the file.
    """
    return _read(path, _GREY)


def read_grey(path: Path) -> npt.NDArray[np.uint8]:
    """The same in 8 bits, as Pillow makes them of whatever is stored."""
    return _read(path, ("L",))


def read_uncoloured(path: Path) -> npt.NDArray[Any]:
    """Grey values as stored, shape (rows, columns), of a picture that has no colours though it may be stored
    in red, green and blue, with a palette, or with transparency.

    Raises :class:`UnreadablePictureError` for a picture with colours, such as a photograph or a screenshot.
    """
    pixels = _read(path, _GREY, others="RGB")
    if pixels.ndim == 2:
        return pixels
    if (np.ptp(pixels, axis=2) > _SLIGHT).mean() > _COLOURED:
        raise UnreadablePictureError(f"{path.name} is in colour: export the original picture in grey.")
    return np.asarray(np.rint(pixels.mean(axis=2)), np.uint8)


def _read(path: Path, modes: tuple[str, ...], others: str = "L") -> npt.NDArray[Any]:
    """The pixels of a picture in one of these modes of Pillow, or else in that of ``others``."""
    try:
        with Image.open(path, formats=("PNG", "JPEG")) as picture:
            return np.array(picture if picture.mode in modes else picture.convert(others))
    except UnidentifiedImageError:
        raise UnreadablePictureError(f"{path.name} is no PNG or JPEG picture.") from None
    except _DAMAGE as error:
        raise UnreadablePictureError(
            f"{path.name} cannot be read or is cut short: export it again."
        ) from error
