"""What a search may ask and tell: which objects there are, and nothing of what is in them.

Whoever is sent the content of a report is blinded for its study no more (see :mod:`.seen`). Archives put
any attribute that is asked for into their lists, and find objects by it, so that content would pass there
unnoticed.
"""

from __future__ import annotations

from collections.abc import Iterable

from spine_fracture.server.dicomweb.attributes import Attributes
from spine_fracture.server.dicomweb.matching import tag_of

_LISTED = frozenset(
    """00080005 00080016 00080018 00080020 00080021 00080022 00080023 00080030 00080031 00080032 00080033
    00080050 00080056 00080060 00080061 00080062 00080070 00080090 00080201 00081030 0008103E 00081090
    00081190 00100010 00100020 00100030 00100040 00101010 00180015 00180050 0020000D 0020000E 00200010
    00200011 00200012 00200013 00200052 00201206 00201208 00201209 00280008 00280010 00280011 00280030
    00280100""".split()  # noqa: SIM905
)
_PAGING = frozenset({"limit", "offset", "fuzzymatching"})
_INCLUDED = "includefield"


def listed_query(query: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The query without keys and fields that are no attributes of a list, which archives may pass over."""
    kept = []
    for name, wanted in query:
        if name.lower() == _INCLUDED:
            fields = [one for one in wanted.split(",") if _is_listed(one)]
            kept += [(_INCLUDED, ",".join(fields))] if fields else []
        elif name in _PAGING or _is_listed(name):
            kept.append((name, wanted))
    return kept


def listed_rows(rows: Iterable[Attributes]) -> list[Attributes]:
    """The rows with the attributes of a list alone, whatever the archive put in."""
    return [{tag: found for tag, found in row.items() if tag in _LISTED} for row in rows]


def _is_listed(name: str) -> bool:
    """Whether ``name`` is such an attribute; a path leads into a sequence, so it is none."""
    return "." not in name and tag_of(name.strip()) in _LISTED
