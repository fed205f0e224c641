"""Which MR sequence a series is, from how it was acquired.

Each attribute leaves a set of sequences it allows; the description may only choose among those,
because names are free text and often inherited from another protocol. It may also say that fat was
suppressed or an agent given: nobody writes that of a plain series, and the fields for it are often left
empty. Limits of repetition, echo and inversion times are those of routine spine protocols at 1.5 and 3 T.
"""

from __future__ import annotations

import re

from spine_fracture.imaging import Acquisition, Sequence

_T1, _T2 = Sequence.T1, Sequence.T2
_NOTHING: frozenset[Sequence] = frozenset()
_FAT_SUPPRESSION = frozenset({"FS", "FATSAT", "FAT_SAT", "FSAT", "SPIR", "SPAIR", "WE", "PFS"})
#: Pictures computed from others, or one half of a Dixon pair that no network was trained on.
_DERIVED = frozenset(
    """ADC TRACEW PROJECTION MIP MPR SUB SUBTRACTION F FAT OP OPP_PHASE OUT_PHASE OPPOSED PHASE P
    LOCALIZER""".split()  # noqa: SIM905
)
_WATER = frozenset({"W", "WATER"})
_NO_AGENT = frozenset({"NO", "NONE", "NIL", "NO CONTRAST", "WITHOUT", "N"})
#: What descriptions say in lower case: alternatives of a pattern. After an operation is not after an agent.
_AGENT = r"c\+|ce|m?km|gad\w*|gd|mdc|contrast|kontrast\w*|post(?![\s_.-]*(?:op|surg|trauma))"
_PLUS_C = re.compile(r"\+\s*c(?![a-z0-9])")
_WITHOUT = r"ohne|o|without|w/o|wo|no|non|sans|senza|sin"
_BEFORE = r"pre|prae|prä|vor|before|nativ\w*|plain|unenhanced"
_FAT = (
    r"fs|pfs|fsat|fat[\s_-]*(?:sat|sup)\w*|chem[\s_-]*sat|spir|spair|we|water|"
    r"m?dixon(?:.*[^a-z0-9])?w(?!/)"
)
_NOT_FAT = re.compile(rf"(?<![a-z0-9])(?:{_WITHOUT})[\s_.-]*(?:{_FAT}|stir|tirm)(?![a-z0-9])")


def sequence_of(acquisition: Acquisition) -> Sequence:
    """The sequence of a series, ``UNKNOWN`` when its attributes do not settle it."""
    image_type = {value.upper() for value in acquisition.image_type}
    if acquisition.modality != "MR" or image_type & _DERIVED:
        return Sequence.UNKNOWN
    if _is_stir(acquisition):
        return Sequence.T2_FAT_SAT
    weighting = _weighting(acquisition)
    suppressed = _is_fat_suppressed(acquisition, image_type)
    if weighting is _T2 and (suppressed or _is_called_stir(acquisition)):
        return Sequence.T2_FAT_SAT
    if _is_inverted(acquisition) and not acquisition.inversion_time:
        return Sequence.UNKNOWN  # T1 FLAIR, STIR and FLAIR differ by the time that is missing
    if weighting is _T1 and _has_agent(acquisition):
        return Sequence.T1_CONTRAST
    # T1 is fat-saturated for an agent's sake: with none on record, somebody may have forgotten it.
    return Sequence.UNKNOWN if suppressed else weighting


def _is_stir(acquisition: Acquisition) -> bool:
    """Inversion with a time that nulls fat: near 150 ms at 1.5 T, 220 ms at 3 T."""
    if acquisition.acquisition_contrast == "STIR":
        return True
    if not _is_inverted(acquisition) or "EP" in acquisition.scanning_sequence:
        return False
    inversion = acquisition.inversion_time
    return 80 <= inversion <= 300 if inversion else _is_called_stir(acquisition)


def _is_called_stir(acquisition: Acquisition) -> bool:
    """TIRM is what all that is inverted is called: T1 and dark fluid too."""
    described = _described(acquisition)
    other = _says(described, r"t1\w*|flair\w*|dark\w*")
    return _says(described, "stir") or (_says(described, "tirm") and not other)


def _is_inverted(acquisition: Acquisition) -> bool:
    return "IR" in acquisition.scanning_sequence or _says(acquisition.sequence_name, r"\*?s?tir.*")


def _is_fat_suppressed(acquisition: Acquisition, image_type: set[str]) -> bool:
    options = {option.upper() for option in acquisition.scan_options}
    return bool(options & _FAT_SUPPRESSION or image_type & _WATER) or _says(_described(acquisition), _FAT)


def _described(acquisition: Acquisition) -> str:
    """The description in lower case, without what it says was not suppressed."""
    return _NOT_FAT.sub(" ", (acquisition.description or "").lower())


def _weighting(acquisition: Acquisition) -> Sequence:
    named = {"T1": _T1, "T2": _T2}.get(acquisition.acquisition_contrast or "")
    if named is not None:
        return named
    allowed = _allowed_by_timing(acquisition)
    if len(allowed) > 1:
        allowed &= _named(acquisition.sequence_name) or allowed
    if len(allowed) > 1:
        allowed &= _named(acquisition.description) or allowed
    return next(iter(allowed)) if len(allowed) == 1 else Sequence.UNKNOWN


def _allowed_by_timing(acquisition: Acquisition) -> frozenset[Sequence]:
    """T1, T2, either with something else (``UNKNOWN``) beside it, or nothing."""
    repetition, echo, inversion = (
        acquisition.repetition_time,
        acquisition.echo_time,
        acquisition.inversion_time or 0.0,
    )
    unsure = frozenset({Sequence.UNKNOWN})
    if "EP" in acquisition.scanning_sequence:
        return _NOTHING
    if acquisition.acquisition_contrast not in (None, "", "UNKNOWN"):
        return _NOTHING
    if "GR" in acquisition.scanning_sequence and "SE" not in acquisition.scanning_sequence:
        flip = acquisition.flip_angle or 0.0
        spoiled = (
            echo is not None and echo <= 10 and repetition is not None and repetition <= 500 and flip >= 50
        )
        return frozenset({_T1}) if spoiled else _NOTHING
    if echo is None and repetition is None:
        return _NOTHING
    if _is_inverted(acquisition) and inversion > 300:
        # T1 FLAIR; a longer inversion time nulls fluid.
        t1_flair = inversion <= 1200 and echo is not None and echo <= 40
        return frozenset({_T1}) if t1_flair else _NOTHING
    if echo is None or repetition is None:
        if echo is not None:
            return frozenset({_T1} if echo <= 25 else {_T2} if echo >= 70 else set()) | unsure
        return frozenset({_T1} if (repetition or 0) <= 900 else {_T2}) | unsure
    if repetition <= 1000 and echo <= 35:
        return frozenset({_T1})
    if repetition <= 1500 and echo <= 40:
        return frozenset({_T1}) | unsure  # a long repetition time for T1, or proton density
    if repetition >= 1200 and echo >= 65:
        return frozenset({_T2})
    if repetition >= 1200 and echo >= 45:
        return frozenset({_T2}) | unsure  # a short echo time for T2, or proton density
    return _NOTHING


def _named(text: str | None) -> frozenset[Sequence]:
    t1, t2 = _says(text, r"t1\w*"), _says(text, r"t2\w*")
    return frozenset({_T1}) if t1 and not t2 else frozenset({_T2}) if t2 and not t1 else _NOTHING


def _says(text: str | None, word: str) -> bool:
    """Whether ``word`` stands in ``text`` by itself."""
    return bool(text and re.search(rf"(?<![a-z0-9])(?:{word})(?![a-z0-9])", text.lower()))


def _has_agent(acquisition: Acquisition) -> bool:
    agent = (acquisition.contrast_agent or "").strip().upper()
    if agent and agent not in _NO_AGENT:
        return True
    described = _described(acquisition)
    named = _says(described, _AGENT) or _PLUS_C.search(described) is not None
    return named and not _says(described, rf"{_WITHOUT}|{_BEFORE}")
