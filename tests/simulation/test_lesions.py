"""What findings do to the signal, and what they leave alone."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from textured_pictures import LEVELS, insert_finding, pass_through, textured_canvas

from spine_fracture.anatomy import Diagnosis, Feature, Level, Primary
from spine_fracture.errors import InputError
from spine_fracture.imaging import Sequence
from spine_fracture.simulation.canvas import LesionCanvas, body_frame
from spine_fracture.simulation.findings import NULL_FINDING, Finding, Pattern, Variant, draw_finding
from spine_fracture.simulation.lesions import insert_findings

CANVAS = textured_canvas(7)
DIFFUSE = frozenset({Feature.NO_COLLAPSE, Feature.DIFFUSE_CHANGE})


def _body(canvas: LesionCanvas, sequence: Sequence, level: Level = Level.L3) -> float:
    return float(np.median(canvas.picture(sequence)[canvas.labels == 1 + level.order]))


@pytest.mark.parametrize("pattern", list(Pattern))
def test_malignant_marrow_is_dark_on_t1(pattern: Pattern) -> None:
    finding = Finding(Diagnosis.MALIGNANT, DIFFUSE, Primary.BREAST, pattern)
    out = insert_finding(CANVAS, Level.L3, finding, np.random.default_rng(0)).canvas
    assert _body(out, Sequence.T1) < 0.8 * _body(CANVAS, Sequence.T1)


def test_sclerosis_is_dark_on_t2_and_lysis_is_brighter_than_it() -> None:
    def t2(pattern: Pattern) -> float:
        finding = Finding(Diagnosis.MALIGNANT, DIFFUSE, Primary.BREAST, pattern)
        return _body(insert_finding(CANVAS, Level.L3, finding, np.random.default_rng(0)).canvas, Sequence.T2)

    assert t2(Pattern.SCLEROTIC) < 0.75 * _body(CANVAS, Sequence.T2)
    assert t2(Pattern.SCLEROTIC) < t2(Pattern.LYTIC)


def test_a_hemangioma_is_bright_on_t1_and_t2() -> None:
    finding = Finding(Diagnosis.HEMANGIOMA, DIFFUSE, extent=0.9)
    out = insert_finding(CANVAS, Level.L3, finding, np.random.default_rng(0)).canvas
    for sequence in (Sequence.T1, Sequence.T2):
        assert _body(out, sequence) > 1.1 * _body(CANVAS, sequence)


def test_oedema_is_bright_on_stir() -> None:
    stir = LesionCanvas((Sequence.T2_FAT_SAT,), (CANVAS.pictures[0] * 0.3,), CANVAS.labels)
    finding = Finding(Diagnosis.BENIGN_FRACTURE, DIFFUSE, activity=1.0)
    out = insert_finding(stir, Level.L3, finding, np.random.default_rng(0)).canvas
    assert _body(out, Sequence.T2_FAT_SAT) > 1.5 * _body(stir, Sequence.T2_FAT_SAT)


def test_a_healed_fracture_keeps_its_marrow_signal() -> None:
    features = frozenset({Feature.WHOLE_BODY_COMPRESSION, Feature.HOMOGENEOUS_MARROW})
    finding = Finding(Diagnosis.BENIGN_FRACTURE, features, severity=0.4)
    result = insert_finding(CANVAS, Level.L3, finding, np.random.default_rng(0))
    assert _body(result.canvas, Sequence.T1) == pytest.approx(_body(CANVAS, Sequence.T1), rel=0.04)
    assert not result.inserted[0].mask.any()


def test_the_texture_of_the_picture_survives() -> None:
    finding = Finding(Diagnosis.MALIGNANT, DIFFUSE, Primary.LUNG, Pattern.LYTIC)
    out = insert_finding(CANVAS, Level.L3, finding, np.random.default_rng(3)).canvas
    plain = pass_through(CANVAS, np.random.default_rng(3))
    body = plain.labels == 1 + Level.L3.order

    def residual(picture: np.ndarray) -> np.ndarray:
        return (picture / gaussian_filter(picture, (0, 3, 3)))[body]

    assert np.corrcoef(residual(out.picture(Sequence.T1)), residual(plain.picture(Sequence.T1)))[0, 1] > 0.6


def test_other_levels_keep_their_signal() -> None:
    rng = np.random.default_rng(4)
    for diagnosis in (Diagnosis.BENIGN_FRACTURE, Diagnosis.MALIGNANT, Diagnosis.HEMANGIOMA):
        out = insert_finding(CANVAS, Level.L3, draw_finding(diagnosis, rng, single_slice=True), rng).canvas
        for level in (Level.L1, Level.L5):
            assert _body(out, Sequence.T1, level) == pytest.approx(
                _body(CANVAS, Sequence.T1, level), rel=0.03
            )


@pytest.mark.parametrize("diagnosis", [d for d in Diagnosis if d is not Diagnosis.INDETERMINATE])
def test_every_class_goes_into_one_slice_and_into_a_stack_the_same_way_twice(diagnosis: Diagnosis) -> None:
    for slices in (1, 5):
        canvas = textured_canvas(1, slices=slices)
        results = []
        for _ in range(2):
            rng = np.random.default_rng(11)
            finding = draw_finding(diagnosis, rng, single_slice=slices == 1)
            results.append(insert_finding(canvas, Level.L2, finding, rng))
        for first, second in zip(results[0].canvas.pictures, results[1].canvas.pictures, strict=True):
            np.testing.assert_array_equal(first, second)
            assert np.isfinite(first).all()
            assert first.min() >= 0


def test_the_change_lies_at_its_level() -> None:
    rng = np.random.default_rng(5)
    for _ in range(10):
        finding = draw_finding(Diagnosis.MALIGNANT, rng, single_slice=True)
        mask = insert_finding(CANVAS, Level.L3, finding, rng).inserted[0].mask
        frame = body_frame(CANVAS.labels, Level.L3, None)
        rows = np.argwhere(mask)[:, 1]
        assert abs(rows.mean() - frame.centre[0]) < frame.height


def test_several_findings_at_once_and_the_canvas_given_is_untouched() -> None:
    before = [picture.copy() for picture in CANVAS.pictures]
    rng = np.random.default_rng(6)
    placed = [(level, draw_finding(Diagnosis.BENIGN_FRACTURE, rng, single_slice=True)) for level in LEVELS]
    result = insert_findings(CANVAS, placed, rng)
    assert [item.level for item in result.inserted] == list(LEVELS)
    assert result.canvas.levels == LEVELS
    for old, now in zip(before, CANVAS.pictures, strict=True):
        np.testing.assert_array_equal(old, now)


def test_a_null_finding_is_the_null_warp() -> None:
    result = insert_finding(CANVAS, Level.L3, NULL_FINDING, np.random.default_rng(8))
    plain = pass_through(CANVAS, np.random.default_rng(8))
    np.testing.assert_array_equal(result.canvas.pictures[0], plain.pictures[0])
    assert not result.inserted[0].mask.any()


@pytest.mark.parametrize("variant", list(Variant))
def test_variants_are_small(variant: Variant) -> None:
    finding = Finding(Diagnosis.NORMAL, variant=variant, severity=0.1, extent=0.4)
    out = insert_finding(CANVAS, Level.L3, finding, np.random.default_rng(0)).canvas
    assert _body(out, Sequence.T1) == pytest.approx(_body(CANVAS, Sequence.T1), rel=0.12)


def test_a_level_that_is_not_marked_is_refused() -> None:
    finding = draw_finding(Diagnosis.HEMANGIOMA, np.random.default_rng(0))
    with pytest.raises(InputError, match="T4 is not marked"):
        insert_finding(CANVAS, Level.T4, finding, np.random.default_rng(0))


def test_a_canvas_of_unequal_pictures_is_refused() -> None:
    with pytest.raises(InputError, match="one shape"):
        LesionCanvas((Sequence.T1,), (CANVAS.pictures[0][:, 1:],), CANVAS.labels)
