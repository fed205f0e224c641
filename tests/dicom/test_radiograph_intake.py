"""Radiographs come in as DICOM DX and CR, PNG and JPEG; what shows no spine is refused with a remedy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_radiographs import BONE, SHAPE, stored, written
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from spine_fracture.classification.radiograph_pictures import PictureConfig, prepared
from spine_fracture.dicom.radiograph import read_radiograph
from spine_fracture.errors import InputError, OffDomainError, UnreadablePictureError
from spine_fracture.radiography import Radiograph, View


def is_bright(radiograph: Radiograph, part: tuple[slice, slice] = BONE) -> bool:
    inside = np.zeros(radiograph.pixels.shape, dtype=bool)
    inside[part] = True
    return bool(radiograph.pixels[inside].mean() > radiograph.pixels[~inside].mean() + 80)


@pytest.mark.parametrize("windowed", [False, True])
def test_both_photometric_interpretations_give_the_same_picture(tmp_path: Path, windowed: bool) -> None:
    window = {"WindowCenter": 1750, "WindowWidth": 2200} if windowed else {}
    mirrored = {"WindowCenter": 4095 - 1750, "WindowWidth": 2200} if windowed else {}
    plain = read_radiograph(written(tmp_path / "a", stored(), **window))
    turned = read_radiograph(
        written(tmp_path / "b", 4095 - stored(), PhotometricInterpretation="MONOCHROME1", **mirrored)
    )
    assert is_bright(plain) and is_bright(turned)
    assert np.abs(plain.pixels.astype(int) - turned.pixels).max() <= 2
    assert plain.view is View.AP and plain.pixels.shape == SHAPE


def test_a_window_decides_what_is_black_and_white(tmp_path: Path) -> None:
    pixels = stored()
    pixels[:4] = 4000  # a lead letter
    shown = read_radiograph(written(tmp_path / "a", pixels, WindowCenter=1750, WindowWidth=1800)).pixels
    assert shown[BONE].min() > 200
    assert read_radiograph(written(tmp_path / "b", pixels)).pixels[BONE].max() < 160


@pytest.mark.parametrize(
    "empty",
    [
        {"WindowCenter": "", "WindowWidth": ""},
        {"WindowCenter": "", "WindowWidth": "1800"},
        {"VOILUTSequence": Items([])},
        {"VOILUTSequence": Items([Dataset()])},
    ],
)
def test_a_window_that_is_left_empty_is_none(tmp_path: Path, empty: dict[str, object]) -> None:
    pixels = stored()
    pixels[:1, :4] = 4000  # a bright speck
    plain = read_radiograph(written(tmp_path / "a", pixels)).pixels
    assert np.array_equal(read_radiograph(written(tmp_path / "b", pixels, **empty)).pixels, plain)
    assert plain[BONE].min() > 200


@pytest.mark.parametrize(
    ("header", "view"),
    [
        ({"ViewPosition": "PA"}, View.AP),
        ({"ViewPosition": "LL"}, View.LATERAL),
        ({"ViewPosition": "", "PatientOrientation": ["L", "F"]}, View.AP),
        ({"ViewPosition": "", "PatientOrientation": ["P", "F"]}, View.LATERAL),
    ],
)
def test_the_view_is_known_from_the_header(tmp_path: Path, header: dict[str, object], view: View) -> None:
    assert read_radiograph(written(tmp_path / "a", stored(), **header)).view is view


def test_pictures_are_turned_as_the_patient_lies(tmp_path: Path) -> None:
    upside = read_radiograph(written(tmp_path / "a", stored()[::-1, ::-1], PatientOrientation=["R", "H"]))
    assert is_bright(upside)
    with pytest.raises(OffDomainError, match="head is up"):
        read_radiograph(written(tmp_path / "b", stored(), PatientOrientation=["F", "L"]))


def test_pixels_that_are_not_square_are_read_in_proportion(tmp_path: Path) -> None:
    flat = read_radiograph(written(tmp_path / "a", stored()[::2], ImagerPixelSpacing=["0.4", "0.2"]))
    assert flat.aspect == 2
    config = PictureConfig(rows=100, columns=100)
    square = prepared(Radiograph(View.AP, stored().astype(np.uint8)), config)
    assert np.array_equal(prepared(flat, config) > 0, square > 0)


@pytest.mark.parametrize(
    ("attributes", "error", "remedy"),
    [
        ({"Modality": "MR"}, OffDomainError, "give DX or CR"),
        ({"BodyPartExamined": "HAND"}, OffDomainError, "another part of the body"),
        ({"BodyPartExamined": "CHEST"}, OffDomainError, "another part of the body"),
        ({"ViewPosition": ""}, InputError, "--ap or --lateral"),
        ({"SamplesPerPixel": 3}, UnreadablePictureError, "colour"),
        ({"NumberOfFrames": "2"}, OffDomainError, "one plain radiograph a file"),
        ({"PixelData": b"\0" * 100}, UnreadablePictureError, "export it again"),
        ({"PixelData": bytes(2 * 200 * 120)}, UnreadablePictureError, "blank"),
    ],
)
def test_what_cannot_be_read_is_refused(
    tmp_path: Path, attributes: dict[str, object], error: type[InputError], remedy: str
) -> None:
    with pytest.raises(error, match=remedy) as refusal:
        read_radiograph(written(tmp_path / "odd.dcm", stored(), **attributes))
    assert "odd.dcm" in str(refusal.value)


def test_files_that_are_no_radiographs_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.dcm").write_text("no picture")
    (tmp_path / "cut.png").write_bytes(b"\x89PNG\r\n")
    photograph = np.random.default_rng(0).integers(0, 255, (200, 150, 3), dtype=np.uint8)
    Image.fromarray(photograph).save(tmp_path / "photograph.jpg")
    Image.fromarray(stored()[:50, :50].astype(np.uint8)).save(tmp_path / "small.png")
    for name, remedy in {
        "text.dcm": "no DICOM file, PNG or JPEG",
        "absent.dcm": "check the rights",
        "cut.png": "no PNG or JPEG|export it again",
        "photograph.jpg": "in colour",
        "small.png": "full size",
    }.items():
        with pytest.raises(InputError, match=remedy):
            read_radiograph(tmp_path / name, View.AP)
    with pytest.raises(InputError, match="says that it is AP"):
        read_radiograph(written(tmp_path / "ap.dcm", stored()), View.LATERAL)


@pytest.mark.parametrize(
    ("mode", "name"),
    [("RGB", "a.png"), ("RGBA", "a.png"), ("P", "a.png"), ("CMYK", "a.jpg"), ("LA", "a.png")],
)
def test_colours_are_seen_however_they_are_stored(tmp_path: Path, mode: str, name: str) -> None:
    grey = np.clip(stored() / 12, 0, 255).astype(np.uint8)
    red = np.repeat(grey[..., None], 3, axis=2)
    red[:20, :, 1:] //= 4
    adaptive = Image.Palette.ADAPTIVE
    Image.fromarray(grey).convert("RGB").convert(mode, palette=adaptive).save(tmp_path / name)
    pixels = read_radiograph(tmp_path / name, View.AP).pixels
    assert np.abs(pixels.astype(int) - grey).mean() < 8
    if mode != "LA":
        Image.fromarray(red).convert(mode, palette=adaptive).save(tmp_path / name)
        with pytest.raises(UnreadablePictureError, match="in colour"):
            read_radiograph(tmp_path / name, View.AP)


def test_plain_pictures_of_eight_and_sixteen_bits(tmp_path: Path) -> None:
    Image.fromarray(stored()).save(tmp_path / "deep.png")
    eight = np.clip(stored() / 12, 0, 255).astype(np.uint8)
    Image.fromarray(np.repeat(eight[..., None], 3, axis=2)).save(tmp_path / "plain.jpg")
    for name in ("deep.png", "plain.jpg"):
        assert is_bright(read_radiograph(tmp_path / name, View.AP))
        with pytest.raises(InputError, match="--ap or --lateral"):
            read_radiograph(tmp_path / name)


def test_real_radiographs_fill_the_picture_and_gain_local_contrast(real_data: Path) -> None:
    files = sorted((real_data / "radiographs_cadma").glob("*.jpg"))[::11]
    assert len(files) == 5
    for path in files:
        radiograph = read_radiograph(path, View.AP)
        picture = prepared(radiograph, PictureConfig())
        assert picture.shape == (320, 192)
        rows, columns = radiograph.pixels.shape
        seen = np.flatnonzero(picture.any(axis=0))
        assert seen[-1] - seen[0] + 1 <= min(192, round(320 * columns / rows) + 1)
        plain = prepared(radiograph, PictureConfig(clip=1e-6, tiles=1))
        assert _local_contrast(picture) > _local_contrast(plain)


def _local_contrast(picture: np.ndarray) -> float:
    blocks = picture.reshape(20, 16, 12, 16).swapaxes(1, 2).astype(float)
    return float(blocks.std(axis=(2, 3)).mean())
