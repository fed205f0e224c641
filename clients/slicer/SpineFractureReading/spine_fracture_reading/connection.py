"""Talking to the server: signing in, JSON, pictures. Only Python's own library is used."""

from __future__ import annotations

import json
import shutil
import urllib.error
import urllib.parse
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import Any

#: The version of the server's interface that this module speaks.
CLIENT_VERSION = "2"
_TIMEOUT_S = 60.0
_NOT_WHOLE = "The picture did not arrive whole: try again."


class ServerError(Exception):
    """The server said no; the text is the server's own and tells what to do."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


class SignInNeededError(ServerError):
    """Nobody is signed in, or no longer."""


class UnreachableError(Exception):
    """The server did not answer; whether it heard what was sent is not known."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would take the token along to wherever it points."""

    def redirect_request(self, *_given: Any) -> None:
        return None


class Connection:
    """One reader at one server. The token stays in memory and is sent to this server only."""

    def __init__(self, address: str) -> None:
        parts = urllib.parse.urlsplit(address.strip())
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise ServerError("The address looks like http://localhost:8000 or https://server:8000.", 0)
        self.address = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
        self._token = ""
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects())

    def needs_sign_in(self) -> bool:
        """Whether the server knows users and nobody is signed in here."""
        if not self.get("/auth/")["enabled"]:
            return False
        try:
            self.get("/auth/token/valid")
        except SignInNeededError:
            return True
        return False

    def sign_in(self, name: str, password: str) -> None:
        """Raises :class:`ServerError` for a wrong name or password."""
        form = urllib.parse.urlencode({"username": name, "password": password, "grant_type": "password"})
        kind = "application/x-www-form-urlencoded"
        answer = self._json(self._request("/auth/token", form.encode(), kind))
        self._token = answer["access_token"] or ""

    def get(self, path: str, **query: str) -> dict[str, Any]:
        return self._json(self._request(path + (f"?{urllib.parse.urlencode(query)}" if query else "")))

    def post(self, path: str, content: dict[str, Any]) -> dict[str, Any]:
        return self._json(self._request(path, json.dumps(content).encode(), "application/json"))

    def download(self, path: str, file: Path, **query: str) -> None:
        """Write an answer to ``file``, which is there whole or not at all."""
        request = self._request(f"{path}?{urllib.parse.urlencode(query)}")
        partial = file.with_name(f"{file.name}.part")
        try:
            with self._open(request) as answer, partial.open("wb") as out:
                shutil.copyfileobj(answer, out)
                promised = answer.headers["Content-Length"]
            if promised is not None and partial.stat().st_size != int(promised):
                raise UnreachableError(_NOT_WHOLE)
            partial.replace(file)
        except (OSError, HTTPException) as error:
            raise UnreachableError(_NOT_WHOLE) from error

    def _request(self, path: str, body: bytes | None = None, kind: str = "") -> urllib.request.Request:
        headers = {"Accept": "application/json", "X-Reading-Client": CLIENT_VERSION}
        if kind:
            headers["Content-Type"] = kind
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        return urllib.request.Request(self.address + path, body, headers)

    def _json(self, request: urllib.request.Request) -> dict[str, Any]:
        try:
            with self._open(request) as answer:
                found = json.loads(answer.read())
        except (OSError, HTTPException) as error:
            raise UnreachableError("The connection broke off: try again.") from error
        except ValueError as error:
            raise ServerError("This address answers, but not as a reading server does.", 0) from error
        if not isinstance(found, dict):
            raise ServerError("This address answers, but not as a reading server does.", 0)
        return found

    def _open(self, request: urllib.request.Request) -> Any:
        try:
            return self._opener.open(request, timeout=_TIMEOUT_S)
        except urllib.error.HTTPError as error:
            with error:
                text = _detail(error.read()) or f"The server refused ({error.code})."
            kind = SignInNeededError if error.code == 401 else ServerError
            raise kind(text, error.code) from None
        except (OSError, HTTPException) as error:
            raise UnreachableError(
                "The server does not answer: check its address and the network. Nothing you typed is lost."
            ) from error


def _detail(body: bytes) -> str:
    """What the server says in its errors."""
    try:
        found = json.loads(body)
    except ValueError:
        return ""
    said = found.get("detail") if isinstance(found, dict) else None
    return said if isinstance(said, str) else ""
