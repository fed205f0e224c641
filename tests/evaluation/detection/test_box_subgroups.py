"""Detectors by centre: the one where they fail, and those too small to tell."""

from __future__ import annotations

from datetime import UTC, datetime

from spine_fracture.evaluation.answers import Case, Part
from spine_fracture.evaluation.boxes import BoxAnswer, BoxAnswers, PictureAnswer
from spine_fracture.evaluation.reports.evaluation_report import EvaluationReport, render
from spine_fracture.evaluation.reports.model_report import report_on
from spine_fracture.evaluation.statistics.intervals import Resampling


class _NoPictures:
    def of_case(self, case: Case) -> str | None:
        return None

    def of_boxes(self, answer: PictureAnswer) -> str | None:
        return None


def _detector() -> BoxAnswers:
    """All boxes found, at centre B every second one; at C there are nine patients, and one scanner at all."""
    there, beside = (0.0, 0.0, 10.0, 10.0), (50.0, 50.0, 60.0, 60.0)
    pictures = [
        PictureAnswer(
            picture=f"{centre}{n}", part=part, patient=f"{centre}{n}", centre=centre, scanner="S",
            predicted=(BoxAnswer(label="L1", box=beside if centre == "B" and n % 2 else there, score=0.9),),
            reference=(BoxAnswer(label="L1", box=there),),
        )
        for part in (Part.VALIDATION, Part.TEST)
        for centre, patients in (("A", 12), ("B", 12), ("C", 9))
        for n in range(patients)
    ]  # fmt: skip
    return BoxAnswers(
        system="d", version="d", seed=0, cohort="c", task="lesions", labels=("L1",), pictures=tuple(pictures)
    )


def test_a_detector_is_judged_at_each_centre_by_the_threshold_of_all() -> None:
    model = report_on(None, _detector(), (), _NoPictures(), resampling=Resampling(draws=50))
    groups = {group.name: group for group in model.box_subgroups}
    assert list(groups) == ["A", "B", "C"] and {group.dimension for group in groups.values()} == {"centre"}
    recall = {name: group.result.recall.value for name, group in groups.items() if group.result}
    assert recall == {"A": 1.0, "B": 0.5}
    assert groups["C"].reason == "needs 10 patients with a box to find, has 9"
    assert all(g.result.threshold == model.detection[0].threshold for g in groups.values() if g.result)
    page = render(EvaluationReport(datetime.now(UTC), ("c",), (), (), (model,)))
    assert "Subgroups, boxes" in page and "has 9" in page
