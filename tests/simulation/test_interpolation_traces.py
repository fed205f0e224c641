"""No class can be told by traces of interpolation: a linear probe on high-pass residuals finds nothing."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from textured_pictures import LEVELS, insert_finding, pass_through, textured_canvas

from spine_fracture.anatomy import Diagnosis, Feature, Level
from spine_fracture.simulation.canvas import LesionCanvas
from spine_fracture.simulation.findings import NULL_FINDING, Finding
from spine_fracture.simulation.lesions import insert_findings

PATIENTS = 70


def _residuals(canvas: LesionCanvas, level: Level) -> list[float]:
    """Statistics of what two high-pass filters leave in a body, T1 and T2."""
    body = canvas.labels == 1 + level.order
    found: list[float] = []
    for picture in canvas.pictures:
        fine = (picture - gaussian_filter(picture, (0, 0.7, 0.7)))[body]
        coarse = (picture - gaussian_filter(picture, (0, 1.5, 1.5)))[body]
        found += [np.log(fine.std()), np.log(coarse.std()), np.log(fine.std() / coarse.std())]
        found += [float(np.abs(fine).mean() / fine.std()), float((fine**4).mean() / fine.var() ** 2)]
    return found


def _auc(rows: list[list[float]], answers: list[bool], patients: list[int]) -> float:
    probe = make_pipeline(StandardScaler(), LogisticRegression())
    scores = cross_val_predict(
        probe, rows, answers, groups=patients, cv=GroupKFold(5), method="predict_proba"
    )[:, 1]
    return float(roc_auc_score(answers, scores))


def test_null_simulated_levels_cannot_be_told_from_untouched_ones() -> None:
    rows, answers, patients = [], [], []
    for seed in range(PATIENTS):
        rng = np.random.default_rng([seed, 1])
        chosen = [level for level in LEVELS if rng.random() < 0.5]
        out = insert_findings(textured_canvas(seed), [(c, NULL_FINDING) for c in chosen], rng).canvas
        for level in LEVELS:
            rows.append(_residuals(out, level))
            answers.append(level in chosen)
            patients.append(seed)
    assert _auc(rows, answers, patients) < 0.6


def test_levels_of_pictures_without_a_finding_look_like_the_neighbours_of_a_collapse() -> None:
    rows, answers, patients = [], [], []
    collapsed = frozenset({Feature.WHOLE_BODY_COMPRESSION})
    finding = Finding(Diagnosis.BENIGN_FRACTURE, collapsed, severity=0.5)
    for seed in range(PATIENTS):
        rng = np.random.default_rng([seed, 2])
        beside = seed % 2 == 0
        canvas = textured_canvas(seed)
        out = insert_finding(canvas, Level.L3, finding, rng).canvas if beside else pass_through(canvas, rng)
        for level in (Level.L1, Level.L2, Level.L4, Level.L5):
            rows.append(_residuals(out, level))
            answers.append(beside)
            patients.append(seed)
    assert _auc(rows, answers, patients) < 0.6


def test_the_probe_would_see_a_level_that_skipped_the_warp() -> None:
    rows, answers, patients = [], [], []
    for seed in range(PATIENTS // 2):
        canvas = textured_canvas(seed)
        warped = pass_through(canvas, np.random.default_rng([seed, 3]))
        for level in LEVELS:
            for touched, picture in ((True, warped), (False, canvas)):
                rows.append(_residuals(picture, level))
                answers.append(touched)
                patients.append(seed)
    assert _auc(rows, answers, patients) > 0.7
