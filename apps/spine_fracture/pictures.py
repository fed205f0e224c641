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


def read_stored_grey(path: Path) -> npt.NDArray[Any]:
    """Grey values as stored, 8, 16 or 32 bits, shape (rows, columns); colour as its 8-bit brightness.

    Raises :class:`UnreadablePictureError`, whatever is wrong with the file.
    """
    return _read(path, ("L", "I;16", "I"))


def read_grey(path: Path) -> npt.NDArray[np.uint8]:
    """The same in 8 bits, as Pillow makes them of whatever is stored."""
    return _read(path, ("L",))


def _read(path: Path, modes: tuple[str, ...]) -> npt.NDArray[Any]:
    try:
        with Image.open(path, formats=("PNG", "JPEG")) as picture:
            return np.array(picture if picture.mode in modes else picture.convert("L"))
    except UnidentifiedImageError:
        raise UnreadablePictureError(f"{path.name} is no PNG or JPEG picture.") from None
    except _DAMAGE as error:
        raise UnreadablePictureError(
            f"{path.name} cannot be read or is cut short: export it again."
        ) from error
