"""The table of one question on one cohort: every model that can answer it, against baselines and ours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from spine_fracture.evaluation.answers import QUESTIONS, Part
from spine_fracture.evaluation.cases.baselines import above_baseline, above_majority
from spine_fracture.evaluation.cases.binary import BinaryResult
from spine_fracture.evaluation.cases.differences import FEWEST, Difference, with_holm
from spine_fracture.evaluation.cases.judging import judge
from spine_fracture.evaluation.cases.scores import Unit
from spine_fracture.evaluation.cases.seeds import over_seeds
from spine_fracture.evaluation.statistics.intervals import Resampling
from spine_fracture.training.comparisons.comparison_rows import ClassifierRow
from spine_fracture.training.comparisons.markdown import interval, shown, signed, table

_COLUMNS = (
    "model", "study", "seeds", "taught", "cases", "positive", "patients", "AUC (95 %)",
    "mean of single seeds", "sd over seeds", "AUC by patient", "sensitivity", "specificity",
    "external cases", "positive", "patients", "external AUC", "above intensity", "above majority",
)  # fmt: skip
_NOTE = (
    "The figures of a row are those of an ensemble of its seeds, the mean of their probabilities, but for "
    "`mean of single seeds`, the AUC that one of them has on average, and `sd over seeds`, how much it "
    "differs. `taught` counts the patients who teach. Thresholds are fixed on validation. A figure that "
    "every draw leaves as it is, say 1, has no interval. "
)
_AGAINST = ("other", "cases of both", "patients", "AUC, other", "AUC, ours", "difference (95 %)", "")


def question_table(cohort: str, question: str, rows: Sequence[ClassifierRow], how: Resampling) -> str:
    """``rows`` are all of one cohort; each has a line where it can answer the question."""
    asked = [there for row in rows if (there := row.under(question)) is not None]
    asked.sort(key=lambda row: row.trained_for != question)
    judged = [(row, {(r.part, r.unit): r for r in judge(row.answers, resampling=how)}) for row in asked]
    kept = [(row, found) for row, found in judged if (Part.TEST, row.unit) in found]
    above = _above_baselines([row for row, _ in kept], how)
    lines = [_cells(row, found, *differences) for (row, found), differences in zip(kept, above, strict=True)]
    verdicts = sum(difference is not None for pair in above for difference in pair)
    return "\n".join(
        [
            f"### {QUESTIONS[question].text} Cohort `{cohort}`\n",
            *table(_COLUMNS, lines),
            "",
            _NOTE + _said(verdicts),
            "",
            *_against_ours([row for row, _ in kept], how),
        ]
    )


def _said(verdicts: int) -> str:
    return (
        "Intervals are by bootstrap over patients, each for itself. A verdict is what is left at 5 % after "
        f"Holm's adjustment of the p of the same draws over the {verdicts} verdicts of this table, so it may "
        f"be `not shown` where an interval leaves zero out. It is given from {FEWEST} patients on."
    )


def _cells(
    row: ClassifierRow,
    found: dict[tuple[Part, Unit], BinaryResult],
    above_intensity: Difference | None,
    majority: Difference | None,
) -> tuple[str, ...]:
    own, patient = found[Part.TEST, row.unit], found.get((Part.TEST, Unit.PATIENT))
    external = found.get((Part.EXTERNAL, row.unit))
    spread = over_seeds(row.runs, unit=row.unit)
    return (
        row.title,
        row.study,
        str(len(row.runs)),
        row.taught,
        *_counts(own),
        interval(own.auc),
        "" if spread is None else f"{spread.mean:.3f}",
        "" if spread is None or spread.sd is None else f"{spread.sd:.3f}",
        interval(patient.auc if patient else None),
        interval(own.sensitivity),
        interval(own.specificity),
        *_counts(external),
        interval(external.auc if external else None),
        "" if row.is_baseline else shown(above_intensity),
        "" if row.is_baseline else shown(majority),
    )


def _counts(result: BinaryResult | None) -> tuple[str, str, str]:
    """Cases, positive ones, patients."""
    if result is None:
        return "", "", ""
    return f"{result.cases} {result.unit}s", str(result.positives), str(result.patients)


def _above_baselines(
    rows: Sequence[ClassifierRow], how: Resampling
) -> list[tuple[Difference | None, Difference | None]]:
    """Above the regression on intensity, and above the majority class, adjusted together."""
    how = how.enough_for(2 * len(rows))
    baseline = next((row.answers for row in rows if row.family == "intensity_regression"), None)
    above: list[Difference | None] = []
    for row in rows:
        if row.is_baseline:
            above += [None, None]
            continue
        over = above_baseline(row.answers, baseline, unit=row.unit, resampling=how) if baseline else None
        above += [over, above_majority(row.answers, unit=row.unit, resampling=how)]
    adjusted = with_holm(above)
    return list(zip(adjusted[::2], adjusted[1::2], strict=True))


def _against_ours(rows: Sequence[ClassifierRow], how: Resampling) -> Iterator[str]:
    """Whether the whole-study model is better than each other one on the same cases, and than itself where it
    sees each level alone.
    """
    ours = next((row for row in rows if row.family == "whole_study"), None)
    if ours is None:
        return
    others = [(row.title, row.answers, row.unit) for row in rows if not row.is_baseline and row is not ours]
    if (alone := ours.answers.alone()) is not None:
        others.append((f"{ours.name}, each level alone", alone, ours.unit))
    if not others:
        return
    how = how.enough_for(len(others))
    found = with_holm(
        [above_baseline(ours.answers, answers, unit=unit, resampling=how) for _, answers, unit in others]
    )
    yield f"{ours.title} less each other model, AUC on the cases that both answered:\n"
    yield from table(_AGAINST, [_against(title, it) for (title, *_), it in zip(others, found, strict=True)])
    yield "\n" + _said(sum(difference is not None for difference in found)) + "\n"


def _against(title: str, found: Difference | None) -> tuple[str, ...]:
    if found is None:
        return (title, *[""] * (len(_AGAINST) - 2), "cannot be told")
    areas = f"{found.first:.3f}", f"{found.second:.3f}"
    return (title, str(found.cases), str(found.patients), *areas, signed(found.difference), found.verdict)
