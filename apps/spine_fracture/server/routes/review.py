"""``/review``: where the reading room's page asks. Who asks is known from the session alone."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import unquote, urlencode

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from spine_fracture.errors import ConflictError, ForbiddenError, InputError, NotFoundError, SignInError
from spine_fracture.server.answers import NOTICE
from spine_fracture.server.review.answers import (
    Done,
    HeatMapView,
    Levels,
    Me,
    Progress,
    Renewed,
    SimilarView,
    Skipped,
    Submitted,
    Task,
    Upcoming,
)
from spine_fracture.server.review.desk import new_tab
from spine_fracture.server.review.forms import (
    DrawForm,
    NextForm,
    ProgressForm,
    ReadForm,
    ShiftForm,
    SkipForm,
    StartForm,
    TabForm,
    UndoForm,
    UpcomingForm,
)
from spine_fracture.server.routes.common import Doorway, Room, Who
from spine_fracture.server.viewer import READING_ROOM

#: Grows with every change of the page that an older page would not survive.
CLIENT = "2"


async def _same_client(x_reading_client: Annotated[str, Header()] = "") -> None:
    if x_reading_client != CLIENT:
        raise ConflictError("This page is of an older version: reload it. What you typed is kept.")


async def _same_reader(who: Who, x_reading_user: Annotated[str | None, Header()] = None) -> None:
    """In another window of the browser somebody else may have signed in; what one typed is not theirs."""
    if x_reading_user is not None and unquote(x_reading_user) != who.id:
        raise SignInError("Somebody else has signed in meanwhile: reload this page. What you typed is kept.")


router = APIRouter(prefix="/review", tags=["Review"])
changes = APIRouter(
    prefix="/review", tags=["Review"], dependencies=[Depends(_same_client), Depends(_same_reader)]
)


@router.get("/me")
def me(who: Who, door: Doorway) -> Me:
    roles = tuple(sorted(who.roles))
    return Me(id=who.id, roles=roles, open=door.is_open(), notice=NOTICE, client=CLIENT)


@router.get("/start")
def start(room: Room, who: Who, asked: Annotated[StartForm, Query()]) -> RedirectResponse:
    """A level for a new window, and on to the viewer; back to the landing page when there is none to give."""
    tab = new_tab()
    try:
        task = room.review.serving.next(who, asked.in_window(tab))
    except (ConflictError, ForbiddenError, NotFoundError):
        return RedirectResponse("/?held=true", 303)
    if isinstance(task, Done):
        return RedirectResponse(f"/?{urlencode({'empty': asked.work_list})}", 303)
    where = {"StudyInstanceUIDs": task.study, "list": asked.work_list, "tab": tab}
    return RedirectResponse(f"{READING_ROOM}?{urlencode(where)}", 303)


@changes.post("/next")
def next_level(room: Room, who: Who, ask: NextForm) -> Task | Done:
    return room.review.serving.next(who, ask)


@changes.post("/upcoming")
def upcoming(room: Room, who: Who, ask: UpcomingForm) -> Upcoming:
    return room.review.serving.upcoming(who, ask)


@changes.post("/leases/{level_id}/renew")
def renew(room: Room, who: Who, level_id: int, form: TabForm) -> Renewed:
    return Renewed(expires=room.review.serving.renew(who, level_id, form.tab))


async def _beacon(request: Request) -> TabForm:
    """A page that closes sends its last word as plain text, without headers of its own."""
    try:
        return TabForm.model_validate_json(await request.body())
    except ValidationError:
        raise InputError("The request is missing or misuses: tab.") from None


@router.post("/leases/release")
def release(room: Room, who: Who, form: Annotated[TabForm, Depends(_beacon)]) -> dict[str, str]:
    room.review.serving.release(who, form.tab)
    return {}


@changes.post("/reads")
def submit(room: Room, who: Who, form: ReadForm) -> Submitted:
    return room.review.answering.submit(who, form)


@changes.post("/undo")
def undo(room: Room, who: Who, form: UndoForm) -> Task:
    return room.review.answering.undo(who, form)


@changes.post("/skips")
def skip(room: Room, who: Who, form: SkipForm) -> Skipped:
    return room.review.answering.skip(who, form)


@changes.post("/levels")
def draw(room: Room, who: Who, form: DrawForm) -> Levels:
    return Levels(levels=room.review.outlining.draw(who, form))


@changes.post("/levels/{level_id}/remove")
def remove(room: Room, who: Who, level_id: int, form: TabForm) -> Levels:
    return Levels(levels=room.review.outlining.remove(who, level_id, form))


@changes.post("/levels/{level_id}/restore")
def restore(room: Room, who: Who, level_id: int, form: TabForm) -> Levels:
    return Levels(levels=room.review.outlining.restore(who, level_id, form))


@changes.post("/studies/{study_uid}/shift")
def shift(room: Room, who: Who, study_uid: str, form: ShiftForm) -> Levels:
    return Levels(levels=room.review.outlining.shift(who, study_uid, form))


@router.get("/levels/{level_id}/heatmap")
def heatmap(
    room: Room, who: Who, level_id: int, series: str, slice_index: Annotated[int, Query(alias="slice")]
) -> HeatMapView:
    return HeatMapView.of(room.review.explaining.heatmap(who, level_id, series, slice_index))


@router.get("/levels/{level_id}/similar")
def similar(room: Room, who: Who, level_id: int) -> SimilarView:
    return SimilarView.of(room.review.explaining.similar(who, level_id))


@router.get("/progress")
def progress(room: Room, who: Who, asked: Annotated[ProgressForm, Query()]) -> Progress:
    return room.review.serving.progress(who, asked.work_list, asked.tab)
