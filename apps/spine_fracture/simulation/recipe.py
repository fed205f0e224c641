"""The recipe of a phantom cohort: what is drawn, for whom, on which scanners."""

from __future__ import annotations

from pydantic import Field

from spine_fracture.anatomy import Level
from spine_fracture.configuration import Config
from spine_fracture.imaging import Sequence


class DiseaseShares(Config):
    """Share of patients by disease; the rest are healthy. Levels follow from the disease: a patient
    with osteoporosis has one to four benign fractures, one with a tumour one lesion or several.
    """

    osteoporosis: float = Field(default=0.35, ge=0, le=1)
    malignant: float = Field(default=0.25, ge=0, le=1)
    infection: float = Field(default=0.04, ge=0, le=1)
    hemangioma_per_patient: float = Field(default=0.25, ge=0, le=1)


class CoverageShares(Config):
    """Share of studies by what they cover; the rest show the whole spine."""

    lumbar: float = Field(default=0.4, ge=0, le=1)
    thoracolumbar: float = Field(default=0.25, ge=0, le=1)


class PhantomRecipe(Config):
    """``first`` and ``last`` restrict the spine that is built (quick tests); ``even_levels`` gives each
    visible level its class at random with these shares instead of by disease (classifier training).
    """

    name: str
    patients: int = Field(ge=1)
    first_seed: int = Field(default=0, ge=0)
    sequences: tuple[Sequence, ...] = (Sequence.T1, Sequence.T2)
    slices: int = Field(default=15, ge=1, le=25)
    first: Level = Level.C1
    last: Level = Level.S1
    disease: DiseaseShares = DiseaseShares()
    coverage: CoverageShares = CoverageShares()
    even_levels: float | None = Field(default=None, ge=0, le=1)
    centres: tuple[str, ...] = ("A", "B", "C", "D", "E", "F")
    supernumerary: float = Field(default=0.06, ge=0, le=1)
    patient_shift: float = Field(default=0.05, ge=0, le=1)
