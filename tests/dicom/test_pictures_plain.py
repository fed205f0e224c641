"""PNG and JPEG: one slice, no millimetres."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spine_fracture.dicom.pictures import read_picture
from spine_fracture.errors import UnreadablePictureError
from spine_fracture.imaging import Plane, Sequence, SpacingOrigin


@pytest.mark.parametrize("mode, kind", [("L", np.uint8), ("I;16", np.uint16)])
def test_grey_values_are_kept_and_millimetres_unknown(tmp_path: Path, mode: str, kind: type) -> None:
    grey = np.random.default_rng(0).integers(0, np.iinfo(kind).max, (30, 20)).astype(kind)
    Image.fromarray(grey).save(tmp_path / "a.png")
    read = read_picture(tmp_path / "a.png", Sequence.T1)
    np.testing.assert_array_equal(read.pixels[0], grey)
    assert (read.sequence, read.plane, read.spacing_origin) == (
        Sequence.T1,
        Plane.SAGITTAL,
        SpacingOrigin.UNKNOWN,
    )
    assert read.frame.spacing == (1, 1, 1)
    assert read_picture(tmp_path / "a.png", Sequence.T1).slice_uids == read.slice_uids
    assert read_picture(tmp_path / "a.png", Sequence.T2).slice_uids != read.slice_uids


def test_colour_jpeg_is_read_as_brightness(tmp_path: Path) -> None:
    Image.new("RGB", (20, 30), (90, 90, 90)).save(tmp_path / "a.jpg", quality=95)
    read = read_picture(tmp_path / "a.jpg")
    np.testing.assert_allclose(read.pixels, 90, atol=2)
    assert read.sequence is Sequence.UNKNOWN


def test_bad_pictures_say_why(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("no")
    with pytest.raises(UnreadablePictureError, match="no PNG or JPEG"):
        read_picture(tmp_path / "a.png")
    Image.effect_noise((200, 200), 50).save(tmp_path / "b.png")
    data = (tmp_path / "b.png").read_bytes()
    (tmp_path / "b.png").write_bytes(data[: len(data) // 2])
    with pytest.raises(UnreadablePictureError, match="cut short"):
        read_picture(tmp_path / "b.png")
    with pytest.raises(UnreadablePictureError, match="cannot be read"):
        read_picture(tmp_path / "nowhere.png")


def test_real_pictures_of_other_shapes(real_data: Path) -> None:
    shapes = {
        read_picture(p).pixels.shape for p in sorted((real_data / "radiographs_cadma").rglob("*.jpg"))[:8]
    }
    assert all(shape[0] == 1 for shape in shapes) and any(shape[1] != shape[2] for shape in shapes)
