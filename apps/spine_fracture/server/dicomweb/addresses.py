"""The DICOMweb addresses that are answered; every other one does not exist here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from spine_fracture.errors import NotFoundError


class What(StrEnum):
    """What an address asks for."""

    STUDIES = "studies"
    SERIES = "series"
    INSTANCES = "instances"
    METADATA = "metadata"
    SERIES_FILES = "series files"
    FILE = "file"
    FRAMES = "frames"
    RENDERED = "rendered"
    THUMBNAIL = "thumbnail"
    BULK = "bulk"


SEARCHES = frozenset({What.STUDIES, What.SERIES, What.INSTANCES})


@dataclass(frozen=True)
class Address:
    """``study``, ``series`` and ``instance`` are UIDs, empty where the address names none.

    ``frames`` count from 1. ``path`` is the address itself, without a leading slash.
    """

    what: What
    path: str
    study: str = ""
    series: str = ""
    instance: str = ""
    frames: tuple[int, ...] = ()


_UID = r"[0-9](?:[0-9.]{0,62}[0-9])?"
_STUDY = rf"studies/(?P<study>{_UID})"
_SERIES = rf"{_STUDY}/series/(?P<series>{_UID})"
_INSTANCE = rf"{_SERIES}/instances/(?P<instance>{_UID})"
_FORMS = tuple(
    (what, re.compile(form))
    for what, form in (
        (What.STUDIES, "studies"),
        (What.SERIES, "series"),
        (What.INSTANCES, "instances"),
        (What.SERIES, f"{_STUDY}/series"),
        (What.INSTANCES, f"{_STUDY}/instances"),
        (What.INSTANCES, f"{_SERIES}/instances"),
        (What.METADATA, f"{_STUDY}/metadata"),
        (What.METADATA, f"{_SERIES}/metadata"),
        (What.METADATA, f"{_INSTANCE}/metadata"),
        (What.SERIES_FILES, _SERIES),
        (What.FILE, _INSTANCE),
        (What.FRAMES, rf"{_INSTANCE}/frames/(?P<frames>[0-9]{{1,5}}(?:,[0-9]{{1,5}}){{0,99}})"),
        (What.RENDERED, f"{_INSTANCE}/rendered"),
        (What.THUMBNAIL, f"{_INSTANCE}/thumbnail"),
        (What.THUMBNAIL, f"{_SERIES}/thumbnail"),
        (What.BULK, rf"{_INSTANCE}/bulk(?:data)?(?:/[0-9A-Fa-f]{{1,8}}){{1,9}}"),
    )
)


def parse(path: str) -> Address:
    """The address below the service's root. Raises :class:`NotFoundError` for any that is not answered.

    ``path`` is as it was sent: one with percent signs hides something and is refused.
    """
    for what, form in _FORMS:
        found = form.fullmatch(path)
        if found is not None:
            parts = found.groupdict()
            frames = tuple(int(number) for number in (parts.pop("frames", None) or "").split(",") if number)
            return Address(what, path, **parts, frames=frames)
    raise NotFoundError("This is no DICOMweb address that is answered here: pictures go series by series.")
