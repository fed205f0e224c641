"""Collapse is smooth: nothing tears, nothing changes places, and height is lost where it should be."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import label as components
from textured_pictures import LEVELS, insert_finding, textured_canvas

from spine_fracture.anatomy import COLLAPSE_FEATURES, Diagnosis, Feature, Level, Primary
from spine_fracture.simulation.canvas import body_frame
from spine_fracture.simulation.findings import Finding
from spine_fracture.simulation.warp import NULL_SHIFT, collapse, null_warp

CANVAS = textured_canvas(0)
collapses = st.sets(st.sampled_from(sorted(COLLAPSE_FEATURES)), min_size=1).map(frozenset)
levels = st.sampled_from(LEVELS)
severities = st.floats(0.2, 0.62)
seeds = st.integers(0, 10_000)


def _area_and_height(labels: np.ndarray, level: Level) -> tuple[int, float]:
    mask = labels == 1 + level.order
    return int(mask.sum()), body_frame(labels, level, None).height


@settings(max_examples=15, deadline=None)
@given(collapses, levels, severities, seeds)
def test_bodies_stay_whole_and_in_order(
    features: frozenset[Feature], level: Level, severity: float, seed: int
) -> None:
    finding = Finding(Diagnosis.BENIGN_FRACTURE, features, severity=severity)
    out = insert_finding(CANVAS, level, finding, np.random.default_rng(seed)).canvas.labels[0]
    middles = []
    for each in LEVELS:
        mask = out == 1 + each.order
        assert components(mask, np.ones((3, 3)))[1] == 1
        middles.append(np.argwhere(mask).mean(axis=0)[0])
    assert middles == sorted(middles)


@settings(max_examples=15, deadline=None)
@given(collapses, levels, severities, seeds, st.booleans())
def test_the_map_never_folds(
    features: frozenset[Feature], level: Level, severity: float, seed: int, bulging: bool
) -> None:
    rng = np.random.default_rng(seed)
    warp = null_warp((1, *CANVAS.labels.shape[1:]), rng)
    marks = features | ({Feature.BORDER_PROTRUSION} if bulging else set())
    finding = Finding(Diagnosis.MALIGNANT, frozenset(marks), Primary.LUNG, severity=severity)
    collapse(warp, CANVAS.labels, body_frame(CANVAS.labels, level, None), finding, rng)
    lines = np.mgrid[0 : CANVAS.labels.shape[1], 0 : CANVAS.labels.shape[2]]
    rows, columns = lines[0] + warp.rows[0], lines[1] + warp.columns[0]
    determinant = np.gradient(rows, axis=0) * np.gradient(columns, axis=1)
    determinant -= np.gradient(rows, axis=1) * np.gradient(columns, axis=0)
    assert determinant.min() > 0


@settings(max_examples=10, deadline=None)
@given(collapses, levels, st.floats(0.3, 0.62), seeds)
def test_a_collapsed_body_is_smaller_and_its_neighbours_are_not(
    features: frozenset[Feature], level: Level, severity: float, seed: int
) -> None:
    finding = Finding(Diagnosis.BENIGN_FRACTURE, features, severity=severity)
    out = insert_finding(CANVAS, level, finding, np.random.default_rng(seed)).canvas.labels
    for each in LEVELS:
        before, after = (int((labels == 1 + each.order).sum()) for labels in (CANVAS.labels, out))
        if each is level:
            assert after < 0.92 * before
        else:
            assert 0.93 * before < after < 1.07 * before


def test_a_wedge_keeps_the_height_behind() -> None:
    finding = Finding(Diagnosis.BENIGN_FRACTURE, frozenset({Feature.ANTERIOR_WEDGE}), severity=0.5)
    out = insert_finding(CANVAS, Level.L3, finding, np.random.default_rng(0)).canvas.labels[0]
    front, behind = _edge_heights(out)
    front_before, behind_before = _edge_heights(CANVAS.labels[0])
    assert front < 0.75 * front_before
    assert behind > 0.8 * behind_before


def _edge_heights(labels: np.ndarray) -> tuple[float, float]:
    mask = labels == 1 + Level.L3.order
    columns = np.flatnonzero(mask.any(axis=0))
    a, b = columns[0] + 5, columns[-1] - 5
    return float(mask[:, a].sum()), float(mask[:, b].sum())


def test_a_concave_body_keeps_its_edges() -> None:
    finding = Finding(Diagnosis.BENIGN_FRACTURE, frozenset({Feature.CENTRAL_CONCAVE}), severity=0.5)
    out = insert_finding(CANVAS, Level.L3, finding, np.random.default_rng(0)).canvas.labels[0]
    mask = out == 1 + Level.L3.order
    columns = np.flatnonzero(mask.any(axis=0))
    middle = mask[:, int(columns.mean())].sum()
    front, behind = _edge_heights(out)
    assert middle < 0.75 * min(front, behind)


def test_the_null_warp_moves_nothing_a_reader_could_see() -> None:
    warp = null_warp((1, 200, 150), np.random.default_rng(0))
    moved = np.hypot(warp.rows[0], warp.columns[0])
    assert 0 < moved.mean() < 2 * NULL_SHIFT
    assert moved.max() < 4 * NULL_SHIFT
