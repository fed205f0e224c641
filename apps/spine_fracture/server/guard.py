"""What every request passes before any route: where it comes from, how large it is, what if it fails.

Pure ASGI.
"""

from __future__ import annotations

import logging
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_log = logging.getLogger(__name__)
_READS_ONLY = frozenset({"GET", "HEAD", "OPTIONS"})


class SameOrigin:
    """Refuses changes that a page of another site makes in the user's browser; there is no CORS here."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] not in _READS_ONLY:
            headers = Headers(scope=scope)
            origin = headers.get("origin")
            if origin is not None and urlsplit(origin).netloc != headers.get("host"):
                refusal = JSONResponse({"detail": "Requests of other sites are refused."}, 403)
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)


class BodyLimit:
    """Stops reading a request's body beyond ``limit`` bytes and answers 413."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "0")
        if not announced.isdigit() or int(announced) > self._limit:
            await self._refuse(scope, receive, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            # A client that sends more than it may is treated as one that went away.
            return {"type": "http.disconnect"} if seen > self._limit else message

        await self._app(scope, counted, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        text = f"The request is larger than {self._limit // 2**20} MB."
        await JSONResponse({"detail": text}, 413)(scope, receive, send)


class Defects:
    """Answers 500 where our own code failed, and logs the type of the error and the route alone.

    A message or a traceback may hold what a picture or its patient is called.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:
            path = getattr(scope.get("route"), "path", "a request")
            _log.error("%s %s failed: %s", scope["method"], path, type(error).__name__)
            if not started:
                text = "The server failed on this request; its log names the kind of error."
                await JSONResponse({"detail": text}, 500)(scope, receive, send)


class PlainStart:
    """Says in one line why the server cannot start, where the framework would print a traceback."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def plain(message: Message) -> None:
            refusal = getattr(scope["app"].state, "refusal", None)
            if message["type"] == "lifespan.startup.failed" and refusal is not None:
                message = {**message, "message": refusal}
            await send(message)

        await self._app(scope, receive, plain if scope["type"] == "lifespan" else send)
