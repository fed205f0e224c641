"""Names of vertebral levels, diagnostic classes and imaging features, with their codes.

Codes are SNOMED CT where DICOM's own dictionary has one; what it lacks is coded in the private
scheme ``99SPINEFX``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from spine_fracture.errors import InputError

SNOMED = "SCT"
PRIVATE_SCHEME = "99SPINEFX"


@dataclass(frozen=True)
class Code:
    """A coded concept: value, coding scheme designator, meaning (DICOM PS3.3 section 8)."""

    value: str
    scheme: str
    meaning: str


class Level(StrEnum):
    """A vertebral level, head to foot. T13 and L6 are the supernumerary ones."""

    C1 = "C1"
    C2 = "C2"
    C3 = "C3"
    C4 = "C4"
    C5 = "C5"
    C6 = "C6"
    C7 = "C7"
    T1 = "T1"
    T2 = "T2"
    T3 = "T3"
    T4 = "T4"
    T5 = "T5"
    T6 = "T6"
    T7 = "T7"
    T8 = "T8"
    T9 = "T9"
    T10 = "T10"
    T11 = "T11"
    T12 = "T12"
    T13 = "T13"
    L1 = "L1"
    L2 = "L2"
    L3 = "L3"
    L4 = "L4"
    L5 = "L5"
    L6 = "L6"
    S1 = "S1"

    @property
    def order(self) -> int:
        """Position from the head, C1 being 0; T13 and L6 have their own places."""
        return _ORDER[self]

    @property
    def region(self) -> str:
        """``C``, ``T``, ``L`` or ``S``."""
        return self.value[0]

    @property
    def is_supernumerary(self) -> bool:
        return self in SUPERNUMERARY

    @property
    def code(self) -> Code:
        return LEVEL_CODES[self]

    @classmethod
    def parse(cls, text: str) -> Level:
        """The level a person wrote, e.g. ``" l5 "``; raises :class:`InputError` if there is none."""
        try:
            return cls(text.strip().upper())
        except ValueError:
            raise InputError(
                f"{text!r} is not a vertebral level: use C1 to C7, T1 to T13, L1 to L6 or S1."
            ) from None


SUPERNUMERARY = frozenset({Level.T13, Level.L6})
_ORDER = {level: index for index, level in enumerate(Level)}


def usual_levels() -> tuple[Level, ...]:
    """C1 to S1 of a spine with twelve thoracic and five lumbar vertebrae, head to foot."""
    return tuple(level for level in Level if not level.is_supernumerary)


def spine(*, thirteen_thoracic: bool = False, six_lumbar: bool = False) -> tuple[Level, ...]:
    """C1 to S1, head to foot, with the supernumerary vertebrae asked for."""
    present = set(usual_levels())
    if thirteen_thoracic:
        present.add(Level.T13)
    if six_lumbar:
        present.add(Level.L6)
    return tuple(level for level in Level if level in present)


def headwards(level: Level) -> Iterator[Level]:
    """The usual levels above ``level``, nearest first."""
    return (other for other in reversed(usual_levels()) if other.order < level.order)


_SNOMED_LEVELS = {
    "C1": "14806007", "C2": "39976000", "C3": "113205007", "C4": "5329002", "C5": "36978003",
    "C6": "36054005", "C7": "87391001", "T1": "64864005", "T2": "53733008", "T3": "1626008",
    "T4": "73071006", "T5": "56401006", "T6": "45296009", "T7": "62487009", "T8": "11068009",
    "T9": "82687006", "T10": "7610001", "T11": "12989004", "T12": "23215003", "L1": "66794005",
    "L2": "14293000", "L3": "36470004", "L4": "11994002", "L5": "49668003",
}  # fmt: skip

LEVEL_CODES: dict[Level, Code] = {
    level: Code(_SNOMED_LEVELS[level], SNOMED, f"{level} vertebra")
    if level in _SNOMED_LEVELS
    else Code(f"LEVEL-{level}", PRIVATE_SCHEME, f"{level} vertebra")
    for level in Level
}


class Diagnosis(StrEnum):
    """What a level is. ``indeterminate`` is a reader's answer and never a training target."""

    NORMAL = "normal"
    BENIGN_FRACTURE = "benign_fracture"
    MALIGNANT = "malignant"
    HEMANGIOMA = "hemangioma"
    OTHER = "other"
    INDETERMINATE = "indeterminate"

    @property
    def code(self) -> Code:
        return DIAGNOSIS_CODES[self]

    @classmethod
    def parse(cls, text: str) -> Diagnosis:
        try:
            return cls(text.strip().lower())
        except ValueError:
            raise InputError(f"{text!r} is not a class: use {', '.join(cls)}.") from None


#: What the six-channel classifier answers, in the order of its outputs.
MODEL_CLASSES: tuple[Diagnosis, ...] = (
    Diagnosis.NORMAL,
    Diagnosis.BENIGN_FRACTURE,
    Diagnosis.MALIGNANT,
    Diagnosis.HEMANGIOMA,
)


def most_probable(probabilities: Sequence[float]) -> Diagnosis:
    """The class with the highest of these probabilities, which follow :data:`MODEL_CLASSES`."""
    return max(zip(MODEL_CLASSES, probabilities, strict=True), key=lambda pair: pair[1])[0]


DIAGNOSIS_CODES: dict[Diagnosis, Code] = {
    Diagnosis.NORMAL: Code("17621005", SNOMED, "Normal"),
    Diagnosis.BENIGN_FRACTURE: Code(
        "BENIGN-FRACTURE", PRIVATE_SCHEME, "Benign vertebral compression fracture"
    ),
    Diagnosis.MALIGNANT: Code("94222008", SNOMED, "Metastatic malignant neoplasm to bone"),
    Diagnosis.HEMANGIOMA: Code("400210000", SNOMED, "Hemangioma"),
    Diagnosis.OTHER: Code("OTHER-FINDING", PRIVATE_SCHEME, "Other vertebral finding"),
    Diagnosis.INDETERMINATE: Code("INDETERMINATE", PRIVATE_SCHEME, "Indeterminate vertebral finding"),
}


class Primary(StrEnum):
    """The tumour a metastasis comes from; myeloma counts as one here."""

    BREAST = "breast"
    LUNG = "lung"
    PROSTATE = "prostate"
    RENAL = "renal"
    MYELOMA = "myeloma"
    OTHER = "other"


class Basis(StrEnum):
    """What a reader's diagnosis rests on: the pictures alone, or proof from elsewhere."""

    IMAGING = "imaging"
    BIOPSY = "biopsy"
    FOLLOW_UP = "follow_up"
    REPORT = "report"

    @classmethod
    def parse(cls, text: str) -> Basis:
        try:
            return cls(text.strip().lower())
        except ValueError:
            raise InputError(f"{text!r} is not a basis of truth: use {', '.join(cls)}.") from None


class Feature(StrEnum):
    """The 15 binary imaging features of Yeh et al. 2022, Table 1."""

    NO_COLLAPSE = "no_collapse"
    ANTERIOR_WEDGE = "anterior_wedge"
    WHOLE_BODY_COMPRESSION = "whole_body_compression"
    CENTRAL_CONCAVE = "central_concave"
    HOMOGENEOUS_MARROW = "homogeneous_marrow"
    DARK_LINE = "dark_line"
    BAND_OEDEMA = "band_oedema"
    DARK_PATCH = "dark_patch"
    CLEFT = "cleft"
    DIFFUSE_CHANGE = "diffuse_change"
    NODULAR_LESION = "nodular_lesion"
    BORDER_PROTRUSION = "border_protrusion"
    SOFT_TISSUE_MASS = "soft_tissue_mass"
    POSTERIOR_ELEMENTS = "posterior_elements"
    SKIP_LESION = "skip_lesion"

    @property
    def code(self) -> Code:
        """By its row in the table: a code value has room for 16 letters (PS3.5, VR SH)."""
        row = list(Feature).index(self) + 1
        return Code(f"FEATURE-{row:02d}", PRIVATE_SCHEME, FEATURE_MEANINGS[self])

    @classmethod
    def parse(cls, text: str) -> Feature:
        try:
            return cls(text.strip().lower())
        except ValueError:
            raise InputError(f"{text!r} is not an imaging feature: use {', '.join(cls)}.") from None


FEATURE_MEANINGS: dict[Feature, str] = {
    Feature.NO_COLLAPSE: "Absence of collapse",
    Feature.ANTERIOR_WEDGE: "Anterior wedge with preserved posterior height",
    Feature.WHOLE_BODY_COMPRESSION: "Compression of the whole body",
    Feature.CENTRAL_CONCAVE: "Central concave deformity",
    Feature.HOMOGENEOUS_MARROW: "Homogeneous marrow signal",
    Feature.DARK_LINE: "Intravertebral dark line or band",
    Feature.BAND_OEDEMA: "Band-pattern marrow oedema",
    Feature.DARK_PATCH: "Intravertebral dark patch",
    Feature.CLEFT: "Fluid or necrotic cleft",
    Feature.DIFFUSE_CHANGE: "Diffuse signal change over three quarters of the body",
    Feature.NODULAR_LESION: "Mass-like or nodular lesion",
    Feature.BORDER_PROTRUSION: "Anterior or posterior border protrusion",
    Feature.SOFT_TISSUE_MASS: "Epidural or paraspinal mass",
    Feature.POSTERIOR_ELEMENTS: "Pedicle or posterior element involvement",
    Feature.SKIP_LESION: "Coexisting skipped lesion in another vertebra",
}

COLLAPSE_FEATURES = frozenset(
    {Feature.ANTERIOR_WEDGE, Feature.WHOLE_BODY_COMPRESSION, Feature.CENTRAL_CONCAVE}
)


def contradiction(features: frozenset[Feature]) -> str | None:
    """Why these features cannot be seen together in one vertebra, or None when they can."""
    if Feature.NO_COLLAPSE in features and features & COLLAPSE_FEATURES:
        return "absence of collapse excludes wedge, whole-body compression and central concavity"
    if Feature.HOMOGENEOUS_MARROW in features and Feature.DIFFUSE_CHANGE in features:
        return "homogeneous marrow signal excludes diffuse signal change"
    return None
