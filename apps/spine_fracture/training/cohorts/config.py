"""What a simulated cohort for comparing systems is made of: one YAML, checked."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from spine_fracture.configuration import Config
from spine_fracture.imaging import Sequence
from spine_fracture.simulation.recipe import PhantomRecipe

#: The centre that the real pictures are said to be from.
REAL_CENTRE = "R"


class CohortConfig(Config):
    """``phantoms`` are the patients that are computed whole. With ``real_pictures`` every real patient
    without a noted finding is one more, whose findings are drawn by the same shares. Studies of the
    ``external`` centres are held out whole, whatever the patient's split.
    """

    name: str
    phantoms: PhantomRecipe
    real_pictures: bool = False
    external: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _all_series_on_one_grid(self) -> Self:
        if self.phantoms.patient_shift or not {Sequence.T1, Sequence.T2} <= set(self.phantoms.sequences):
            raise ValueError(
                "the phantoms of a cohort have T1 and T2, and keep still: patient_shift must be 0"
            )
        return self
