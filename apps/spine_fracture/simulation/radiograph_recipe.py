"""The recipe of a cohort of simulated radiographs."""

from __future__ import annotations

from pydantic import Field

from spine_fracture.configuration import Config
from spine_fracture.simulation.recipe import PhantomRecipe


class RadiographRecipe(Config):
    """``phantoms`` says who is drawn; patients of the ``external`` centres are held out whole.

    Pictures are ``rows`` x ``columns`` pixels in both views; the field reaches from the first vertebra of
    the phantoms to below the last, whatever a patient's size.
    """

    name: str
    phantoms: PhantomRecipe
    external: tuple[str, ...] = ()
    rows: int = Field(default=320, ge=64)
    columns: int = Field(default=192, ge=48)
