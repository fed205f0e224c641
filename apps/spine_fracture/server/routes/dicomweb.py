"""``/dicom-web``: pictures and reports for the viewers; ``/proxy/dicom`` is the same for MONAI Label's."""

from __future__ import annotations

import gzip

from anyio import to_thread
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from spine_fracture.cohort.leases import has_active
from spine_fracture.cohort.people import Role
from spine_fracture.cohort.project import Project
from spine_fracture.errors import NotFoundError, SpineFractureError, UnsureError
from spine_fracture.server.auth import Principal, principal_of
from spine_fracture.server.dicomweb import stow
from spine_fracture.server.dicomweb.addresses import What, parse
from spine_fracture.server.dicomweb.seen import note_opinions
from spine_fracture.server.dicomweb.web import JSON, DicomWeb, Question
from spine_fracture.server.routes.common import Room
from spine_fracture.server.viewer import DICOM_WEB, READING_ROOM

router = APIRouter(include_in_schema=False)
_ROOTS = (f"{DICOM_WEB}/", "/proxy/dicom/qido/", "/proxy/dicom/wado/")
#: Below this size a list travels as fast plain, in bytes.
_WORTH_PACKING = 2048


@router.get("/dicom-web/{path:path}")
@router.get("/proxy/dicom/qido/{path:path}")
@router.get("/proxy/dicom/wado/{path:path}")
async def get(request: Request, room: Room) -> Response:
    address = parse(_as_sent(request))
    principal, web = principal_of(request), _web(request)
    pictures_only = _asked_by_reading_room(request) or await to_thread.run_sync(
        _sees_pictures_only, room.project, principal
    )
    question = Question(address, request.query_params, request.headers.get("accept", ""), pictures_only)
    answer = await web.answer(question)
    if not pictures_only:
        said = bytes(answer.body) if address.what is What.METADATA else b""
        await to_thread.run_sync(note_opinions, web.pictures, address, said, principal.id)
    answer.headers["X-Content-Type-Options"] = "nosniff"
    return _packed(answer, request.headers.get("accept-encoding", ""))


@router.post("/dicom-web/studies")
@router.post("/dicom-web/studies/{study}")
@router.post("/proxy/dicom/wado/studies")
async def post(request: Request, room: Room) -> Response:
    """Keep structured reports that a reader saved in a viewer."""
    principal = principal_of(request)
    principal.needs(Role.READER)
    _as_sent(request)
    body, kind = await request.body(), request.headers.get("content-type", "")
    reports = await to_thread.run_sync(stow.reports_in, room.project, kind, body)
    for report in reports:
        await _keep(_web(request), room.project, report, principal.id)
    return JSONResponse(stow.answer(reports, DICOM_WEB), media_type=JSON)


async def _keep(web: DicomWeb, project: Project, report: stow.SentReport, author: str) -> None:
    came = await to_thread.run_sync(stow.note, project, report, author)
    if came is stow.Came.KEPT:
        return
    try:
        await web.store(report)
    except UnsureError:
        raise  # where it is there all the same, it is met there as its author's: the note says whose it is
    except SpineFractureError:
        if came is stow.Came.NEW:
            await to_thread.run_sync(stow.take_back, project, report, author)
        raise


def _as_sent(request: Request) -> str:
    """The address below the root, undecoded: percent signs would hide what the archive makes of it."""
    raw = request.scope["raw_path"].decode("latin-1")
    root = next((root for root in _ROOTS if raw.startswith(root)), None)
    if root is None or "%" in raw:
        raise NotFoundError("There is nothing at this address.")
    return str(raw.removeprefix(root))


def _web(request: Request) -> DicomWeb:
    web: DicomWeb = request.app.state.dicom_web
    return web


def _asked_by_reading_room(request: Request) -> bool:
    """Whether the browser says that the page is the reading room, which fetches ahead also in the moment
    between two levels, when nothing lies before the reader: no opinion may come along then.
    """
    page = request.headers.get("referer", "").split("?")[0].split("#")[0].rstrip("/")
    # OHIF has each mode at the address with the name of a source of studies behind it too.
    return page.endswith(READING_ROOM) or f"{READING_ROOM}/" in page


def _sees_pictures_only(project: Project, principal: Principal) -> bool:
    """Whom a program asks for is not known here, and they may be reading."""
    if principal.is_service:
        return True
    with project.session() as session:
        return has_active(session, principal.id)


def _packed(answer: Response, accepted: str) -> Response:
    body = getattr(answer, "body", b"")
    if answer.media_type == JSON and len(body) >= _WORTH_PACKING and "gzip" in accepted:
        packed = gzip.compress(body, 1, mtime=0)
        headers = {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
        kept = {"Cache-Control": answer.headers["cache-control"], "X-Content-Type-Options": "nosniff"}
        return Response(packed, media_type=JSON, headers=headers | kept)
    return answer
