"""Who asks: from a request to a principal, in one function, and how a person becomes one.

A project without users is open: whoever reaches it is ``local`` and may do everything, which is why
such a server listens on this machine alone. With the first user everybody signs in.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from itsdangerous import BadData, TimestampSigner, URLSafeTimedSerializer
from sqlalchemy.orm import Session
from starlette.requests import HTTPConnection

from spine_fracture.cohort.audit import record
from spine_fracture.cohort.people import FOREIGN, Role, User
from spine_fracture.cohort.project import Project
from spine_fracture.cohort.users import any_user, check_password, find_token
from spine_fracture.errors import ForbiddenError, InputError, SignInError
from spine_fracture.files import kept_secret
from spine_fracture.server.attempts import Attempts
from spine_fracture.server.studies import PASS_SIGN

#: How long a sign-in lasts, by cookie as by token, in seconds.
SESSION_S = 12 * 3600
#: How long a picture may be fetched with its pass, in seconds.
PASS_S = 3600
COOKIE = "spine_session"
_LONGEST_NAME = 64


@dataclass(frozen=True)
class Principal:
    """Who asks. ``id`` is the user's name, or that of a service token."""

    id: str
    roles: frozenset[Role]

    @property
    def is_service(self) -> bool:
        return Role.SERVICE in self.roles

    def may(self, *roles: Role) -> bool:
        """Whether the principal has one of these roles."""
        return not self.roles.isdisjoint(roles)

    def needs(self, *roles: Role) -> None:
        """Raises :class:`ForbiddenError` unless the principal has one of these roles."""
        if not self.may(*roles):
            wanted = " or ".join(role.replace("_", " ") for role in roles)
            raise ForbiddenError(f"This is for the role {wanted}: ask whoever manages the users.")


#: Everybody, in an open project.
LOCAL = Principal("local", frozenset(role for role in Role if role is not Role.SERVICE))


def principal_of(request: HTTPConnection) -> Principal:
    """Who sent this request; raises :class:`SignInError` when it is nobody we know."""
    known = getattr(request.state, "principal", None)
    if isinstance(known, Principal):
        return known
    door: Door = request.app.state.parts.door
    found = door.principal(request.cookies.get(COOKIE), _bearer(request.headers))
    if found == LOCAL and not _from_this_machine(request):
        raise SignInError(
            "This project has no users, so it answers to its own machine alone: make some there with "
            "spine-fracture user add."
        )
    request.state.principal = found
    return found


def reader_of(principal: Principal, params: Mapping[str, Any]) -> str:
    """Who reads: the principal, or whom a service names as ``reader`` or ``client_id``.

    Nobody else can name a reader: what others send there is passed over.
    """
    if not principal.is_service:
        return principal.id
    named = str(params.get("reader") or params.get("client_id") or "").strip()
    if not 0 < len(named) <= _LONGEST_NAME:
        raise InputError("A service names the reader whom it asks for: client_id, up to 64 letters.")
    if named.lower().startswith(FOREIGN):
        raise InputError(
            f"Readers whose names begin with {FOREIGN} are authors of reports: choose another name."
        )
    return named


class Door:
    """Signs people in and knows them again. Safe to use from several threads."""

    def __init__(self, project: Project, attempts: Attempts | None = None) -> None:
        self._project = project
        self._attempts = attempts or Attempts()
        key = kept_secret(project.home / "sign-in.key")
        self._cookies = URLSafeTimedSerializer(key, salt="cookie")
        self._tokens = URLSafeTimedSerializer(key, salt="token")
        self._passes = TimestampSigner(key, salt="picture", sep=PASS_SIGN)

    def is_open(self) -> bool:
        """Whether the project has no users, so that nobody signs in."""
        with self._project.session() as session:
            return not any_user(session)

    def principal(self, cookie: str | None, bearer: str | None) -> Principal:
        """Whom a cookie or a bearer token stands for; raises :class:`SignInError` for nobody."""
        with self._project.session() as session:
            found = self._service(session, bearer) or (
                self._user(session, self._tokens, bearer) if bearer else None
            )
            found = found or (self._user(session, self._cookies, cookie) if cookie else None)
            if found is None and any_user(session):
                raise SignInError("Sign in first; a sign-in lasts twelve hours.")
            return found or LOCAL

    def cookie(self, name: str, password: str) -> str:
        """The value of a session cookie; raises :class:`SignInError` for a wrong name or password."""
        return self._signed(self._cookies, name, password)

    def token(self, name: str, password: str) -> str:
        """A bearer token for MONAI Label's clients; raises :class:`SignInError`."""
        return self._signed(self._tokens, name, password)

    def picture_id(self, series_uid: str) -> str:
        """An image id that opens this one picture for an hour to whoever has it.

        MONAI Label's Slicer module signs in, and then fetches pictures without saying who it is. What
        follows the series' UID is a pass, and no part of the id anywhere else.
        """
        return series_uid if self.is_open() else self._passes.sign(series_uid).decode()

    def admits(self, image: str) -> bool:
        """Whether an image id is a pass to its picture."""
        try:
            self._passes.unsign(image, max_age=PASS_S)
        except BadData:
            return False
        return True

    def _signed(self, signer: URLSafeTimedSerializer, name: str, password: str) -> str:
        who = name.strip()[:_LONGEST_NAME]
        with self._attempts.checking(who):
            with self._project.session() as session:
                user = check_password(session, who, password)
            if user is None:
                self._attempts.failed(who)
                raise SignInError("Name and password do not fit.")
        self._attempts.succeeded(who)
        with self._project.transaction() as session:
            record(session, "user.signed_in", f"user:{user.id}", actor=user.name)
        return str(signer.dumps({"user": user.id, "seal": _seal(user)}))

    def _user(self, session: Session, signer: URLSafeTimedSerializer, text: str) -> Principal | None:
        try:
            said = signer.loads(text, max_age=SESSION_S)
        except BadData:
            return None
        user = session.get(User, said["user"])
        if user is None or user.disabled or not hmac.compare_digest(_seal(user), said["seal"]):
            return None
        return Principal(user.name, user.roles)

    def _service(self, session: Session, bearer: str | None) -> Principal | None:
        token = find_token(session, bearer) if bearer else None
        return Principal(token.name, frozenset({Role.SERVICE})) if token else None


def _seal(user: User) -> str:
    """Changes with the password, so that a new one ends the sessions of the old."""
    return hashlib.sha256(user.password_hash.encode()).hexdigest()[:24]


def _from_this_machine(request: HTTPConnection) -> bool:
    """Whoever starts MONAI Label's own command may listen everywhere without having been asked."""
    if request.client is None:
        return True
    try:
        return ip_address(request.client.host).is_loopback
    except ValueError:
        return False


def _bearer(headers: Mapping[str, str]) -> str | None:
    kind, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() or None if kind.lower() == "bearer" else None
