"""MONAI Label's own Python client drives the whole loop on a folder; a real Orthanc is in tests/orthanc."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from monailabel.client.client import MONAILabelClient, MONAILabelClientException
from server.conftest import PATIENTS
from server.readers import next_assisted, speaking_for
from server.running import RunningServer
from server.studies import LEVELS, image_id
from sqlalchemy import select

from spine_fracture.cohort.models import Read, ReadMode
from spine_fracture.server.auth import LOCAL
from spine_fracture.server.inference import ModelName
from spine_fracture.server.samples import MONAI_LABEL_TAB

# The client leaves its sockets to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.fixture
def client(server: RunningServer, tmp_path: Path) -> MONAILabelClient:
    """As on an open project: whatever it calls itself, it is everybody."""
    return MONAILabelClient(server.url, tmpdir=str(tmp_path), client_id="reader-1")


Speaking = Callable[[str], MONAILabelClient]


@pytest.fixture
def speaking(server: RunningServer, token: str, tmp_path: Path) -> Speaking:
    """Clients of readers by their names."""
    return lambda reader: speaking_for(server, reader, token, tmp_path)


def test_info_lists_everything(client: MONAILabelClient) -> None:
    info = client.info()
    assert {name: model["type"] for name, model in info["models"].items()} == {
        "vertebra_detection": "detection",
        "fracture_classification": "classification",
        "spine_segmentation_twin": "segmentation",
    }
    assert {"uncertainty", "random_stratified"} <= set(info["strategies"])
    assert set(info["trainers"]) == {"fracture_classification"}
    assert set(info["scoring"]) == {"reader_agreement"}
    assert "L3 malignant" in info["models"]["spine_segmentation_twin"]["labels"]
    assert info["datastore"]["total"] == len(PATIENTS)
    assert "Not for clinical use" in info["description"]
    assert not client.auth_enabled()


def test_the_whole_loop(client: MONAILabelClient, server: RunningServer, tmp_path: Path) -> None:
    sample = next_assisted(client, tmp_path)
    assert sample["level"] in LEVELS
    assert len(sample["box"]) == 4
    assert len(sample["center"]) == 3
    assert sample["reason"]
    file, answer = client.infer(ModelName.DETECTION, sample["id"], {})
    assert sample["level"] in [level["level"] for level in answer["levels"]]
    before = client.info()["datastore"]["label_tags"]["final"]
    saved = client.save_label(sample["id"], file, params={"level_id": sample["level_id"]})
    assert [read["level_id"] for read in saved["reads"]] == [sample["level_id"]]
    assert saved["untouched"] == len(LEVELS) - 1
    assert client.info()["datastore"]["label_tags"]["final"] == before + 1
    assert client.datastore()["objects"][sample["id"]]["labels"]
    label = json.loads(Path(client.download_label(saved["label"], "final")).read_text())
    assert {read["reader"] for read in label["reads"]} == {LOCAL.id}
    assert client.next_sample("uncertainty", {})["level_id"] not in [r["level_id"] for r in saved["reads"]]
    server.room.review.serving.release(LOCAL, MONAI_LABEL_TAB)

    job = client.train_start("fracture_classification", {})
    assert job["status"] in ("SUBMITTED", "RUNNING")
    assert client.train_status()["id"] == job["id"]
    with pytest.raises(MONAILabelClientException, match="runs already"):
        client.train_start("fracture_classification", {})
    assert client.train_status(check_if_running=True)
    assert client.train_stop()["status"] == "STOPPED"
    assert not client.train_status(check_if_running=True)


def test_a_sample_is_kept_for_its_reader(speaking: Speaking) -> None:
    first, second = speaking("keeps-1"), speaking("keeps-2")
    mine = first.next_sample("uncertainty", {})
    assert second.next_sample("uncertainty", {})["level_id"] != mine["level_id"]
    assert first.next_sample("random_stratified", {})["level_id"] == mine["level_id"]


def test_our_own_read_has_features_and_confidence(speaking: Speaking, tmp_path: Path) -> None:
    client = speaking("reader-2")
    image = image_id(PATIENTS[1])
    sheet = {
        "reads": [
            {
                "level": "L2",
                "diagnosis": "benign_fracture",
                "features": ["anterior_wedge", "band_oedema"],
                "confidence": 4,
                "seconds": 21.5,
                "basis": "biopsy",
                "token": "press-1",
                "box": {"series": image, "slice": 2, "box": [21, 23, 43, 37]},
            }
        ]
    }
    kept = client.save_label(image, _file(tmp_path, sheet))
    assert client.save_label(image, _file(tmp_path, sheet)) == kept
    (read,) = _stored(client, image, "reader-2")
    assert read["features"] == ["anterior_wedge", "band_oedema"]
    assert (read["confidence"], read["basis"], read["reader"]) == (4, "biopsy", "reader-2")
    assert read["box"] == {"series": image, "slice": 2, "box": [21, 23, 43, 37]}


def test_the_mode_of_a_read_is_what_the_server_knows(
    speaking: Speaking, server: RunningServer, tmp_path: Path
) -> None:
    blinded, looking = speaking("reader-5"), speaking("reader-6")
    sample = blinded.next_sample("uncertainty", {})
    while sample["mode"] != "blinded":
        _answer(blinded, sample, tmp_path)
        sample = blinded.next_sample("uncertainty", {})
    with pytest.raises(MONAILabelClientException, match="You are reading blinded"):
        blinded.infer(ModelName.CLASSIFICATION, sample["id"], {})
    _answer(blinded, sample, tmp_path)
    looking.infer(ModelName.CLASSIFICATION, sample["id"], {})
    _answer(looking, sample, tmp_path)
    with server.room.project.session() as session:
        modes = session.execute(select(Read.reader, Read.mode).where(Read.level_id == sample["level_id"]))
        assert {row.reader: row.mode for row in modes} == {
            "reader-5": ReadMode.BLINDED,
            "reader-6": ReadMode.ASSISTED,
        }


def test_a_corrected_scene_keeps_the_new_box_name_and_class(speaking: Speaking, tmp_path: Path) -> None:
    client = speaking("reader-3")
    image = image_id(PATIENTS[2])
    file, _ = client.infer(ModelName.DETECTION, image, {})
    scene = json.loads(Path(file).read_text())
    scene["markups"] = [scene["markups"][1], {"type": "ROI", "name": "SAM2 ROI", "controlPoints": []}]
    scene["markups"][0]["name"] = "L3 hemangioma"
    scene["markups"][0]["size"][1] *= 1.2
    saved = client.save_label(image, _file(tmp_path, scene))
    assert [(r["level"], r["diagnosis"]) for r in saved["reads"]] == [("L3", "hemangioma")]
    (read,) = _stored(client, image, "reader-3")
    assert read["box"]["slice"] == 2
    assert read["box"]["box"] == pytest.approx([20, 22 - 1.4, 44, 36 + 1.4], abs=0.01)
    scene["markups"][0]["center"][2] += 400
    with pytest.raises(MONAILabelClientException, match="No vertebra was found where"):
        client.save_label(image, _file(tmp_path, scene))


def test_of_a_scene_only_what_the_reader_changed_is_a_read(speaking: Speaking, tmp_path: Path) -> None:
    client = speaking("reader-4")
    image = image_id(PATIENTS[2])
    file, _ = client.infer(ModelName.DETECTION, image, {})
    scene = json.loads(Path(file).read_text())
    scene["markups"][0]["center"][2] += 0.2
    scene["markups"][3]["center"][2] += 2.0
    scene["markups"][4]["name"] = "L5 malignant"
    saved = client.save_label(image, _file(tmp_path, scene))
    assert [(read["level"], read["diagnosis"]) for read in saved["reads"]] == [
        ("L4", "hemangioma"),
        ("L5", "malignant"),
    ]
    assert saved["untouched"] == 3
    with pytest.raises(MONAILabelClientException, match="level_id is"):
        client.save_label(image, file, params={"level_id": "x"})


def test_a_scene_of_who_was_shown_nothing_does_not_tell_where_the_models_agree(
    speaking: Speaking, tmp_path: Path
) -> None:
    image = image_id(PATIENTS[2])
    file, _ = speaking("shows").infer(ModelName.DETECTION, image, {})
    saved = speaking("own-rois").save_label(image, file)
    assert (len(saved["reads"]), saved["untouched"]) == (len(LEVELS), 0)


def test_two_readers_saving_at_once_both_keep_their_reads(
    speaking: Speaking, server: RunningServer, tmp_path: Path
) -> None:
    image = image_id(PATIENTS[1])
    before = server.room.labels.count()

    def save(number: int) -> None:
        own = speaking(f"many-{number}")
        own.save_label(image, _file(tmp_path, {"level": "L5", "diagnosis": "normal"}, f"{number}.json"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(save, range(16)))
    assert server.room.labels.count() == before + 16


def test_a_service_names_its_reader_and_nobody_else_does(
    client: MONAILabelClient, server: RunningServer, token: str, tmp_path: Path
) -> None:
    image, read = image_id(PATIENTS[0]), {"level": "L5", "diagnosis": "normal"}
    client.save_label(image, _file(tmp_path, read), params={"reader": "somebody-else"})
    assert not _stored(client, image, "somebody-else")
    assert _stored(client, image)
    bare = httpx.post(
        f"{server.url}/activelearning/uncertainty", headers={"Authorization": f"Bearer {token}"}
    )
    assert (bare.status_code, "client_id" in bare.text) == (422, True)


def test_batch_inference_and_scoring(client: MONAILabelClient, server: RunningServer) -> None:
    run = httpx.post(f"{server.url}/batch/infer/vertebra_detection", params={"run_sync": True}).json()
    assert run["status"] == "DONE"
    assert len(run["details"]) == len(PATIENTS)
    assert httpx.get(f"{server.url}/batch/infer").json()["id"] == run["id"]
    scored = httpx.post(f"{server.url}/scoring/reader_agreement", params={"run_sync": True}).json()
    assert scored["status"] == "DONE"
    assert "macro_f1" in scored["details"][0]
    assert httpx.get(f"{server.url}/scoring/").json()["id"] == scored["id"]
    assert httpx.get(f"{server.url}/scoring/?check_if_running=true").status_code == 404


def _stored(client: MONAILabelClient, image: str, reader: str = LOCAL.id) -> list[dict[str, Any]]:
    """A reader's reads as that reader sees them; MONAI Label's client names nobody when it downloads."""
    params = {"label": image, "tag": "final", "client_id": reader}
    headers = {"Authorization": client._headers.get("Authorization", "")}
    label = httpx.get(f"{client.get_server_url()}/datastore/label", params=params, headers=headers)
    return [read for read in label.raise_for_status().json()["reads"] if read["reader"] == reader]


def _answer(client: MONAILabelClient, sample: dict[str, Any], folder: Path) -> None:
    client.save_label(sample["id"], _file(folder, {"level_id": sample["level_id"], "diagnosis": "normal"}))


def _file(folder: Path, content: dict[str, Any], name: str = "label.json") -> str:
    path = folder / name
    path.write_text(json.dumps(content))
    return str(path)
