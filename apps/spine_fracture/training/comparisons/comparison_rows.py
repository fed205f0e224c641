"""The rows of a comparison: all runs of one entry, and what they answer together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from spine_fracture.evaluation.answers import QUESTIONS, Answers, Part
from spine_fracture.evaluation.cases.scores import Unit
from spine_fracture.evaluation.cases.seeds import joined
from spine_fracture.training.comparisons.comparison import Comparison, RunResult

BASELINES = ("majority", "intensity_regression")


@dataclass(frozen=True)
class ClassifierRow:
    """``answers`` are those of the ``runs`` of one entry, joined over seeds. ``trained_for`` is the question
    of the training, which the answers need not be to.
    """

    name: str
    family: str
    system: str
    paper: str
    cohort: str
    taught: str
    trained_for: str
    runs: tuple[Answers, ...]
    answers: Answers

    @property
    def is_baseline(self) -> bool:
        return self.family in BASELINES

    @property
    def title(self) -> str:
        own = self.answers.question == self.trained_for
        return self.name if own else f"{self.name} (trained for {self.trained_for})"

    @property
    def study(self) -> str:
        return self.paper or ("baseline" if self.is_baseline else "ours")

    @property
    def unit(self) -> Unit:
        """What its answers are about."""
        return Unit.LEVEL if any(case.level for case in self.answers.cases) else Unit.PATIENT

    def under(self, question: str) -> ClassifierRow | None:
        """The row judged by this question; None where it cannot answer it, or was not asked about both sides
        of it, and for a baseline of another question, which is no baseline of this one.
        """
        asked = QUESTIONS[question]
        if question == self.answers.question:
            return self
        if self.is_baseline or not self.answers.can_answer(asked):
            return None
        answers = self.answers.under(asked)
        if len({case.truth in asked.positive for case in answers.asked(Part.TEST)}) < 2:
            return None
        return replace(self, answers=answers, runs=tuple(run.under(asked) for run in self.runs))


def by_entry(comparison: Comparison, results: Sequence[RunResult]) -> dict[str, tuple[RunResult, ...]]:
    """The runs of each entry that has any, in the order of the comparison."""
    runs: dict[str, list[RunResult]] = defaultdict(list)
    for result in results:
        runs[result.record.entry].append(result)
    return {entry.name: tuple(runs[entry.name]) for entry in comparison.entries if runs[entry.name]}


def taught(runs: Sequence[RunResult]) -> str:
    """How many patients taught a model; the numbers of all seeds where they differ."""
    return ", ".join(dict.fromkeys(str(run.record.teaching) for run in runs))


def classifier_rows(entries: dict[str, tuple[RunResult, ...]]) -> list[ClassifierRow]:
    """Of the entries that answered about levels or patients."""
    rows = []
    for name, runs in entries.items():
        first, given = runs[0].record, tuple(run.answers for run in runs if run.answers is not None)
        if given:
            answers = joined(given)
            rows.append(
                ClassifierRow(
                    name=name,
                    family=first.family,
                    system=first.system,
                    paper=first.paper,
                    cohort=first.cohort,
                    taught=taught(runs),
                    trained_for=answers.question,
                    runs=given,
                    answers=answers,
                )
            )
    return rows
