"""Whatever a client sends, it gets one sentence that says what to do, and nothing of the server's disk."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from server.conftest import PATIENTS
from server.running import RunningServer
from server.studies import image_id

IMAGE = image_id(PATIENTS[0])
INFER = f"/infer/vertebra_detection?image={IMAGE}"
LABEL = f"/datastore/label?image={IMAGE}"


def detail(response: httpx.Response) -> str:
    text = response.json()["detail"]
    assert isinstance(text, str)
    assert "\n" not in text
    assert "Traceback" not in response.text
    return text


def put_label(
    server: RunningServer, content: object, url: str = LABEL, name: str = "label.json"
) -> httpx.Response:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return httpx.put(server.url + url, files={"label": (name, data)}, data={"params": "{}"})


def test_an_unknown_model_is_answered_with_the_models_there_are(server: RunningServer) -> None:
    response = httpx.post(f"{server.url}/infer/nothing?image={IMAGE}")
    assert response.status_code == 404
    assert "vertebra_detection, fracture_classification, spine_segmentation_twin" in detail(response)


@pytest.mark.parametrize(
    "image",
    ["", "1.2.3", "/etc/passwd", "../../../etc/passwd", "..%2f..%2fetc%2fpasswd", "x" * 5000, "1.2\0"],
)
def test_an_image_is_an_id_of_the_catalogue_and_never_a_path(server: RunningServer, image: str) -> None:
    for method, path in (
        ("POST", "/infer/vertebra_detection"),
        ("GET", "/datastore/image"),
        ("GET", "/datastore/image/info"),
    ):
        response = httpx.request(method, server.url + path, params={"image": image})
        assert response.status_code == 404, path
        assert "no such image" in detail(response)


@pytest.mark.parametrize(
    ("params", "status", "says"),
    [
        ({"level": "L9"}, 422, "not a vertebral level"),
        ({"level": "C1"}, 404, "not found in this study"),
        ({"level": 3}, 422, "level"),
        ({"result_extension": "../../x"}, 422, "result_extension is one of"),
        ({"result_extension": []}, 422, "result_extension is one of"),
        ({"result_compress": "maybe"}, 422, "result_compress"),
    ],
)
def test_wrong_parameters_are_named(
    server: RunningServer, params: dict[str, Any], status: int, says: str
) -> None:
    response = httpx.post(server.url + INFER, data={"params": json.dumps(params)})
    assert response.status_code == status
    assert says in detail(response)


@pytest.mark.parametrize("params", ["{", "[]", "3", '"x"'])
def test_params_must_be_a_json_object(server: RunningServer, params: str) -> None:
    assert httpx.post(server.url + INFER, data={"params": params}).status_code == 422


def test_unknown_parameters_change_nothing(server: RunningServer) -> None:
    params = {"image": "/etc/passwd", "model": "x", "device": "cuda", "path": "/tmp"}
    plain = httpx.post(server.url + INFER + "&output=json").json()
    assert (
        httpx.post(server.url + INFER + "&output=json", data={"params": json.dumps(params)}).json() == plain
    )


def test_pictures_are_not_uploaded(server: RunningServer) -> None:
    response = httpx.post(server.url + INFER, files={"file": ("x.nii.gz", b"1")})
    assert response.status_code == 422
    response = httpx.put(f"{server.url}/datastore/?image=x", files={"file": ("x.nii.gz", b"1")})
    assert response.status_code in (404, 405)


@pytest.mark.parametrize(
    ("content", "status", "says"),
    [
        (b"", 422, "not a read"),
        (b"\x89NRRD", 422, "not a read"),
        ({}, 422, "diagnosis"),
        ({"reads": []}, 422, "reads"),
        ({"level": "L9", "diagnosis": "normal"}, 422, "not a vertebral level"),
        ({"level": "C1", "diagnosis": "normal"}, 404, "not found in this study"),
        ({"level": "L1", "diagnosis": "broken"}, 422, "not a class"),
        ({"level": "L1", "diagnosis": "normal", "features": ["pretty"]}, 422, "not an imaging feature"),
        ({"level": "L1", "diagnosis": "normal", "confidence": 9}, 422, "confidence"),
        ({"level": "L1", "diagnosis": "normal", "seconds": -1}, 422, "seconds"),
        ({"level": "L1", "diagnosis": "normal", "level_version": 99}, 409, "changed"),
        ({"level_id": 99999, "diagnosis": "normal"}, 404, "no level"),
        ({"diagnosis": "normal"}, 422, "level"),
        ({"level": "L1", "diagnosis": "normal", "feature": []}, 422, "feature"),
        ({"level": "L1", "diagnosis": "normal", "mode": "blinded"}, 422, "mode"),
        (
            {"level": "L1", "diagnosis": "normal", "box": {"series": "1.2", "slice": 0, "box": [1, 1, 2, 2]}},
            404,
            "series",
        ),
        (
            {"level": "L1", "diagnosis": "normal", "box": {"series": IMAGE, "slice": 0, "box": [2, 2, 1, 1]}},
            422,
            "area",
        ),
        ({"markups": []}, 422, "No ROI"),
        ({"markups": 1}, 422, "not Markups JSON"),
    ],
)
def test_labels_that_are_no_reads_are_refused(
    server: RunningServer, content: object, status: int, says: str
) -> None:
    before = server.room.labels.count()
    response = put_label(server, content)
    assert response.status_code == status, response.text
    assert says in detail(response)
    assert server.room.labels.count() == before


def test_tags_and_images_of_labels_cannot_climb(server: RunningServer) -> None:
    read = {"level": "L1", "diagnosis": "normal"}
    assert put_label(server, read, LABEL + "&tag=../../x").status_code == 422
    assert put_label(server, read, "/datastore/label?image=../../x").status_code == 404
    assert httpx.get(f"{server.url}/datastore/label?label={IMAGE}&tag=../x").status_code == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/model/vertebra_detection"),
        ("DELETE", "/model/vertebra_detection"),
        ("GET", "/model/vertebra_detection"),
        ("POST", "/reload"),
        ("GET", "/logs/"),
        ("PUT", "/session/"),
        ("GET", "/docs"),
        ("GET", "/openapi.json"),
        ("DELETE", "/datastore/image?id=x"),
    ],
)
def test_what_would_be_unsafe_is_not_served(server: RunningServer, method: str, path: str) -> None:
    assert httpx.request(method, server.url + path).status_code in (404, 405)


def test_an_unknown_strategy_trainer_or_method_is_404(server: RunningServer) -> None:
    for path in ("/activelearning/nothing", "/train/nothing", "/scoring/nothing", "/batch/infer/nothing"):
        response = httpx.post(server.url + path)
        assert response.status_code == 404, path
        assert "use" in detail(response)


def test_other_sites_cannot_change_anything(server: RunningServer) -> None:
    foreign = {"Origin": "http://elsewhere.example"}
    url, window = server.url + "/review/leases/release", {"tab": "window-1"}
    assert httpx.post(url, json=window, headers=foreign).status_code == 403
    assert httpx.post(url, json=window, headers={"Origin": server.url}).status_code == 200
    answer = httpx.get(server.url + "/info/", headers=foreign)
    assert "access-control-allow-origin" not in answer.headers


def test_no_other_name_leads_to_a_server_of_this_machine(server: RunningServer) -> None:
    response = httpx.get(server.url + "/info/", headers={"Host": "rebound.example"})
    assert response.status_code == 400


def test_requests_have_a_largest_size(server: RunningServer) -> None:
    response = put_label(server, b" " * (33 * 2**20))
    assert response.status_code == 413


def test_what_fails_is_logged_by_its_kind_and_route_alone(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> int:
        raise RuntimeError("Jane Doe")

    monkeypatch.setattr(server.room.catalogue, "count", broken)
    response = httpx.get(server.url + "/")
    assert response.status_code == 500
    assert "GET / failed: RuntimeError" in caplog.text
    assert "Jane" not in caplog.text + detail(response)


def test_the_landing_page_says_what_it_is_not_for(server: RunningServer) -> None:
    page = httpx.get(server.url + "/")
    assert "Not for clinical use" in page.text
    assert "report/" not in page.text


def test_the_report_is_served_and_nothing_beside_it(server: RunningServer) -> None:
    folder = server.room.report_folder
    folder.mkdir(exist_ok=True)
    (folder / "report.html").write_text("the report")
    try:
        found = httpx.get(server.url + "/report/")
        assert (found.text, found.headers["x-content-type-options"]) == ("the report", "nosniff")
        (folder / "gate.json").write_text("{}")
        assert 'href="report/"' in httpx.get(server.url + "/").text
        for path in (
            "..%2fspine.db",
            "%2e%2e/spine.db",
            "..%2f..%2f..%2f..%2fetc%2fpasswd",
            "%2fetc%2fpasswd",
            "gate.json",
        ):
            assert httpx.get(f"{server.url}/report/{path}").status_code == 404
    finally:
        (folder / "report.html").unlink()
