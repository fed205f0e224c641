"""The gate before every route: nobody passes unknown, but to the sign-in page. Pure ASGI."""

from __future__ import annotations

from urllib.parse import quote

from anyio import to_thread
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from spine_fracture.errors import SignInError, SpineFractureError
from spine_fracture.server.auth import Door, principal_of

SIGN_IN = "/sign-in"
_OPEN = frozenset({SIGN_IN, "/sign-out", "/auth"})
_OPEN_BELOW = "/auth/"
_PICTURE = "/datastore/image"


class Gate:
    """Sends browsers that nobody signed in on to the sign-in page, and answers 401 to programs."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not _is_open(scope["path"]):
            request = HTTPConnection(scope)
            if _has_pass(request):
                await self._app(scope, receive, send)
                return
            try:
                await to_thread.run_sync(principal_of, request)
            except SpineFractureError as error:
                await _refusal(request, error)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _is_open(path: str) -> bool:
    return path in _OPEN or path.startswith(_OPEN_BELOW)


def _has_pass(request: HTTPConnection) -> bool:
    """Whether this fetches a picture with the pass that its reader was given (:meth:`Door.picture_id`)."""
    if request.scope["method"] not in ("GET", "HEAD") or request.scope["path"] != _PICTURE:
        return False
    door: Door = request.app.state.parts.door
    return door.admits(request.query_params.get("image", ""))


def _refusal(request: HTTPConnection, error: SpineFractureError) -> Response:
    wants_page = request.scope["method"] == "GET" and "text/html" in request.headers.get("accept", "")
    if isinstance(error, SignInError) and wants_page:
        target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"{SIGN_IN}?next={quote(target, safe='')}", 303)
    headers = {"WWW-Authenticate": "Bearer"} if isinstance(error, SignInError) else None
    return JSONResponse({"detail": str(error)}, error.http_status, headers)
