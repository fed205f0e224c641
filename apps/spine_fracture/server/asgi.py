"""Our application: every route that MONAI Label's clients use, awake while the models work, safe by default.

``spine-fracture serve`` runs it, and so does MONAI Label's own
``start_server --uvicorn_app spine_fracture.server.asgi:app``. It mounts nothing of ``monailabel.app``: what
is not listed here (model upload, the DICOM proxy, sessions, logs, reload) is not served.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from anyio import to_thread
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.middleware.trustedhost import TrustedHostMiddleware

from spine_fracture.errors import InputError, SpineFractureError
from spine_fracture.server.dicomweb.choose import web_over
from spine_fracture.server.gate import Gate
from spine_fracture.server.guard import BodyLimit, Defects, PlainStart, SameOrigin
from spine_fracture.server.room import DEFAULT_CENTRE, ReadingRoom, open_room
from spine_fracture.server.routes import (
    activelearning,
    auth,
    datastore,
    dicomweb,
    infer,
    info,
    pages,
    review,
    train,
    viewer,
    work,
)
from spine_fracture.server.routes.common import ServerParts
from spine_fracture.server.workplace import clear_package
from spine_fracture.settings import settings

#: Labels and parameters are small; pictures are never uploaded.
LARGEST_REQUEST = 32 * 2**20
ROUTERS = (
    auth.router,
    review.router,
    review.changes,
    info.router,
    infer.router,
    activelearning.router,
    datastore.router,
    train.router,
    work.batch,
    work.scoring,
    pages.router,
    dicomweb.router,
    viewer.router,
)


def create_app(open_the_room: Callable[[], ReadingRoom], hosts: Sequence[str] = ("*",)) -> FastAPI:
    """The application; the room is opened when the server starts and closed when it ends.

    ``hosts`` are the names it answers to: a server of this machine alone answers to no other, so that a
    page elsewhere cannot reach it under a name that it made point here (DNS rebinding).
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        try:
            app.state.parts = await to_thread.run_sync(_opened, open_the_room)
        except SpineFractureError as error:
            app.state.refusal = str(error)  # PlainStart says it
            raise
        room = app.state.parts.room
        app.state.dicom_web = web_over(room.project, room.source)
        yield
        await app.state.dicom_web.close()
        await to_thread.run_sync(room.close)

    app = FastAPI(
        title="spine_fracture",
        description="Active learning for vertebral fractures on spine MRI. Not for clinical use.",
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
    )
    for router in ROUTERS:
        app.include_router(router)
    app.add_middleware(Gate)
    app.add_middleware(SameOrigin)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))
    app.add_middleware(BodyLimit, limit=LARGEST_REQUEST)
    app.add_middleware(Defects)
    app.add_middleware(PlainStart)
    app.add_exception_handler(SpineFractureError, _expected)
    app.add_exception_handler(RequestValidationError, _malformed)
    return app


def _opened(open_the_room: Callable[[], ReadingRoom]) -> ServerParts:
    room = open_the_room()
    room.start()
    return ServerParts.of(room)


async def _expected(_: Request, error: Exception) -> JSONResponse:
    status = error.http_status if isinstance(error, SpineFractureError) else 500
    return JSONResponse({"detail": str(error)}, status)


async def _malformed(_: Request, error: Exception) -> JSONResponse:
    """Names of the fields that are wrong, and nothing of what was sent."""
    found = error.errors() if isinstance(error, RequestValidationError) else []
    fields = ", ".join(sorted({_field(e["loc"]) for e in found}))
    return JSONResponse({"detail": f"The request is missing or misuses: {fields}."}, 422)


def _field(place: Sequence[object]) -> str:
    """The name of a field, without where in the request it came from or its place in a list."""
    names = [part for part in place[1:] if isinstance(part, str)]
    return ".".join(names) or str(place[0])


def _from_environment() -> ReadingRoom:
    """The room over what ``start_server --studies`` was given."""
    studies = os.environ.get("MONAI_LABEL_STUDIES")
    if not studies:
        raise InputError("No studies: run spine-fracture serve --studies DIR, or start_server --studies DIR.")
    home = settings().home
    clear_package(home)
    return open_room(home, studies, DEFAULT_CENTRE)


app = create_app(_from_environment)
