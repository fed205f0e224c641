"""Contrast between tissues is that of real spin-echo pictures."""

from __future__ import annotations

import pytest

from spine_fracture.imaging import Sequence
from spine_fracture.simulation.tissues import RELAXATION, WEIGHTINGS, Tissue, signal_table


def _signals(sequence: Sequence, field_strength: float = 1.5) -> dict[Tissue, float]:
    table = signal_table(RELAXATION, WEIGHTINGS[sequence], field_strength)
    return {tissue: float(table[tissue]) for tissue in Tissue}


@pytest.mark.parametrize("field_strength", [1.0, 1.5, 3.0])
def test_t1_shows_fat_bright_and_fluid_dark(field_strength: float) -> None:
    t1 = _signals(Sequence.T1, field_strength)
    assert t1[Tissue.FAT] > t1[Tissue.MARROW] > t1[Tissue.ANNULUS] > t1[Tissue.CORTEX]
    assert t1[Tissue.CORD] > t1[Tissue.CSF]


@pytest.mark.parametrize("field_strength", [1.0, 1.5, 3.0])
def test_t2_shows_fluid_and_healthy_discs_bright(field_strength: float) -> None:
    t2 = _signals(Sequence.T2, field_strength)
    assert t2[Tissue.CSF] > t2[Tissue.CORD]
    assert t2[Tissue.CSF] > t2[Tissue.MARROW]
    assert t2[Tissue.NUCLEUS] > t2[Tissue.NUCLEUS_WORN] > t2[Tissue.ANNULUS] > t2[Tissue.LIGAMENT]


def test_stir_takes_the_fat_away() -> None:
    stir = _signals(Sequence.T2_FAT_SAT)
    assert stir[Tissue.FAT] < 0.15 * stir[Tissue.CSF]


def test_contrast_agent_brightens_what_it_reaches_and_spares_fluid() -> None:
    plain, after = _signals(Sequence.T1), _signals(Sequence.T1_CONTRAST)
    assert after[Tissue.VEIN] > 1.4 * plain[Tissue.VEIN]
    assert after[Tissue.CSF] == pytest.approx(plain[Tissue.CSF], rel=0.1)
