"""The viewers' files: the right ones under the right addresses, and nothing else of the disk."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from server.running import RunningServer, running
from server.studies import QuickPipeline

from spine_fracture.errors import NotFoundError
from spine_fracture.server.viewer import Viewer, bundled_folder
from spine_fracture.settings import settings

STOCK = settings().viewer_folder


@pytest.fixture(scope="module")
def without_viewer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPINE_FRACTURE_VIEWER", str(home / "nowhere"))
        with running(home / "project", None, QuickPipeline()) as found:
            yield found


def config_of(script: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(script.partition("window.config = ")[2].partition(";\n")[0])
    return found


@pytest.mark.parametrize(
    "address", ["/viewer", "/viewer/", "/viewer/review?StudyInstanceUIDs=1.2.3", "/viewer/a/b"]
)
def test_every_address_of_the_viewer_is_its_page(server: RunningServer, address: str) -> None:
    response = httpx.get(server.url + address)
    assert (response.status_code, response.text) == (200, (STOCK / "index.html").read_text())
    assert "default-src 'self'" in response.headers["content-security-policy"]
    assert response.headers["cache-control"] == "no-cache"


def test_the_files_that_the_page_names_are_there(server: RunningServer) -> None:
    bundle = next(STOCK.glob("app.bundle.*.js"))
    response = httpx.get(f"{server.url}/{bundle.name}")
    assert len(response.content) == bundle.stat().st_size
    assert "immutable" in response.headers["cache-control"]
    assert response.headers["content-type"].startswith("text/javascript")
    wasm = next(STOCK.glob("*.wasm"))
    assert httpx.get(f"{server.url}/{wasm.name}").headers["content-type"] == "application/wasm"
    assert httpx.get(f"{server.url}/assets/favicon.ico").status_code == 200


def test_a_browser_that_has_a_file_is_not_sent_it_again(server: RunningServer) -> None:
    first = httpx.get(f"{server.url}/app.bundle.css")
    again = httpx.get(f"{server.url}/app.bundle.css", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_the_configuration_loads_our_extension_and_names_one_source(server: RunningServer) -> None:
    script = httpx.get(f"{server.url}/app-config.js").text
    config = config_of(script)
    assert config["routerBasename"] == "/viewer"
    assert config["extensions"] == ["/ohif-spine/extension.js"]
    assert config["modes"] == ["/ohif-spine/mode.js"]
    assert script.count('"/dicom-web"') == 3
    assert "://" not in script
    assert "window.config.httpErrorHandler = " in script
    for module in ("extension.js", "mode.js"):
        found = httpx.get(f"{server.url}/ohif-spine/{module}")
        assert found.status_code == 200
        assert found.headers["content-type"].startswith("text/javascript")
        assert found.headers["cache-control"] == "no-cache"


def test_no_service_worker_is_loaded_from_the_internet(server: RunningServer) -> None:
    for name in ("init-service-worker.js", "sw.js", "ohif/init-service-worker.js"):
        response = httpx.get(f"{server.url}/{name}")
        assert (response.status_code, response.text) == (200, "")


@pytest.mark.parametrize(
    "address",
    [
        "/nothing",
        "/nothing.js",
        "/assets/nothing.png",
        "/assets/../index.html.",
        "/ohif-spine/..%2f..%2fpackage.json",
        "/ohif-spine/%2e%2e/%2e%2e/package.json",
        "/ohif/..%2f..%2f..%2fconfig.py",
        "/%2e%2e%2fpackage.json",
        "/assets/..%2f..%2fpackage.json",
        "/assets/x%00.png",
        "/ohif-spine/" + "x" * 5000,
    ],
)
def test_nothing_else_of_the_disk_is_served(server: RunningServer, address: str) -> None:
    response = httpx.get(server.url + address)
    assert response.status_code == 404
    assert isinstance(response.json()["detail"], str)


def test_the_addresses_of_monai_label_are_not_taken_by_files(server: RunningServer) -> None:
    assert httpx.get(f"{server.url}/info/").json()["name"] == "spine_fracture"
    assert httpx.get(f"{server.url}/info", follow_redirects=False).status_code == 307


def test_monai_labels_own_viewer_runs_on_our_dicomweb_alone(server: RunningServer) -> None:
    page = httpx.get(f"{server.url}/ohif/monai-label?StudyInstanceUIDs=1.2.3")
    assert (page.status_code, "/ohif/app.bundle." in page.text) == (200, True)
    assert "https://" not in page.text
    script = httpx.get(f"{server.url}/ohif/app-config.js").text
    assert config_of(script)["routerBasename"] == "/ohif/"
    assert "MONAILABEL_SERVER_URL=" in script
    assert ('"/proxy/dicom/qido"' in script, '"/proxy/dicom/wado"' in script) == (True, True)
    bundle = next(bundled_folder().glob("app.bundle.*.js"))
    assert len(httpx.get(f"{server.url}/ohif/{bundle.name}").content) == bundle.stat().st_size


def test_without_the_viewer_a_page_says_what_to_do(without_viewer: RunningServer) -> None:
    response = httpx.get(f"{without_viewer.url}/viewer/review?StudyInstanceUIDs=1.2.3")
    assert response.status_code == 503
    assert ("make setup" in response.text, "Not for clinical use" in response.text) == (True, True)
    assert httpx.get(f"{without_viewer.url}/app.bundle.css").status_code == 404
    assert httpx.get(f"{without_viewer.url}/info/").status_code == 200


def test_links_that_lead_out_of_the_folder_are_not_followed(tmp_path: Path) -> None:
    folder = tmp_path / "ours"
    folder.mkdir()
    (tmp_path / "secret.js").write_text("secret")
    (folder / "link.js").symlink_to(tmp_path / "secret.js")
    (folder / ".hidden.js").write_text("hidden")
    (folder / "mine.js").write_text("mine")
    viewer = Viewer(tmp_path / "stock", folder)
    assert viewer.our_file("mine.js").read_text() == "mine"
    for name in ("link.js", ".hidden.js", "../secret.js", str(tmp_path / "secret.js"), ""):
        with pytest.raises(NotFoundError):
            viewer.our_file(name)


def test_the_extension_is_left_out_while_it_is_not_there(tmp_path: Path) -> None:
    config = config_of(Viewer(tmp_path, tmp_path).config())
    assert (config["extensions"], config["modes"]) == ([], [])
