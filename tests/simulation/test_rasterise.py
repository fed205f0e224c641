"""The spine that is filled in: its levels, their sizes, and what lies in front and behind."""

from __future__ import annotations

import numpy as np
import pytest

from spine_fracture.anatomy import Level, spine, usual_levels
from spine_fracture.simulation.plane import Labels
from spine_fracture.simulation.rasterise import rasterise
from spine_fracture.simulation.skeleton import STEP, Build, Skeleton, make_skeleton
from spine_fracture.simulation.tissues import Tissue


def _build(first: Level = Level.C1, *, thirteen: bool = False, six: bool = False) -> Build:
    return Build(1.0, 50, first, Level.S1, thirteen_thoracic=thirteen, six_lumbar=six)


def test_a_spine_has_all_its_levels() -> None:
    assert make_skeleton(_build(), np.random.default_rng(0)).levels == usual_levels()
    more = make_skeleton(_build(thirteen=True, six=True), np.random.default_rng(0))
    assert more.levels == spine(thirteen_thoracic=True, six_lumbar=True)


def test_bodies_grow_from_neck_to_loin_and_the_curve_has_its_three_turns() -> None:
    skeleton = make_skeleton(_build(), np.random.default_rng(1))

    def of(level: Level) -> tuple[float, float, float]:
        segment = skeleton.segment(level)
        down, back = skeleton.tangents[int(segment.s / STEP)]
        return segment.height, segment.depth, float(np.arctan2(back, down))

    for upper, lower in (
        (Level.C4, Level.T1),
        (Level.T1, Level.T7),
        (Level.T7, Level.T12),
        (Level.T12, Level.L4),
    ):
        assert of(upper)[0] < of(lower)[0]
        assert of(upper)[1] < of(lower)[1]
    assert of(Level.T1)[2] > of(Level.T12)[2] < of(Level.L5)[2]
    assert 20 < np.rad2deg(of(Level.S1)[2]) < 75


@pytest.fixture(scope="module")
def lumbar() -> tuple[Skeleton, Labels, Labels]:
    rng = np.random.default_rng(2)
    skeleton = make_skeleton(_build(Level.T12), rng)
    return skeleton, *rasterise(skeleton, rng)


def test_a_body_is_marrow_inside_a_cortical_rim(lumbar: tuple[Skeleton, Labels, Labels]) -> None:
    _, tissue, labels = lumbar
    inside = tissue[labels == 1 + Level.L3.order]
    assert set(np.unique(inside)) == {Tissue.MARROW, Tissue.CORTEX, Tissue.VEIN}
    assert (inside == Tissue.MARROW).mean() > 0.6
    volume = (labels == 1 + Level.L3.order).sum() / 1000
    assert 22 < volume < 55  # ml, L3 of an adult


def test_the_canal_runs_behind_every_body(lumbar: tuple[Skeleton, Labels, Labels]) -> None:
    _, tissue, labels = lumbar
    middle = tissue.shape[0] // 2
    for level in (Level.L1, Level.L2, Level.L3, Level.L4):
        rows, columns = np.nonzero(labels[middle] == 1 + level.order)
        behind = tissue[middle, int(rows.mean()), columns.max() : columns.max() + 22]
        assert (behind == Tissue.CSF).any()


def test_air_lies_behind_the_skin_and_fat_under_it(lumbar: tuple[Skeleton, Labels, Labels]) -> None:
    _, tissue, _ = lumbar
    assert (tissue[:, :, -1] == Tissue.AIR).all()
    row = tissue[tissue.shape[0] // 2, tissue.shape[1] // 2]
    skin = int(np.flatnonzero(row != Tissue.AIR)[-1])
    assert row[skin] == Tissue.SKIN
    assert (row[skin - 6 : skin - 2] == Tissue.FAT).any()
