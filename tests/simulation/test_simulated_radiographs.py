"""Simulated radiographs: where bodies lie, how dense and thin bone look, and what is called visible."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spine_fracture.anatomy import Diagnosis, Feature, Level, Primary
from spine_fracture.errors import InputError
from spine_fracture.radiography import View
from spine_fracture.simulation.findings import Finding, Pattern
from spine_fracture.simulation.phantom import LevelTruth, Phantom, make_phantom
from spine_fracture.simulation.radiograph import SimulatedRadiographs, radiographs_of, simulate_radiographs
from spine_fracture.simulation.radiograph_recipe import RadiographRecipe
from spine_fracture.simulation.recipe import DiseaseShares, PhantomRecipe
from spine_fracture.simulation.tissues import Tissue

RECIPE = RadiographRecipe(
    name="test",
    rows=128,
    columns=80,
    phantoms=PhantomRecipe(
        name="test",
        patients=2,
        sequences=("T1",),
        first=Level.L1,
        last=Level.L5,
        centres=("B",),  # no lead letter in its pictures
        variants=0,
        supernumerary=0,
        disease=DiseaseShares(osteoporosis=0, malignant=0, infection=0, hemangioma_per_patient=0),
    ),
)


@pytest.fixture(scope="module")
def healthy() -> Phantom:
    return make_phantom(3, RECIPE.phantoms)


def ill(phantom: Phantom, finding: Finding, *, share: float = 1.0) -> Phantom:
    """The phantom with a finding in L3 that changed the signal of the upper ``share`` of its body."""
    body = phantom.canvas.labels == 1 + Level.L3.order
    rows = np.flatnonzero(body.any(axis=(0, 2)))
    body[:, rows[0] + round(share * len(rows)) :] = False
    altered = np.where(body, 1 + Level.L3.order, 0).astype(np.uint8)
    truth = LevelTruth(Level.L3, finding.diagnosis, finding.features, finding.primary)
    return replace(
        phantom,
        altered=altered,
        patient=replace(phantom.patient, findings=((Level.L3, finding),)),
        truth=tuple(truth if t.level is Level.L3 else t for t in phantom.truth),
    )


def tumour(pattern: Pattern) -> Finding:
    return Finding(
        Diagnosis.MALIGNANT, frozenset({Feature.NO_COLLAPSE}), Primary.PROSTATE, pattern, activity=1.0
    )


def taken(phantom: Phantom, seed: int = 1) -> SimulatedRadiographs:
    return radiographs_of(phantom, RECIPE, np.random.default_rng(seed))


def excess(made: SimulatedRadiographs) -> list[float]:
    """By how much L3 is brighter than its neighbours, in each view."""
    found = []
    for view in made.views:
        grey = {}
        for level in view.levels:
            x0, y0, x1, y1 = (round(value) for value in level.box.as_tuple())
            grey[level.level] = float(view.pixels[y0 + 3 : y1 - 3, x0 + 3 : x1 - 3].mean())
        found.append(grey[Level.L3] - (grey[Level.L2] + grey[Level.L4]) / 2)
    return found


def test_lytic_bone_is_darker_and_sclerotic_bone_brighter(healthy: Phantom) -> None:
    lytic, sclerotic = (
        np.mean([excess(taken(ill(healthy, tumour(pattern)), seed)) for seed in (1, 2, 3)], axis=0)
        for pattern in (Pattern.EXPANSILE, Pattern.SCLEROTIC)
    )
    assert (sclerotic - lytic > 10).all()
    assert (lytic < 0).all() and (sclerotic > 0).all()


def test_boxes_lie_round_the_bodies_in_both_views(healthy: Phantom) -> None:
    body = healthy.canvas.labels == 1 + Level.L3.order
    tissue = np.where(body, Tissue.CORTEX, np.where(healthy.canvas.tissue == 0, Tissue.AIR, Tissue.SOFT))
    solid = replace(healthy, canvas=replace(healthy.canvas, tissue=tissue.astype(np.uint8)))
    made = taken(ill(solid, tumour(Pattern.LYTIC), share=0.0))
    for view in made.views:
        box = next(level.box for level in view.levels if level.level is Level.L3)
        x0, y0, x1, y1 = (round(value) for value in box.as_tuple())
        inside = np.zeros(view.pixels.shape, dtype=bool)
        inside[y0:y1, x0:x1] = True
        ring = np.zeros_like(inside)
        ring[max(y0 - 5, 0) : y1 + 5, max(x0 - 5, 0) : x1 + 5] = True
        ring[max(y0 - 2, 0) : y1 + 2, max(x0 - 2, 0) : x1 + 2] = False
        assert np.median(view.pixels[inside]) > np.percentile(view.pixels[ring], 90) + 20


def test_levels_stand_one_below_the_other(healthy: Phantom) -> None:
    made = taken(ill(healthy, tumour(Pattern.LYTIC)))
    for view in made.views:
        assert view.pixels.shape == (128, 80) and view.pixels.dtype == np.uint8
        assert [level.level for level in view.levels] == [Level.L1, Level.L2, Level.L3, Level.L4, Level.L5]
        middles = [level.box.centre[1] for level in view.levels]
        assert all(np.diff(middles) > 10)
    ap, lateral = made.views
    assert (ap.view, lateral.view) == (View.AP, View.LATERAL)
    assert ap.levels[2].box.width > lateral.levels[2].box.width  # bodies are wider than deep


def test_what_is_visible(healthy: Phantom) -> None:
    def signs(finding: Finding, share: float = 1.0) -> list[bool]:
        made = taken(ill(healthy, finding, share=share))
        assert not any(level.sign for view in made.views for level in (*view.levels[:2], *view.levels[3:]))
        return [view.levels[2].sign for view in made.views]

    assert signs(tumour(Pattern.EXPANSILE)) == [False, True]  # from the front the arch is in the way
    assert signs(tumour(Pattern.EXPANSILE), share=0.05) == [False, False]
    wedge = Finding(Diagnosis.BENIGN_FRACTURE, frozenset({Feature.ANTERIOR_WEDGE}), severity=0.4)
    assert signs(wedge) == [True, True]
    assert signs(replace(wedge, severity=0.1)) == [False, False]


def test_same_seed_same_pictures(healthy: Phantom) -> None:
    phantom = ill(healthy, tumour(Pattern.MIXED))
    first, second, other = taken(phantom), taken(phantom), taken(phantom, seed=2)
    for a, b, c in zip(first.views, second.views, other.views, strict=True):
        assert np.array_equal(a.pixels, b.pixels) and a.levels == b.levels
        assert not np.array_equal(a.pixels, c.pixels)


def test_a_patient_without_fracture_is_refused() -> None:
    with pytest.raises(InputError, match="add up to 1"):
        simulate_radiographs(3, RECIPE)
