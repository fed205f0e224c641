"""Teaching pictures from phantoms, real pairs and simulated findings, and their cache."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spine_fracture.anatomy import Level
from spine_fracture.cohort.splits import Split, split_of
from spine_fracture.detection.tasks import KINDS
from spine_fracture.lumbar_set import read_lumbar_set, skips_a_body
from spine_fracture.simulation.recipe import CoverageShares, PhantomRecipe
from spine_fracture.simulation.study import simulate_study
from spine_fracture.training.detectors.pictures import (
    DOUBTFUL,
    PictureCache,
    TeachingPicture,
    fit_canvas,
    horizon_above,
    kind_of,
    real_picture,
    slices_near_middle,
    write_pictures,
)
from spine_fracture.training.detectors.sources import (
    filled,
    hull,
    lesion_picture,
    phantom_pictures,
    training_patients,
)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(4, 60), st.integers(4, 60)), min_size=1, max_size=30), st.floats(-1, 1))
def test_the_hull_has_the_masks_tight_box_however_turned(points, turn):
    mask = np.zeros((64, 64), bool)
    mask[tuple(np.array(points).T[::-1])] = True
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    rows, columns = np.nonzero(mask)
    corners = np.concatenate([np.column_stack([columns + dx, rows + dy]) for dx in (0, 1) for dy in (0, 1)])
    every = corners @ rotation.T
    outline = hull(mask) @ rotation.T
    np.testing.assert_allclose(outline.min(axis=0), every.min(axis=0), atol=1e-9)
    np.testing.assert_allclose(outline.max(axis=0), every.max(axis=0), atol=1e-9)


@given(st.floats(3, 20), st.floats(3, 20), st.floats(25, 50), st.floats(25, 50))
def test_a_filled_outline_has_the_outlines_box_without_bias(x0, y0, x1, y1):
    outline = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
    found = hull(filled(outline, 64))
    np.testing.assert_allclose([*found.min(axis=0), *found.max(axis=0)], [x0, y0, x1, y1], atol=0.7)


def test_kinds_say_what_a_body_is_and_never_its_name():
    assert KINDS[kind_of(Level.L3, altered=False)] == "vertebra"
    assert KINDS[kind_of(Level.T7, altered=True)] == "abnormal"
    assert KINDS[kind_of(Level.S1, altered=True)] == "sacrum"
    assert KINDS[kind_of(Level.C2, altered=False)] == "axis"


def test_the_cache_gives_pictures_back(tmp_path):
    rng = np.random.default_rng(0)
    pictures = [
        TeachingPicture(
            rng.integers(0, 256, (2, 32, 32), dtype=np.uint8),
            tuple(rng.random((n, 2)).astype(np.float32).astype(float) for n in sizes),
            tuple(range(len(sizes))),
            np.array([[1.0, 2], [3, 4]]) if sizes else None,
        )
        for sizes in ((4, 3), (), (5,))
    ]
    write_pictures(tmp_path, zip(("real", "phantom", "real"), pictures, strict=True))
    cache = PictureCache(tmp_path)
    assert cache.sources == ("real", "phantom", "real")
    for stored, given_ in zip(cache, pictures, strict=True):
        np.testing.assert_array_equal(stored.pixels, given_.pixels)
        assert stored.kinds == given_.kinds
        assert len(stored.outlines) == len(given_.outlines)
        for a, b in zip(stored.outlines, given_.outlines, strict=True):
            np.testing.assert_array_equal(a, b)
        assert (stored.horizon is None) == (given_.horizon is None)


def test_pictures_keep_their_shape_on_the_canvas():
    canvas, scale = fit_canvas(np.full((2, 100, 50), 200, np.uint8), 64)
    assert scale == 0.64
    assert (canvas[:, :, :32] == 200).all()
    assert (canvas[:, :, 32:] == 0).all()


def test_the_horizon_runs_across_the_spine_above_the_first_body():
    square = np.array([[0, 0], [10, 0], [10, 10], [0, 10]], float)
    line = horizon_above((square + np.array([20, 40]), square + np.array([20, 60])), gap=0.1)
    np.testing.assert_allclose(line[:, 1], 39)  # a tenth of the body's length above it


def test_most_slices_are_near_the_middle_and_some_are_not():
    rng = np.random.default_rng(0)
    drawn = [slices_near_middle(15, 3, rng) for _ in range(200)]
    assert all(len(set(at)) == 3 and at == sorted(at) for at in drawn)
    often = np.bincount(np.concatenate(drawn), minlength=15)
    assert often[7] > 4 * often[3] > 0 and often[[0, 14]].sum() > 0
    assert slices_near_middle(2, 5, rng) == [0, 1]  # there are no more


@pytest.fixture(scope="module")
def phantom():
    recipe = PhantomRecipe(
        name="test", patients=1, slices=5, even_levels=0.5, patient_shift=0,
        coverage=CoverageShares(lumbar=0, thoracolumbar=0), first=Level.T8,
    )  # fmt: skip
    return simulate_study(3, recipe)


def test_phantom_tiles_show_bodies_under_their_outlines(phantom):
    pictures = phantom_pictures(phantom, 96, 3, np.random.default_rng(0))
    assert len(pictures) >= 3
    kinds = [kind for picture in pictures for kind in picture.kinds]
    assert KINDS.index("vertebra") in kinds
    assert KINDS.index("abnormal") in kinds
    for picture in pictures:
        assert picture.pixels.shape == (2, 96, 96)
        assert picture.horizon is None
        for outline, kind in zip(picture.outlines, picture.kinds, strict=True):
            assert outline.min() >= 0 and outline.max() <= 96
            if kind != DOUBTFUL:
                assert picture.pixels[:, filled(outline, 96)].mean() > 10


def test_real_outlines_lie_on_bodies_and_noted_patients_do_not_teach(real_data):
    folder = real_data / "lumbar_t1t2"
    patients = training_patients(folder)
    assert all(split_of(p.key) is Split.TRAIN and not p.findings for p in patients)
    everyone = {p.patient: p for p in read_lumbar_set(folder)}
    assert skips_a_body(everyone["0012"])  # L6 without an outline
    picture = real_picture(patients[0], 384)
    assert picture.kinds == (0, 0, 0, 0, 0, 2)
    body = picture.pixels[0][filled(picture.outlines[2], 384)]
    assert body.mean() > picture.pixels[0].mean()


def test_findings_in_real_pictures_are_labelled_where_they_are(real_data):
    patient = training_patients(real_data / "lumbar_t1t2")[0]
    plain = real_picture(patient, 192)
    changed = lesion_picture(patient, 192, (1, 0))
    again = lesion_picture(patient, 192, (1, 0))
    np.testing.assert_array_equal(changed.pixels, again.pixels)
    assert KINDS.index("abnormal") in changed.kinds
    assert changed.kinds[-1] == KINDS.index("sacrum")
    for before, after, kind in zip(plain.outlines, changed.outlines, changed.kinds, strict=True):
        if kind == KINDS.index("vertebra"):
            np.testing.assert_allclose(before.mean(axis=0), after.mean(axis=0), atol=8)
