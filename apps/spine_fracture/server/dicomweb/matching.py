"""QIDO-RS queries (PS3.18, 8.3.4) over attributes in the DICOM JSON model."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import translate
from functools import cached_property
from itertools import islice

from pydicom.datadict import tag_for_keyword
from starlette.datastructures import QueryParams

from spine_fracture.errors import InputError
from spine_fracture.server.dicomweb.attributes import PATIENT_NAME, Attributes, value

#: Answers have an end even when nobody asks for one.
MOST = 1000
_NO_KEYS = frozenset({"limit", "offset", "includefield", "fuzzymatching", "accept"})
_DATES = frozenset({"DA", "TM", "DT"})
_BEFORE_PART = re.compile(r"^|[\s^=-]")


@dataclass(frozen=True)
class Query:
    """``keys`` are (tag, wanted value); empty values and ``*`` match everything and are left out."""

    keys: tuple[tuple[str, str], ...]
    limit: int
    offset: int
    fuzzy: bool

    @classmethod
    def of(cls, params: QueryParams) -> Query:
        """Raises :class:`InputError` for a limit or offset that is no number.

        Keys that are no attributes are passed over, as the standard has it.
        """
        keys = ((tag_of(name), wanted) for name, wanted in params.multi_items() if name not in _NO_KEYS)
        return cls(
            tuple((tag, wanted) for tag, wanted in keys if tag is not None and wanted.strip("*")),
            min(_number(params.get("limit"), MOST), MOST),
            _number(params.get("offset"), 0),
            params.get("fuzzymatching", "").lower() == "true",
        )

    @cached_property
    def tags(self) -> frozenset[str]:
        return frozenset(tag for tag, _ in self.keys)

    def matches(self, attributes: Attributes, only: frozenset[str] | None = None) -> bool:
        """Whether every key (of ``only`` these tags) fits."""
        return all(
            self._fits(attributes, tag, wanted) for tag, wanted in self.keys if only is None or tag in only
        )

    def page(self, rows: Iterable[Attributes]) -> Iterator[Attributes]:
        return islice(rows, self.offset, self.offset + self.limit)

    def _fits(self, attributes: Attributes, tag: str, wanted: str) -> bool:
        found = attributes.get(tag, {})
        if found.get("vr") in _DATES and "-" in wanted:
            low, _, high = wanted.partition("-")
            said = str(value(attributes, tag) or "")
            return bool(said) and low <= said and (not high or said <= high + "\xff")
        fuzzy = self.fuzzy and tag == PATIENT_NAME
        # Lists of UIDs come with commas or, as OHIF writes them, with backslashes.
        alternatives = re.split(r"[,\\]", wanted) if found.get("vr") in ("UI", "CS") else [wanted]
        said_values = [_plain(one) for one in found.get("Value", [])]
        return any(_like(one, said, fuzzy) for one in alternatives for said in said_values)


def _plain(one: object) -> str:
    return str(one.get("Alphabetic", "")) if isinstance(one, dict) else str(one)


def _like(wanted: str, said: str, fuzzy: bool) -> bool:
    """With ``*`` and ``?``, whatever the case; ``fuzzy``: also the beginning of any part of a name."""
    form = wanted.strip().replace("[", "[[]")  # of the shell's three wildcards DICOM has two
    if _is_like(form, said):
        return True
    return fuzzy and any(_is_like(f"{form}*", said[part.end() :]) for part in _BEFORE_PART.finditer(said))


def _is_like(form: str, said: str) -> bool:
    # Anybody may ask with any number of wildcards: this form never goes back over what it has matched.
    return re.match(translate(form), said, re.IGNORECASE) is not None


def tag_of(name: str) -> str | None:
    """The tag of a keyword or of eight hexadecimal digits; of a path of several, the last."""
    last = name.rpartition(".")[2]
    if re.fullmatch(r"[0-9A-Fa-f]{8}", last):
        return last.upper()
    tag = tag_for_keyword(last)
    return None if tag is None else f"{tag:08X}"


def _number(text: str | None, default: int) -> int:
    if text is None or not text.strip():
        return default
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise InputError("limit and offset are whole numbers.")
    return int(text)
