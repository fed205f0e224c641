"""Fat-saturated T2 and contrast-enhanced T1 on the grid of T1 and T2."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_series import AXIAL, frame, volume
from scipy import ndimage

from spine_fracture.dicom.further import with_further
from spine_fracture.dicom.pairing import pair, scaled
from spine_fracture.errors import InputError
from spine_fracture.imaging import CHANNELS, FURTHER, FurtherSeries, PairedStack, Plane, Sequence, Volume

SHAPE = (5, 128, 112)


def series(sequence: Sequence, **changes: object) -> Volume:
    return replace(volume(SHAPE, sequence=sequence, where=frame(SHAPE)), **changes)  # type: ignore[arg-type]


def made(*further: Volume, t2: bool = True) -> PairedStack:
    return with_further(pair(series(Sequence.T1), series(Sequence.T2) if t2 else None), further)


@pytest.mark.parametrize("t2", [True, False])
def test_each_lies_in_its_own_channel_and_a_missing_one_is_zeros(t2: bool) -> None:
    plain, stir = made(t2=t2), series(Sequence.T2_FAT_SAT)
    assert plain.further == ()
    np.testing.assert_array_equal(plain.channels[:, :2], plain.pixels)
    assert plain.channels.shape[1] == len(CHANNELS) and not plain.channels[:, 2:].any()
    stack = made(stir, t2=t2)
    np.testing.assert_array_equal(stack.pixels, plain.pixels)
    np.testing.assert_array_equal(stack.channels[:, :2], plain.pixels)
    np.testing.assert_array_equal(stack.channels[:, 2], scaled(stir.pixels))
    assert not stack.channels[:, 3].any()
    assert [one.sequence for one in made(series(Sequence.T1_CONTRAST), stir).further] == list(FURTHER)


def test_it_is_resampled_and_registered_as_t1_is() -> None:
    stir = series(Sequence.T2_FAT_SAT)
    whole = made(stir).channels[:, 2]
    rows = slice(20, 108)
    cropped = replace(
        stir,
        pixels=stir.pixels[:, rows],
        frame=frame((5, 88, 112), origin=tuple(stir.frame.to_patient([[0, 20, 0]])[0])),
    )
    (one,) = made(cropped).further
    assert not one.registered and np.abs(one.pixels - whole)[:, 24:104].mean() < 0.02
    moved = replace(stir, pixels=ndimage.shift(stir.pixels, (0, 14, -9), order=1, mode="nearest"))
    (one,) = made(moved).further
    assert one.registered and one.residual_px == pytest.approx(np.hypot(14, 9), abs=1)
    assert np.abs(one.pixels - whole)[:, 20:100, 20:90].mean() < 0.03


def test_what_shows_something_else_is_as_if_it_had_not_been_acquired() -> None:
    stir = series(Sequence.T2_FAT_SAT)
    elsewhere = replace(stir, frame=frame(SHAPE, origin=(25, -60, 900)))
    axial = replace(stir, plane=Plane.AXIAL, frame=frame(SHAPE, AXIAL))
    for odd in (elsewhere, axial, series(Sequence.UNKNOWN)):
        assert made(odd).further == ()
    (one,) = made(elsewhere, stir).further
    np.testing.assert_array_equal(one.pixels, scaled(stir.pixels))
    with pytest.raises(InputError, match="Beside a pair"):
        replace(made(), further=(FurtherSeries(Sequence.T2, one.pixels, None, False),))
