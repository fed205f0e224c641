"""Boxes and heat maps of series that our reader turns: viewers draw on the pixels of the files."""

from __future__ import annotations

import base64
import io
import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from dicom.made_series import SAGITTAL, frame, volume, written
from PIL import Image
from pydicom import dcmread
from server.made_desk import mirrored_desk
from server.readers import Reader, answer, web
from server.running import RunningServer, running
from server.studies import SHAPE, QuickPipeline
from sqlalchemy import select

from spine_fracture.anatomy import Diagnosis
from spine_fracture.cohort.models import FileKind, Instance, LevelSlice, Read, Series, StudyFolder, StudyLevel
from spine_fracture.dicom.reader import read_series
from spine_fracture.geometry import PixelBox
from spine_fracture.server.dicomweb.pictures import Pictures
from spine_fracture.server.explain import HeatMap
from spine_fracture.server.review.screen import Screen

_PNG = "data:image/png;base64,"
#: Asymmetric, so that a mirrored box is another one.
SHOWN = PixelBox(26.0, 4.0, 50.0, 18.0)
STORED = (SHAPE[2] - 50.0, 4.0, SHAPE[2] - 26.0, 18.0)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    """All boxes of the catalogue lie right of the middle of the pictures as shown."""
    desk = mirrored_desk(tmp_path)
    with desk.project.transaction() as session:
        for part in session.scalars(select(LevelSlice)):
            part.box = part.box.shifted(6.0, 0.0)
    desk.project.engine.dispose()
    with running(tmp_path / "home", None, QuickPipeline()) as found:
        yield found


@pytest.fixture
def reader(server: RunningServer) -> Iterator[Reader]:
    with web(server) as client:
        yield Reader(client)


def test_a_viewer_is_told_where_boxes_lie_in_the_files(server: RunningServer, reader: Reader) -> None:
    task = reader.next()
    first = min(task["levels"], key=lambda level: level["boxes"][0]["box"][1])
    assert [part["box"] for part in first["boxes"]] == [list(STORED)] * 3
    (view,) = task["views"]
    assert view["box"][0::2] == [STORED[0], STORED[2]]
    (coming, *_) = answer(reader.post("upcoming", list="assisted", count=1))["items"]
    assert coming["views"][0]["box"][0::2] == [STORED[0], STORED[2]]


def test_a_box_drawn_on_the_file_is_kept_as_shown_and_given_back(
    server: RunningServer, reader: Reader
) -> None:
    task = reader.next()
    drawn = task["views"][0] | {"box": [10.0, 20.0, 30.0, 44.0]}
    read = answer(reader.submit(task, "normal", box=drawn))["read"]
    assert read["box"] == drawn
    with server.room.project.session() as session:
        kept = session.scalars(select(Read)).one()
        assert kept.box is not None
        assert kept.box.as_tuple() == (34.0, 20.0, 54.0, 44.0)
    back = answer(reader.post("undo"))
    assert back["draft"]["box"] == drawn


def test_a_level_drawn_on_the_file_lies_there(server: RunningServer, reader: Reader) -> None:
    task = reader.next()
    last = max(task["levels"], key=lambda level: level["boxes"][0]["box"][1])
    answer(reader.post(f"levels/{last['id']}/remove"))
    where = last["boxes"][1] | {"box": [15.0, 76.0, 37.0, 90.0]}
    levels = answer(reader.post("levels", study=task["study"], name="L6", **where))["levels"]
    new = next(level for level in levels if level["name"] == "L6")
    assert where in new["boxes"]
    with server.room.project.session() as session:
        kept = session.get_one(StudyLevel, new["id"]).slices[0]
        assert kept.box.as_tuple() == (SHAPE[2] - 37.0, 76.0, SHAPE[2] - 15.0, 90.0)


class _SomeHeat:
    """Hot in the left upper corner of a box, as shown."""

    def heatmap(self, level_id: int, series_uid: str, slice_index: int) -> HeatMap:
        picture = np.zeros((14, 24, 4), np.uint8)
        picture[0, 0] = 255
        return HeatMap(_uri(picture), SHOWN, Diagnosis.MALIGNANT, 0.8)


def test_a_heat_map_lies_as_the_file_does(
    server: RunningServer, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server.room.review.explaining, "_explainer", _SomeHeat())
    task = next(t for n in itertools.count() if (t := reader.at(str(n)).next())["mode"] == "assisted")
    for window in range(10):
        reader.at(str(window)).post("leases/release")
    place = task["views"][0]
    asked = {"series": place["series"], "slice": place["slice"]}
    heat = answer(reader.web.get(f"/review/levels/{task['level_id']}/heatmap", params=asked))
    assert heat["box"] == list(STORED)
    picture = _picture(heat["png"])
    assert np.argwhere(picture[..., 3]).tolist() == [[0, 23]]


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2)])
@pytest.mark.parametrize("signs", list(itertools.product((1, -1), repeat=3)))
def test_what_is_laid_over_a_file_fits_it(
    tmp_path: Path, order: tuple[int, int, int], signs: tuple[int, int, int]
) -> None:
    """A piece of the picture itself, handed over as a heat map, is the same piece of the file."""
    shape = (5, 40, 32)
    files = written(tmp_path, volume(shape, where=frame(shape, SAGITTAL[:, list(order)] * signs)))
    shown, box = read_series(files), PixelBox(3.0, 4.0, 20.0, 12.0)
    found = HeatMap(_uri(_coloured(shown.pixels[1], box)), box, Diagnosis.MALIGNANT, 0.8)
    turned = Screen(Pictures(None)).turned(_series(tmp_path, files), 1, found)  # type: ignore[arg-type]
    file = next(ds for ds in map(dcmread, files) if ds.SOPInstanceUID == shown.slice_uids[1])
    stored = file.pixel_array.astype(np.float32)
    stored = stored * float(file.get("RescaleSlope", 1)) + float(file.get("RescaleIntercept", 0))
    assert np.array_equal(_picture(turned.png), _coloured(stored, turned.box))


def _series(folder: Path, files: tuple[Path, ...]) -> Series:
    return Series(
        id=1,
        folder_id=1,
        kind=FileKind.DICOM,
        slices=len(files),
        folder=StudyFolder(path=str(folder)),
        instances=[Instance(path=str(path.relative_to(folder))) for path in files],
    )


def _coloured(pixels: np.ndarray, box: PixelBox) -> np.ndarray:
    x0, y0, x1, y1 = (round(v) for v in box.as_tuple())
    grey = (np.rint(pixels[y0:y1, x0:x1]) % 256).astype(np.uint8)
    return np.stack([grey] * 4, axis=-1)


def _uri(picture: np.ndarray) -> str:
    stream = io.BytesIO()
    Image.fromarray(picture, "RGBA").save(stream, format="PNG")
    return _PNG + base64.b64encode(stream.getvalue()).decode()


def _picture(uri: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.removeprefix(_PNG)))))
