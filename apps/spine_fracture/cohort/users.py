"""Who may sign in. Of a password only an Argon2id hash is kept, of a token only its SHA-256."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Collection
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from spine_fracture.cohort.audit import SYSTEM, record
from spine_fracture.cohort.people import FOREIGN, Role, ServiceToken, User
from spine_fracture.errors import ConflictError, InputError, NotFoundError

SHORTEST_PASSWORD = 10
_LONGEST_PASSWORD = 200
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
#: ``local`` is everybody on a project without users, ``system`` what no person asked for.
_RESERVED = frozenset({"local", SYSTEM, "unnamed"})
_hasher = PasswordHasher()


def add_user(session: Session, name: str, password: str, roles: Collection[Role]) -> User:
    """Somebody who may sign in from now on.

    Raises :class:`InputError` for a name, password or roles that cannot be used, and
    :class:`ConflictError` when the name is taken: names are never used again, since reads carry them.
    """
    _check_name(name)
    _check_password(password)
    if not roles or Role.SERVICE in roles:
        possible = ", ".join(role for role in Role if role is not Role.SERVICE)
        raise InputError(f"A user needs one role or more of {possible}.")
    if session.scalar(select(User.id).where(User.name == name)) is not None:
        raise ConflictError(f"There is a user {name} already: choose another name.")
    user = User(name=name, password_hash=_hasher.hash(password), role_words=sorted(set(roles)))
    session.add(user)
    session.flush()
    record(session, "user.added", f"user:{user.id}", details={"roles": user.role_words})
    return user


def check_password(session: Session, name: str, password: str) -> User | None:
    """The user who signs in with this name and password; None for a wrong one or one who is disabled.

    Takes as long for a name that does not exist: nobody can find out by the clock who does.
    """
    user = find_user(session, name)
    try:
        _hasher.verify(user.password_hash if user else _decoy(), password[:_LONGEST_PASSWORD])
    except VerificationError:
        return None
    return user


def find_user(session: Session, name: str) -> User | None:
    """The user of this name who may sign in."""
    return session.scalar(select(User).where(User.name == name, User.disabled.is_(False)))


def list_users(session: Session) -> tuple[User, ...]:
    """Everybody, those who are disabled too, by name."""
    return tuple(session.scalars(select(User).order_by(User.name)))


def any_user(session: Session) -> bool:
    """Whether the project asks people to sign in: also when all its users are disabled."""
    return session.scalar(select(User.id).limit(1)) is not None


def change_password(session: Session, name: str, password: str) -> User:
    """From now on this user signs in with another password; whoever is signed in with the old one is out.

    Raises :class:`InputError` for a password that cannot be used.
    """
    _check_password(password)
    user = _user(session, name)
    user.password_hash = _hasher.hash(password)
    record(session, "user.password_changed", f"user:{user.id}")
    return user


def disable_user(session: Session, name: str) -> User:
    """From now on this user cannot sign in; what they read stays."""
    user = _user(session, name)
    if not user.disabled:
        user.disabled = True
        record(session, "user.disabled", f"user:{user.id}")
    return user


def add_token(session: Session, name: str) -> str:
    """A token for a program that speaks for readers, e.g. Slicer. It is told once and kept nowhere.

    Raises :class:`ConflictError` when there is a token of this name.
    """
    _check_name(name)
    if session.scalar(select(ServiceToken.id).where(ServiceToken.name == name)) is not None:
        raise ConflictError(f"There is a token {name} already: remove it first, or choose another name.")
    text = secrets.token_urlsafe(32)
    token = ServiceToken(name=name, digest=_digest(text))
    session.add(token)
    session.flush()
    record(session, "token.added", f"token:{token.id}", details={"name": name})
    return text


def find_token(session: Session, text: str) -> ServiceToken | None:
    """The service that this token was given to."""
    return session.scalar(select(ServiceToken).where(ServiceToken.digest == _digest(text)))


def list_tokens(session: Session) -> tuple[ServiceToken, ...]:
    return tuple(session.scalars(select(ServiceToken).order_by(ServiceToken.name)))


def remove_token(session: Session, name: str) -> None:
    """The token of this name opens nothing any more."""
    token = session.scalar(select(ServiceToken).where(ServiceToken.name == name))
    if token is None:
        raise NotFoundError(f"There is no token {name}: spine-fracture user list names them.")
    record(session, "token.removed", f"token:{token.id}", details={"name": name})
    session.delete(token)


def _user(session: Session, name: str) -> User:
    user = session.scalar(select(User).where(User.name == name))
    if user is None:
        raise NotFoundError(f"There is no user {name}: spine-fracture user list names them.")
    return user


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise InputError(
            "A name needs 1 to 64 plain letters, digits, dots, dashes or underscores, "
            "and a letter or digit at both ends; a pseudonym will do."
        )
    if name.lower() in _RESERVED or name.lower().startswith(FOREIGN):
        raise InputError(f"The name {name} has a meaning of its own: choose another.")


def _check_password(password: str) -> None:
    if not SHORTEST_PASSWORD <= len(password) <= _LONGEST_PASSWORD:
        raise InputError(
            f"A password needs {SHORTEST_PASSWORD} to {_LONGEST_PASSWORD} letters: give another."
        )


@cache
def _decoy() -> str:
    return _hasher.hash(secrets.token_hex())


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
