"""The tables of detectors: how well boxes are found on one cohort, levels and lesions apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from spine_fracture.evaluation.answers import Part
from spine_fracture.evaluation.detection.judging import DetectionResult, judge_boxes
from spine_fracture.evaluation.statistics.intervals import Resampling
from spine_fracture.training.comparisons.comparison import RunResult
from spine_fracture.training.comparisons.comparison_rows import taught
from spine_fracture.training.comparisons.markdown import interval, table

_COLUMNS = (
    "detector", "study", "seeds", "taught", "boxes", "pictures", "patients", "mAP50-95 (95 %)",
    "sd over seeds", "mAP50", "precision", "recall", "F1", "found at 1 false box a picture",
    "all levels right", "external boxes", "pictures", "patients", "external mAP50-95",
)  # fmt: skip
_NOTE = (
    "The run of the median mAP50-95 is shown, of two the worse, but for the external mAP50-95, which is the "
    "mean over seeds. Thresholds are those of the best F1 on validation. `taught` counts the patients who "
    "teach, `boxes` those that are there to find. Intervals are by bootstrap over patients, not adjusted.\n"
)


def detector_tables(entries: Mapping[str, tuple[RunResult, ...]], how: Resampling) -> Iterator[str]:
    """One for each cohort and kind of label."""
    groups: dict[tuple[str, str], list[tuple[str, ...]]] = defaultdict(list)
    for name, runs in entries.items():
        drawn = [run.boxes for run in runs if run.boxes is not None]
        judged = [judge_boxes(boxes, resampling=how) for boxes in drawn]
        tests = [result for results in judged for result in results if result.part is Part.TEST]
        external = [result for results in judged for result in results if result.part is Part.EXTERNAL]
        if tests:
            groups[runs[0].record.cohort, tests[0].task].append(_cells(name, runs, tests, external))
    for (cohort, task), lines in groups.items():
        yield "\n".join([f"### Boxes of {task}. Cohort `{cohort}`\n", *table(_COLUMNS, lines), "", _NOTE])


def _cells(
    name: str,
    runs: Sequence[RunResult],
    tests: Sequence[DetectionResult],
    external: Sequence[DetectionResult],
) -> tuple[str, ...]:
    middle = sorted(tests, key=lambda result: result.map50_95.value)[(len(tests) - 1) // 2]
    values = [result.map50_95.value for result in tests]
    return (
        name,
        runs[0].record.paper or "ours",
        str(len(tests)),
        taught(runs),
        *_counts(middle),
        interval(middle.map50_95),
        f"{np.std(values, ddof=1):.3f}" if len(values) > 1 else "",
        interval(middle.map50),
        interval(middle.precision),
        interval(middle.recall),
        interval(middle.f1),
        next((interval(p.sensitivity) for p in middle.froc if p.false_positives == 1.0), ""),
        interval(middle.studies_right),
        *(_counts(external[0]) if external else ("", "", "")),
        f"{np.mean([result.map50_95.value for result in external]):.3f}" if external else "",
    )


def _counts(result: DetectionResult) -> tuple[str, str, str]:
    return str(result.boxes), str(result.pictures), str(result.patients)
