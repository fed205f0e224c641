"""MONAI Label's own Slicer module as the wheel brings it: its code runs here against our server."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from importlib.metadata import files
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from urllib.parse import quote_plus

import httpx
import numpy as np
import pytest
from clients.conftest import PASSWORD, PATIENTS, Ward
from clients.fake_slicer import FakeSlicer, RoiNode
from server.studies import LEVELS, image_id
from spine_fracture_reading.connection import Connection
from sqlalchemy import select

from spine_fracture.anatomy import Diagnosis, Level
from spine_fracture.cohort.models import Read
from spine_fracture.server.samples import MONAI_LABEL_TAB

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")


@pytest.fixture
def module(slicer: FakeSlicer, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The module's file, imported as Slicer imports it."""
    found = [file.locate() for file in files("monailabel") or () if file.name == "MONAILabel.py"]
    for name, stand_in in slicer.modules().items():
        monkeypatch.setitem(sys.modules, name, stand_in)
    monkeypatch.syspath_prepend(str(Path(str(found[0])).parent))
    yield importlib.import_module("MONAILabel")
    for name in [name for name in sys.modules if name.startswith("MONAILabel")]:
        del sys.modules[name]


class Desk:
    """A person at Slicer: what the buttons of the module's panel do, by its own functions."""

    def __init__(self, module: ModuleType, slicer: FakeSlicer, ward: Ward, reader: str) -> None:
        self.widget = module.MONAILabelWidget
        self.logic = module.MONAILabelLogic(str(slicer.folder), ward.url, client_id="anybody")
        self.logic.username, self.logic.password = reader, PASSWORD  # as typed into its dialog
        self.slicer, self.ward = slicer, ward
        self.refusal: type[Exception] = sys.modules["MONAILabelLib.client"].MONAILabelClientException
        self.panel = SimpleNamespace(_segmentNode=SimpleNamespace(GetSegmentation=lambda: None))
        self.panel.tmpdir, self.panel.file_ext = str(slicer.folder), ".nii.gz"

    def next(self) -> dict[str, Any]:
        """Next Sample, until one comes that is not blinded: of those, one in four, it shows nothing."""
        self.slicer.scene.Clear(0)
        while (sample := dict(self.logic.next_sample("uncertainty", {})))["mode"] == "blinded":
            self.blinded(sample)
        logic = sys.modules["SampleData"].SampleDataLogic()
        address = f"{self.ward.url}/datastore/image?image={quote_plus(sample['id'])}"
        logic.downloadFromURL(
            nodeNames=sample["name"], fileNames=sample["name"], uris=address, checksums=sample.get("checksum")
        )
        self.slicer.scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "SAM2 ROI")
        self.slicer.scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "Scribbles ROI")
        return sample

    def blinded(self, sample: dict[str, Any]) -> None:
        """What it says of a level to be read blinded; our own client passes it over."""
        with pytest.raises(self.refusal) as refused:
            self.logic.infer("vertebra_detection", sample["id"], {})
        assert "reading blinded" in refused.value.msg  # type: ignore[attr-defined]
        own = Connection(self.ward.url)
        own.sign_in(self.logic.username, PASSWORD)
        skipped = {"level_id": sample["level_id"], "tab": MONAI_LABEL_TAB, "reason": "other", "note": ""}
        own.post("/review/skips", skipped)

    def run(self, sample: dict[str, Any]) -> dict[str, Any]:
        file, answer = self.logic.infer("vertebra_detection", sample["id"], {})
        self.widget.updateSegmentationMask(self.panel, file, list(LEVELS))
        return dict(answer)

    def save(self, sample: dict[str, Any]) -> dict[str, Any]:
        file, info = self.widget.onGenerateJSONFromMulipltROIs(self.panel)
        return dict(self.logic.save_label(sample["id"], file, {"label_info": info}))

    def roi(self, level: str) -> RoiNode:
        return next(
            node
            for node in self.slicer.scene.rois()
            if node.points and node.points[0]["label"].startswith(f"{level} ")
        )


@pytest.fixture
def desk(module: ModuleType, slicer: FakeSlicer, ward: Ward, request: pytest.FixtureRequest) -> Desk:
    return Desk(module, slicer, ward, ward.reader(request.node.name[:60]))


def stored(ward: Ward, reader: str) -> list[Read]:
    with ward.server.room.project.session() as session:
        return list(session.scalars(select(Read).where(Read.reader == reader).order_by(Read.id)))


def test_it_signs_in_and_sees_the_models(desk: Desk) -> None:
    assert "vertebra_detection" in desk.logic.info()["models"]
    desk.logic.password = "wrong"
    desk.logic.auth_token = None
    with pytest.raises(desk.refusal) as refused:
        desk.logic.info()
    assert "Sign in" in refused.value.msg  # type: ignore[attr-defined]


def test_the_next_sample_comes_with_its_picture_and_the_level_to_centre_on(desk: Desk) -> None:
    sample = desk.next()
    assert sample["level"] in LEVELS
    (volume,) = desk.slicer.scene.volumes()
    assert volume.picture.shape == (64, 96, 5)
    to_ijk = np.linalg.inv(volume.picture.affine)
    x, y, z = (to_ijk @ [-sample["center"][0], -sample["center"][1], sample["center"][2], 1])[:3]
    x0, y0, x1, y1 = sample["box"]
    assert (x + 0.5, y + 0.5) == pytest.approx(((x0 + x1) / 2, (y0 + y1) / 2), abs=0.05)
    assert round(z) == 2
    assert abs(round(z) - sample["slice"]) <= 1


def test_a_picture_needs_its_pass(desk: Desk) -> None:
    sample = desk.next()
    series, _, rest = sample["id"].partition("~")
    other = next(uid for uid in map(image_id, PATIENTS) if uid != series)
    address = f"{desk.ward.url}/datastore/image"
    assert httpx.get(address, params={"image": sample["id"]}).status_code == 200
    for image in (series, f"{other}~{rest}", f"{series}~{rest[:-1]}", f"{series}~"):
        assert httpx.get(address, params={"image": image}).status_code == 401
    for path in ("/datastore/image/info", "/datastore/label"):
        asked = {"image": sample["id"], "label": sample["id"], "tag": "final"}
        assert httpx.get(desk.ward.url + path, params=asked).status_code == 401


def test_detections_are_rois_with_level_class_and_probability(desk: Desk) -> None:
    sample = desk.next()
    desk.run(sample)
    names = [node.name for node in desk.slicer.scene.rois()]
    assert names == ["Detection ROI - 0", "Scribbles ROI", *(f"Detection ROI - {n}" for n in range(2, 7))]
    labels = [node.points[0]["label"] for node in desk.slicer.scene.rois() if node.points]
    assert labels == [
        "L1 normal 0.90",
        "L2 benign_fracture 0.70",
        "L3 malignant 0.65",
        "L4 hemangioma 0.60",
        "L5 normal 0.40",
    ]


def test_saving_agrees_for_the_level_that_was_served_and_no_other(desk: Desk) -> None:
    """Its own empty ROI and the ones that nobody touched are no reads."""
    sample = desk.next()
    desk.run(sample)
    saved = desk.save(sample)
    assert [read["level_id"] for read in saved["reads"]] == [sample["level_id"]]
    assert saved["untouched"] == len(LEVELS) - 1
    assert [read.level_id for read in stored(desk.ward, desk.logic.username)] == [sample["level_id"]]
    assert desk.next()["level_id"] != sample["level_id"]


def test_moved_and_renamed_rois_become_reads(desk: Desk) -> None:
    sample = desk.next()
    desk.run(sample)
    touched = next(name for name in LEVELS if name != sample["level"])
    roi = desk.roi(touched)
    roi.matrix = roi.matrix.copy()
    roi.matrix[2, 3] -= 3.0
    roi.SetName(f"{touched} malignant")
    saved = desk.save(sample)
    assert {(read["level"], read["level_id"] == sample["level_id"]) for read in saved["reads"]} == {
        (sample["level"], True),
        (touched, False),
    }
    read = next(r for r in stored(desk.ward, desk.logic.username) if r.name_given == touched)
    assert read.diagnosis is Diagnosis.MALIGNANT
    assert read.box is not None
    expected = 4 + 18 * LEVELS.index(Level(touched)) + 3.0 / 1.5
    assert read.box.y0 == pytest.approx(expected, abs=0.05)


def test_who_sits_there_is_the_one_who_signed_in(desk: Desk) -> None:
    sample = desk.next()
    desk.run(sample)
    desk.save(sample)
    assert stored(desk.ward, "anybody") == []
    label = json.loads(Path(desk.logic.download_label(sample["id"], "final")).read_text())
    assert desk.logic.username in {read["reader"] for read in label["reads"]} - {"anybody"}


def test_an_error_is_in_words(desk: Desk) -> None:
    sample = desk.next()
    desk.run(sample)
    desk.roi(sample["level"]).SetName(f"{sample['level']} broken")
    with pytest.raises(desk.refusal) as refused:
        desk.save(sample)
    assert "'broken' is not a class" in refused.value.msg  # type: ignore[attr-defined]
