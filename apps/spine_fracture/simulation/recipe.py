"""The recipe of a phantom cohort: what is drawn, for whom, on which scanners."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from spine_fracture.anatomy import Level, usual_levels
from spine_fracture.configuration import Config
from spine_fracture.imaging import CHANNELS, Sequence
from spine_fracture.simulation.centres import CENTRES


class DiseaseShares(Config):
    """Share of patients by disease; the rest are healthy. Levels follow from the disease: a patient
    with osteoporosis has one to four benign fractures (one to five with :class:`SkipLesions`), one with a
    tumour one lesion or several.
    """

    osteoporosis: float = Field(default=0.35, ge=0, le=1)
    malignant: float = Field(default=0.25, ge=0, le=1)
    infection: float = Field(default=0.04, ge=0, le=1)
    hemangioma_per_patient: float = Field(default=0.25, ge=0, le=1)

    @model_validator(mode="after")
    def _are_shares_of_all_patients(self) -> Self:
        together = self.osteoporosis + self.malignant + self.infection
        if together > 1 + 1e-9:
            raise ValueError(
                f"osteoporosis, malignant and infection are shares of all patients: together {together:g}, "
                "which is more than 1"
            )
        return self


class CoverageShares(Config):
    """Share of studies by what they cover; the rest show the whole spine."""

    lumbar: float = Field(default=0.4, ge=0, le=1)
    thoracolumbar: float = Field(default=0.25, ge=0, le=1)


class SkipLesions(Config):
    """Share of the patients with a benign fracture, and of those with a tumour, who have another altered
    vertebra elsewhere. The defaults are Yeh et al. 2022, Table 1: 8 of 140 and 39 of 50.
    """

    benign: float = Field(default=8 / 140, ge=0, le=1)
    malignant: float = Field(default=39 / 50, ge=0, le=1)


class PhantomRecipe(Config):
    """``first`` and ``last`` restrict the spine that is built (quick tests), ``findings_from`` the levels
    that disease may be in to this one and those below it. ``even_levels`` gives each
    presacral level a finding with this probability, the three classes alike, instead of by disease
    (training). ``skip_lesions``, where given, alone decides who has more than one altered vertebra; without
    it a third of the patients with osteoporosis have several fractures for no other reason.
    ``variants`` is the share of normal levels with a harmless change. ``extra_share`` of
    the studies also have the ``extra_sequences``. ``patient_shift`` is the share of patients who moved
    between T1 and T2.
    """

    name: str
    patients: int = Field(ge=1)
    first_seed: int = Field(default=0, ge=0)
    sequences: tuple[Sequence, ...] = Field(default=(Sequence.T1, Sequence.T2), min_length=1)
    slices: int = Field(default=15, ge=1, le=25)
    first: Level = Level.C1
    last: Level = Level.S1
    findings_from: Level = Level.C1
    disease: DiseaseShares = DiseaseShares()
    skip_lesions: SkipLesions | None = None
    coverage: CoverageShares = CoverageShares()
    even_levels: float | None = Field(default=None, ge=0, le=1)
    centres: tuple[str, ...] = Field(default=("A", "B", "C", "D", "E", "F"), min_length=1)
    variants: float = Field(default=0.1, ge=0, le=1)
    extra_sequences: tuple[Sequence, ...] = (Sequence.T2_FAT_SAT, Sequence.T1_CONTRAST)
    extra_share: float = Field(default=0.0, ge=0, le=1)
    supernumerary: float = Field(default=0.06, ge=0, le=1)
    patient_shift: float = Field(default=0.05, ge=0, le=1)

    @model_validator(mode="after")
    def _can_be_drawn(self) -> Self:
        """Told before anything is written: a folder keeps the recipe of what was begun in it."""
        if unknown := {*self.sequences, *self.extra_sequences} - {*CHANNELS}:
            raise ValueError(
                f"no sequence {', '.join(sorted(unknown))} is simulated: {', '.join(CHANNELS)} are"
            )
        known = [centre.name for centre in CENTRES]
        if missing := sorted({*self.centres} - {*known}):
            raise ValueError(f"there is no centre {', '.join(missing)}: there are {', '.join(known)}")
        built = [level for level in usual_levels() if self.first.order <= level.order <= self.last.order]
        if not built:
            raise ValueError(
                f"no vertebra that everybody has lies from first ({self.first}) to last ({self.last}): "
                "first is the upper one"
            )
        if self.even_levels is None and (disease := self._without_a_level(built)):
            raise ValueError(
                f"disease.{disease} finds no level: there is none that can have it from C3 and findings_from "
                f"({self.findings_from}) to last ({self.last}); give {disease} 0, or other levels"
            )
        return self

    def _without_a_level(self, built: list[Level]) -> str | None:
        """A disease that some patients are to have and that none of the levels of ``built`` can have."""
        highest = max(self.findings_from.order, Level.C3.order)
        bodies = [level for level in built if level.order >= highest]
        presacral = [level for level in bodies if level is not Level.S1]
        # The sacrum has metastases, and where skip lesions are given not even these.
        places = {
            "osteoporosis": presacral,
            "malignant": bodies if self.skip_lesions is None else presacral,
            "infection": presacral,
        }
        return next(
            (name for name, levels in places.items() if not levels and getattr(self.disease, name)), None
        )
