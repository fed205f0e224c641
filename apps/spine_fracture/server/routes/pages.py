"""What a browser sees first: the landing page, and the report of the demo where one was written."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import FileResponse, HTMLResponse

from spine_fracture.cohort.desk import WorkList
from spine_fracture.cohort.people import Role
from spine_fracture.errors import NotFoundError
from spine_fracture.server.landing import landing
from spine_fracture.server.pages import page
from spine_fracture.server.review.rights import not_blind
from spine_fracture.server.review.serving import NOTHING_LEFT
from spine_fracture.server.routes.common import Doorway, Room, Who

router = APIRouter(include_in_schema=False)
_HELD = "This level lies before somebody else, or can no longer be opened that way: take another one."
_REPORT_FILES = ("report.html", "report.json")
_REPORTS_FOR = (Role.ENGINEER, Role.DATA_MANAGER)


@router.get("/")
def first_page(
    room: Room, who: Who, door: Doorway, empty: WorkList | None = None, held: bool = False
) -> HTMLResponse:
    """Work lists for readers, and what else there is for other roles; why no level was given, if so."""
    with room.project.session() as session:
        shown = landing(session, who, room.protocol)
    jobs = room.trainings.all() if who.may(Role.ENGINEER) else ()
    has_report = (room.report_folder / _REPORT_FILES[0]).is_file() and who.may(*_REPORTS_FOR)
    return page(
        "landing.html",
        who=who,
        open=door.is_open(),
        shown=shown,
        no_level=_HELD if held else NOTHING_LEFT[empty] if empty else "",
        studies=room.catalogue.count(),
        source=room.source.name,
        has_report=has_report,
        is_engineer=who.may(Role.ENGINEER),
        training=room.trainings.as_monai_label(jobs[-1]) if jobs else None,
    )


@router.get("/report/{name:path}")
def report(room: Room, who: Who, name: str) -> FileResponse:
    """One of the two files of the report, and no other file; it shows what the models say."""
    who.needs(*_REPORTS_FOR)
    with room.project.session() as session:
        not_blind(session, who.id)
    wanted = name or _REPORT_FILES[0]
    file = room.report_folder / wanted
    if wanted not in _REPORT_FILES or not file.is_file():
        raise NotFoundError("There is no report here yet: make demo writes one.")
    return FileResponse(file, headers={"X-Content-Type-Options": "nosniff"})
