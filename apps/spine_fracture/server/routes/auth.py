"""Signing in: a page for people, and tokens as MONAI Label's clients ask for them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from spine_fracture.errors import BusyError, SignInError
from spine_fracture.server.auth import COOKIE, SESSION_S, principal_of
from spine_fracture.server.gate import SIGN_IN
from spine_fracture.server.pages import page
from spine_fracture.server.routes.common import Doorway

router = APIRouter(include_in_schema=False)


@router.get(SIGN_IN)
def sign_in_page(door: Doorway, next: str = "/") -> Response:
    """The form; an open project has none."""
    if door.is_open():
        return RedirectResponse(_inside(next), 303)
    return page("sign_in.html", next=_inside(next), refusal="")


@router.post(SIGN_IN)
def sign_in(
    request: Request,
    door: Doorway,
    name: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/",
) -> Response:
    """A session cookie and on to where the browser was going, or the form again."""
    try:
        cookie = door.cookie(name, password)
    except (SignInError, BusyError) as error:
        return page("sign_in.html", error.http_status, next=_inside(next), refusal=str(error))
    answer = RedirectResponse(_inside(next), 303)
    secure = request.url.scheme == "https"
    answer.set_cookie(COOKIE, cookie, max_age=SESSION_S, httponly=True, samesite="lax", secure=secure)
    return answer


@router.post("/sign-out")
def sign_out() -> Response:
    answer = RedirectResponse(SIGN_IN, 303)
    answer.delete_cookie(COOKIE, httponly=True, samesite="lax")
    return answer


@router.get("/auth")
@router.get("/auth/")
def auth_enabled(door: Doorway) -> dict[str, Any]:
    """Whether MONAI Label's clients must sign in."""
    return {"enabled": not door.is_open(), "client_id": "spine-fracture", "realm": ""}


@router.post("/auth/token")
def token(
    door: Doorway, username: Annotated[str, Form()] = "", password: Annotated[str, Form()] = ""
) -> dict[str, str | None]:
    """A bearer token for twelve hours (OAuth2's password form); none is needed in an open project."""
    if door.is_open():
        return {"access_token": None, "token_type": None}
    return {"access_token": door.token(username, password), "token_type": "bearer"}


@router.get("/auth/token/valid")
def valid(request: Request) -> dict[str, Any]:
    """Who the token stands for; 401 for nobody."""
    who = principal_of(request)
    return {"username": who.id, "roles": sorted(who.roles)}


def _inside(target: str) -> str:
    """``target`` if it is a path of this server, else the landing page.

    Browsers read backslashes as slashes and drop control characters, so that either may hide a host.
    """
    local = target.startswith("/") and not target.startswith("//")
    return target if local and target.isprintable() and "\\" not in target else "/"
