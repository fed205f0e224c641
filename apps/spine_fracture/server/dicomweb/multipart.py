"""``multipart/related`` (RFC 2387), the form in which DICOMweb carries binary parts."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from email.message import Message

from spine_fracture.errors import InputError


@dataclass(frozen=True)
class Related:
    """Parts of one content type, joined."""

    content_type: str
    body: bytes


def join(parts: Iterable[bytes], part_type: str) -> Related:
    """A message of ``parts``, each of type ``part_type``."""
    boundary = secrets.token_hex(16)
    body = b"".join(
        b"--%s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s\r\n"
        % (boundary.encode(), part_type.encode(), len(part), part)
        for part in parts
    )
    plain = part_type.split(";")[0]
    return Related(
        f'multipart/related; type="{plain}"; boundary={boundary}', body + b"--%s--\r\n" % boundary.encode()
    )


def split(content_type: str, body: bytes, part_type: str) -> tuple[bytes, ...]:
    """The parts of a message, all of type ``part_type``. Raises :class:`InputError`."""
    header = Message()
    header["Content-Type"] = content_type
    boundary = header.get_boundary()
    if header.get_content_type() != "multipart/related" or not boundary:
        raise InputError(f"Send multipart/related with parts of type {part_type}.")
    pieces = (b"\r\n" + body).split(b"\r\n--" + boundary.encode())
    if len(pieces) < 3 or not pieces[-1].startswith(b"--"):
        raise InputError("The message was cut short on its way: send it again.")
    return tuple(_content(piece, part_type) for piece in pieces[1:-1])


def _content(piece: bytes, part_type: str) -> bytes:
    head, found, content = piece.partition(b"\r\n\r\n")
    types = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-type:")]
    if not found or not any(part_type.encode() in line for line in types):
        raise InputError(f"Every part must be of type {part_type}.")
    return content
