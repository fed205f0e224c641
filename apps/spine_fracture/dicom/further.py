"""Fat-saturated T2 and contrast-enhanced T1 beside a pair, for the models that read them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from spine_fracture.dicom.choose import shared_volume
from spine_fracture.dicom.pairing import put_on_grid
from spine_fracture.errors import InputError
from spine_fracture.imaging import FURTHER, FurtherSeries, PairedStack, Plane, Sequence, Volume


def with_further(pair: PairedStack, volumes: Iterable[Volume]) -> PairedStack:
    """The pair with those of FURTHER that are among ``volumes`` put on its grid, as T1 is put on T2's.

    Of several series of one sequence that is taken which shares most of the patient with the pair; two of
    one frame of reference go before two of different ones. A series that is not sagittal, shows another
    region, or of which nothing says where it belongs is as one that was not acquired.
    """
    given = [volume for volume in volumes if volume.plane is Plane.SAGITTAL]
    found = (_beside(pair, [v for v in given if v.sequence is sequence], sequence) for sequence in FURTHER)
    return replace(pair, further=tuple(one for one in found if one is not None))


def _beside(pair: PairedStack, volumes: list[Volume], sequence: Sequence) -> FurtherSeries | None:
    def merit(volume: Volume) -> tuple[bool, float]:
        same = volume.frame_of_reference_uid == pair.reference.frame_of_reference_uid
        return same, shared_volume(volume.frame, pair.reference.frame)

    if not volumes:
        return None
    grid = pair.pixels[:, 1 if pair.has_t2 else 0]
    pixels = np.zeros_like(grid)
    try:
        fit = put_on_grid(max(volumes, key=merit), pair.reference, grid, pixels)
    except InputError:  # they do not overlap
        return None
    return None if fit is None else FurtherSeries(sequence, pixels, fit.residual_px, fit.registered)
