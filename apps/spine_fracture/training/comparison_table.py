"""The comparison as a page of Markdown: a table for each question and cohort, one for detectors.

Figures are of the answers joined over seeds; what the seed alone changes stands beside them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from spine_fracture.evaluation.answers import QUESTIONS, Answers, Cost, Part
from spine_fracture.evaluation.baselines import above_baseline, above_majority
from spine_fracture.evaluation.binary import BinaryResult
from spine_fracture.evaluation.box_judging import DetectionResult, judge_boxes
from spine_fracture.evaluation.judging import judge
from spine_fracture.evaluation.scores import Unit
from spine_fracture.evaluation.seeds import joined, over_seeds
from spine_fracture.evaluation.statistics import Estimate, Resampling
from spine_fracture.training.comparison import Comparison, RunResult

BASELINES = ("majority", "intensity_regression")


@dataclass(frozen=True)
class Page:
    """Markdown ``text`` to stand between two marks."""

    begin: str
    end: str
    text: str


@dataclass(frozen=True)
class _Row:
    """All runs of one entry. ``unit`` is what its answers are about."""

    name: str
    family: str
    paper: str
    cohort: str
    runs: tuple[RunResult, ...]
    answers: Answers | None

    @property
    def question(self) -> str:
        return self.answers.question if self.answers else ""

    @property
    def unit(self) -> Unit:
        assert self.answers is not None
        return Unit.LEVEL if any(case.level for case in self.answers.cases) else Unit.PATIENT


def comparison_page(comparison: Comparison, results: Sequence[RunResult], how: Resampling) -> Page:
    """All tables of a comparison, from the runs that are done."""
    rows = _rows(comparison, results)
    parts = [f"{comparison.note.strip()}\n" if comparison.note else "", _machines(results)]
    groups: dict[tuple[str, str], list[_Row]] = defaultdict(list)
    for row in rows:
        if row.answers is not None:
            groups[row.cohort, row.question].append(row)
    for (cohort, question), members in groups.items():
        parts.append(_question_table(cohort, question, members, how))
    detectors = [row for row in rows if any(run.boxes for run in row.runs)]
    if detectors:
        parts.append(_detector_table(detectors, how))
    parts.append(_cost_table(rows))
    mark = f"comparison {comparison.name}"
    return Page(f"<!-- {mark} begins -->", f"<!-- {mark} ends -->", "\n".join(filter(None, parts)))


def _rows(comparison: Comparison, results: Sequence[RunResult]) -> list[_Row]:
    by_entry: dict[str, list[RunResult]] = defaultdict(list)
    for result in results:
        by_entry[result.record.entry].append(result)
    rows = []
    for entry in comparison.entries:
        runs = tuple(by_entry.get(entry.name, ()))
        if runs:
            first, given = runs[0].record, [run.answers for run in runs if run.answers is not None]
            answers = joined(given) if given else None
            rows.append(_Row(entry.name, first.family, first.paper, first.cohort, runs, answers))
    return rows


def _machines(results: Sequence[RunResult]) -> str:
    names = dict.fromkeys(result.record.machine for result in results)
    return "Trained on: " + "; ".join(names) + ".\n" if names else ""


def _question_table(cohort: str, question: str, rows: Sequence[_Row], how: Resampling) -> str:
    asked = QUESTIONS[question]
    baseline = next((row.answers for row in rows if row.family == "intensity_regression"), None)
    header = (
        "model", "study", "seeds", "AUC (95 %)", "AUC, sd over seeds", "by patient", "sensitivity",
        "specificity", "external AUC", "above intensity", "above majority",
    )  # fmt: skip
    lines = [f"### {asked.text} Cohort `{cohort}`\n", *_head(header)]
    counted = ""
    for row in rows:
        assert row.answers is not None
        found = {(result.part, result.unit): result for result in judge(row.answers, resampling=how)}
        own = found.get((Part.TEST, row.unit))
        if own is None:
            continue
        counted = _counted(found, row.unit)
        spread = over_seeds([run.answers for run in row.runs if run.answers], unit=row.unit)
        patient, external = found.get((Part.TEST, Unit.PATIENT)), found.get((Part.EXTERNAL, row.unit))
        lines.append(
            _line(
                row.name,
                row.paper or ("baseline" if row.family in BASELINES else "ours"),
                str(len(row.runs)),
                _interval(own.auc),
                "" if spread is None or spread.sd is None else f"{spread.sd:.3f}",
                _interval(patient.auc if patient else None),
                _interval(own.sensitivity),
                _interval(own.specificity),
                _interval(external.auc if external else None),
                _above(row, baseline, how),
                _shown(above_majority(row.answers, unit=row.unit, resampling=how))
                if row.family not in BASELINES
                else "",
            )
        )
    return "\n".join([*lines, "", counted, *_ours_against(rows, how), ""])


def _counted(found: dict[tuple[Part, Unit], BinaryResult], unit: Unit) -> str:
    said = [
        f"{part}: {result.cases} {unit}s of {result.patients} patients, {result.positives} positive"
        for part in (Part.TEST, Part.EXTERNAL)
        if (result := found.get((part, unit)))
    ]
    return f"{'; '.join(said)}. Thresholds are fixed on validation; intervals are by patient.\n"


def _above(row: _Row, baseline: Answers | None, how: Resampling) -> str:
    if row.family in BASELINES:
        return ""
    if baseline is None or row.answers is None:
        return "no such baseline here"
    return _shown(above_baseline(row.answers, baseline, unit=row.unit, resampling=how))


def _ours_against(rows: Sequence[_Row], how: Resampling) -> Iterable[str]:
    """Whether the whole-study model is better than each other one on the same cases."""
    ours = next((row for row in rows if row.family == "whole_study"), None)
    rivals = [row for row in rows if row.family not in (*BASELINES, "whole_study")]
    if ours is None or ours.answers is None or not rivals:
        return
    yield f"{ours.name} less each other model, AUC on the cases that both answered:\n"
    yield from _head(("other", "difference (95 %)", ""))
    for rival in rivals:
        assert rival.answers is not None
        difference = above_baseline(ours.answers, rival.answers, unit=rival.unit, resampling=how)
        yield _line(rival.name, _signed(difference), _verdict(difference))
    yield ""


def _detector_table(rows: Sequence[_Row], how: Resampling) -> str:
    header = (
        "detector", "study", "labels", "seeds", "mAP50-95 (95 %)", "sd over seeds", "mAP50", "precision",
        "recall", "F1", "found at 1 false box a picture", "all levels right", "external mAP50-95",
    )  # fmt: skip
    lines = ["### Boxes\n", *_head(header)]
    for row in rows:
        judged = [judge_boxes(run.boxes, resampling=how) for run in row.runs if run.boxes]
        tests = [result for results in judged for result in results if result.part is Part.TEST]
        if not tests:
            continue
        best = sorted(tests, key=lambda result: result.map50_95.value)[len(tests) // 2]
        external = [r.map50_95.value for results in judged for r in results if r.part is Part.EXTERNAL]
        values = [result.map50_95.value for result in tests]
        lines.append(
            _line(
                row.name,
                row.paper or "ours",
                best.task,
                str(len(row.runs)),
                _interval(best.map50_95),
                f"{np.std(values, ddof=1):.3f}" if len(values) > 1 else "",
                _interval(best.map50),
                _interval(best.precision),
                _interval(best.recall),
                _interval(best.f1),
                _froc(best),
                _interval(best.studies_right),
                f"{np.mean(external):.3f}" if external else "",
            )
        )
    note = "The run of the median mAP50-95 is shown; thresholds are those of the best F1 on validation.\n"
    return "\n".join([*lines, "", note])


def _froc(result: DetectionResult) -> str:
    return next((_interval(point.sensitivity) for point in result.froc if point.false_positives == 1.0), "")


def _cost_table(rows: Sequence[_Row]) -> str:
    header = (
        "model", "parameters (M)", "minutes a seed", "epochs (best)", "ended because", "pictures/s",
        "waiting for data", "GPU memory (MiB)",
    )  # fmt: skip
    lines = ["### What training took\n", *_head(header)]
    for row in rows:
        costs = [cost for run in row.runs if (cost := _cost(run)) is not None]
        if costs:
            seconds = sum(cost.seconds for cost in costs)
            lines.append(
                _line(
                    row.name,
                    f"{row.runs[0].record.parameters / 1e6:.2f}",
                    f"{seconds / 60 / len(costs):.1f}",
                    ", ".join(f"{cost.epochs} ({cost.best_epoch})" for cost in costs),
                    "; ".join(dict.fromkeys(cost.stopped for cost in costs)),
                    f"{sum(cost.pictures for cost in costs) / max(seconds, 1e-9):.0f}",
                    f"{sum(cost.waited for cost in costs) / max(seconds, 1e-9):.0%}",
                    f"{max(cost.device_mib for cost in costs):.0f}",
                )
            )
    return "\n".join([*lines, ""])


def _cost(run: RunResult) -> Cost | None:
    return next((answers.cost for answers in (run.answers, run.boxes) if answers is not None), None)


def _head(columns: Sequence[str]) -> list[str]:
    return [_line(*columns), _line(*("---" for _ in columns))]


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _interval(value: Estimate | None) -> str:
    return "" if value is None else f"{value.value:.3f} ({value.low:.3f} to {value.high:.3f})"


def _signed(value: Estimate | None) -> str:
    return "" if value is None else f"{value.value:+.3f} ({value.low:+.3f} to {value.high:+.3f})"


def _shown(value: Estimate | None) -> str:
    return "" if value is None else f"{_signed(value)}: {_verdict(value)}"


def _verdict(value: Estimate | None) -> str:
    if value is None:
        return "cannot be told"
    return "better" if value.low > 0 else "worse" if value.high < 0 else "not shown"
