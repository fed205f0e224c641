"""Whatever is wrong with a picture file, the answer is one clear error."""

from __future__ import annotations

import io
import random
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spine_fracture.errors import UnreadablePictureError
from spine_fracture.pictures import read_grey, read_stored_grey


def _encoded(kind: str) -> bytes:
    stream = io.BytesIO()
    Image.effect_noise((40, 30), 60).save(stream, kind)
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_fuzzed_bytes_are_a_picture_or_a_clear_error(tmp_path: Path, kind: str) -> None:
    whole, chance, path, refused = _encoded(kind), random.Random(0), tmp_path / "a", 0
    for _ in range(300):
        broken = bytearray(whole)
        for _ in range(chance.randint(1, 8)):
            broken[chance.randrange(min(len(broken), 200))] = chance.randrange(256)
        path.write_bytes(broken[: chance.choice((len(broken), chance.randrange(len(broken))))])
        try:
            assert read_grey(path).ndim == 2
        except UnreadablePictureError as error:
            refused += 1
            assert "PNG" in str(error) or "export it again" in str(error)
    assert refused > 50


def test_a_picture_of_absurd_size_is_refused(tmp_path: Path) -> None:
    header = b"IHDR" + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk)
    with pytest.raises(UnreadablePictureError):
        read_grey(tmp_path / "a.png")


def test_deep_pictures_keep_their_values(tmp_path: Path) -> None:
    deep = np.array([[0, 200, 4000]], dtype=np.uint16)
    Image.fromarray(deep).save(tmp_path / "a.png")
    assert read_stored_grey(tmp_path / "a.png").tolist() == [[0, 200, 4000]]
    assert read_grey(tmp_path / "a.png").dtype == np.uint8
