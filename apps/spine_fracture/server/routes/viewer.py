"""The viewers: stock OHIF with our extension under ``/viewer``, MONAI Label's own under ``/ohif``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import FileResponse, HTMLResponse, Response
from starlette.datastructures import Headers
from starlette.staticfiles import NotModifiedResponse

from spine_fracture.server.routes.common import Room
from spine_fracture.server.viewer import (
    CONTENT_POLICY,
    NOT_INSTALLED,
    Viewer,
    bundled_config,
    bundled_file,
    bundled_page,
)

router = APIRouter(include_in_schema=False)
#: Names of the build carry a digest of their content, so that a browser may keep them.
_KEEP, _ASK_AGAIN = "private, max-age=31536000, immutable", "no-cache"
_TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm"}


async def _viewer(room: Room) -> Viewer:
    given = room.project.settings
    return Viewer(given.viewer_folder, given.client_folder)


Files = Annotated[Viewer, Depends(_viewer)]


@router.get("/app-config.js")
def config(viewer: Files) -> Response:
    return _script(viewer.config())


@router.get("/init-service-worker.js")
@router.get("/sw.js")
@router.get("/ohif/init-service-worker.js")
@router.get("/ohif/sw.js")
def no_service_worker() -> Response:
    """The stock ones load code from the internet, and would go on answering after an update."""
    return _script("")


@router.get("/ohif-spine/{name:path}")
def ours(request: Request, viewer: Files, name: str) -> Response:
    return _file(request, viewer.our_file(name), _ASK_AGAIN)


@router.get("/viewer")
@router.get("/viewer/{page:path}")
def page(request: Request, viewer: Files, page: str = "") -> Response:
    """Every address of the viewer is the same page, which shows what the address says."""
    if not viewer.installed:
        return HTMLResponse(NOT_INSTALLED, 503)
    return _file(request, viewer.stock_file("index.html"), _ASK_AGAIN)


@router.get("/ohif/app-config.js")
def config_of_bundled() -> Response:
    return _script(bundled_config())


@router.get("/ohif")
@router.get("/ohif/{name:path}")
def bundled(request: Request, name: str = "") -> Response:
    if "." in name.rpartition("/")[2]:
        return _file(request, bundled_file(name), _ASK_AGAIN)
    return HTMLResponse(bundled_page(), headers={"Cache-Control": _ASK_AGAIN} | _SAFE)


@router.get("/{stem}.{suffix}")
def build(request: Request, viewer: Files, stem: str, suffix: str) -> Response:
    """The build expects its files at the root."""
    return _file(request, viewer.stock_file(f"{stem}.{suffix}"), _KEEP if _digested(stem) else _ASK_AGAIN)


@router.get("/assets/{name:path}")
@router.get("/ort/{name:path}")
@router.get("/dicom-microscopy-viewer/{name:path}")
def assets(request: Request, viewer: Files, name: str) -> Response:
    folder = request.url.path.split("/")[1]
    return _file(request, viewer.stock_file(f"{folder}/{name}"), _ASK_AGAIN)


def _digested(stem: str) -> bool:
    digest = stem.rpartition(".")[2]
    return len(digest) == 20 and all(c in "0123456789abcdef" for c in digest)


def _script(text: str) -> Response:
    return Response(text, media_type="text/javascript", headers={"Cache-Control": _ASK_AGAIN} | _SAFE)


def _file(request: Request, path: Path, keep: str) -> Response:
    answer = FileResponse(
        path,
        media_type=_TYPES.get(path.suffix),
        headers={"Cache-Control": keep} | _SAFE,
        stat_result=path.stat(),
    )
    if _same(Headers(scope=request.scope).get("if-none-match"), answer.headers["etag"]):
        return NotModifiedResponse(answer.headers)
    return answer


def _same(known: str | None, etag: str) -> bool:
    return known is not None and etag in {tag.strip().removeprefix("W/") for tag in known.split(",")}


_SAFE = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": CONTENT_POLICY}
