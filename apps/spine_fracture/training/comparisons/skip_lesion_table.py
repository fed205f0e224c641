"""What the whole-study model gains over a model of single slices, cohort by cohort.

The simulator writes skip lesions in, which only the whole-study model can see. Where they are equally
frequent in both classes, or nearly so, its gain has to shrink, and it must not become a loss.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from spine_fracture.evaluation.answers import MALIGNANT_OR_BENIGN, Part
from spine_fracture.evaluation.cases.baselines import above_baseline
from spine_fracture.evaluation.cases.differences import Difference, Verdict
from spine_fracture.evaluation.cases.non_inferiority import MARGIN, Matched, change
from spine_fracture.evaluation.cases.scores import Unit, shared, unit_scores
from spine_fracture.evaluation.statistics.intervals import Estimate, Resampling
from spine_fracture.training.comparisons.comparison_rows import ClassifierRow
from spine_fracture.training.comparisons.markdown import signed, table

_COLUMNS = (
    "rival", "cohort", "cases", "patients", "patients of both", "AUC, rival", "AUC, ours", "gain (95 %)",
    f"not worse by {MARGIN}", "change of the gain (95 %)", "shrinks", "gain over each level alone (95 %)",
)  # fmt: skip


@dataclass(frozen=True)
class _Gain:
    """Of ours over one rival system on one cohort, and over ours where it sees each level alone."""

    rival: str
    cohort: str
    scores: Matched
    over_rival: Difference
    over_alone: Difference | None


def skip_lesion_table(rows: Sequence[ClassifierRow], cohort: str, how: Resampling) -> str:
    """Of each rival system that stands with ours on two cohorts or more; ``cohort`` is the one whose gain
    that on others is held against. Empty where there is none.
    """
    asked = [row for row in rows if row.answers.question == MALIGNANT_OR_BENIGN.name]
    lines: list[tuple[str, ...]] = []
    for system in dict.fromkeys(row.system for row in asked if row.family == "yeh2022"):
        gains = sorted(_gains(asked, system, how), key=lambda gain: gain.cohort != cohort)
        if len(gains) > 1:
            usual = next((gain.scores for gain in gains if gain.cohort == cohort), None)
            lines += [_cells(gain, None if gain.cohort == cohort else usual, how) for gain in gains]
    if not lines:
        return ""
    note = (
        "AUC by level of the whole-study model less that of the same rival system on each cohort. Not worse: "
        f"the whole interval lies above -{MARGIN}, a tenth of the way from guessing to knowing, and about "
        f"the least that 100 patients can show. The change is against the gain on `{cohort}`; `patients of "
        "both` are on it too, and are drawn for both cohorts at once. The gain shrinks where the interval of "
        "the change lies below zero. Intervals are not adjusted."
    )
    return "\n".join(["### What skip lesions are worth\n", *table(_COLUMNS, lines), "", note, ""])


def _gains(rows: Sequence[ClassifierRow], system: str, how: Resampling) -> Iterator[_Gain]:
    """One for each cohort on which both stand; of several entries of one system the first."""
    for cohort in dict.fromkeys(row.cohort for row in rows):
        here = [row for row in rows if row.cohort == cohort]
        ours = next((row.answers for row in here if row.family == "whole_study"), None)
        rival = next((row.answers for row in here if row.system == system), None)
        if ours is None or rival is None:
            continue
        over_rival = above_baseline(ours, rival, unit=Unit.LEVEL, resampling=how)
        alone = ours.alone()
        if over_rival is not None:
            over_alone = above_baseline(ours, alone, unit=Unit.LEVEL, resampling=how) if alone else None
            scores = shared([unit_scores(one, Part.TEST, Unit.LEVEL) for one in (rival, ours)])
            yield _Gain(system, cohort, Matched(*scores), over_rival, over_alone)


def _cells(gain: _Gain, usual: Matched | None, how: Resampling) -> tuple[str, ...]:
    found = gain.over_rival
    changed = change(usual, gain.scores, how) if usual else None
    return (
        gain.rival,
        f"`{gain.cohort}`",
        str(found.cases),
        str(found.patients),
        str(len(usual.patients & gain.scores.patients)) if usual else "",
        f"{found.first:.3f}",
        f"{found.second:.3f}",
        signed(found.difference),
        _not_worse(found),
        signed(changed),
        _shrinks(changed),
        signed(gain.over_alone.difference if gain.over_alone else None),
    )


def _not_worse(found: Difference) -> str:
    if found.verdict is Verdict.TOO_FEW:
        return Verdict.TOO_FEW
    return {True: "yes", False: "not shown", None: "cannot be told"}[found.not_worse(MARGIN)]


def _shrinks(changed: Estimate | None) -> str:
    if changed is None:
        return ""
    return "yes" if changed.high < 0 else "no, it grows" if changed.low > 0 else "not shown"
