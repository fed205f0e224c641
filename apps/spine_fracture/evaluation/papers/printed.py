"""What the five studies printed, and whether their counts bear it out."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from spine_fracture.anatomy import Feature
from spine_fracture.configuration import Config, load_config
from spine_fracture.evaluation.cases.features import Fourfold, fisher_p
from spine_fracture.evaluation.cases.readers import Measure
from spine_fracture.evaluation.papers.tables import PaperTable
from spine_fracture.evaluation.statistics.paired import McNemar, kindest_pairing, mcnemar_of_counts


def _p_value(text: str) -> str:
    number = Decimal(text.removeprefix("<"))
    if not 0 <= number <= 1:
        raise ValueError(f"{text} is no p value")
    return text


#: A p value as it is printed: a number, or ``<`` and a number.
PrintedP = Annotated[str, Field(pattern=r"^<?[01](\.\d+)?$"), AfterValidator(_p_value)]


def bears_out(printed: PrintedP, p_value: float) -> bool:
    """Whether a computed p is what was printed: below the bound, or the same at the printed digits."""
    if printed.startswith("<"):
        return p_value < float(printed.removeprefix("<"))
    return round(Decimal(p_value), -int(Decimal(printed).as_tuple().exponent)) == Decimal(printed)


class PrintedFeature(Config):
    """A row of a table of features: how many of the positives and of the negatives have it."""

    feature: Feature
    positive: int
    negative: int
    p: PrintedP


class PrintedReader(Config):
    """A reader's, or a model's, fourfold table."""

    name: str
    true_positive: int
    true_negative: int
    false_negative: int
    false_positive: int

    def right(self, measure: Measure) -> tuple[int, int]:
        """How many cases were right, of how many."""
        positives = self.true_positive + self.false_negative
        negatives = self.true_negative + self.false_positive
        return {
            Measure.SENSITIVITY: (self.true_positive, positives),
            Measure.SPECIFICITY: (self.true_negative, negatives),
            Measure.ACCURACY: (self.true_positive + self.true_negative, positives + negatives),
        }[measure]


class PrintedComparison(Config):
    """A p value of McNemar's test, printed without the pairs."""

    first: str
    second: str
    measure: Measure
    p: PrintedP


class Paper(Config):
    """The whole of ``configs/papers/*.yaml``: facts that the paper prints, on its own ``data``.

    ``positives`` and ``negatives`` are those of its features and readers.
    """

    name: str
    title: str
    source: str
    doi: str = ""
    data: str
    tables: tuple[PaperTable, ...]
    positives: int = 0
    negatives: int = 0
    features: tuple[PrintedFeature, ...] = ()
    readers: tuple[PrintedReader, ...] = ()
    comparisons: tuple[PrintedComparison, ...] = ()

    @model_validator(mode="after")
    def _compares_its_readers(self) -> Self:
        names = {reader.name for reader in self.readers}
        for printed in self.comparisons:
            if not {printed.first, printed.second} <= names:
                raise ValueError(f"{printed.first} or {printed.second} is none of the readers")
        return self


@dataclass(frozen=True)
class FeatureCheck:
    """Fisher's exact test on printed counts against the printed p."""

    feature: Feature
    counts: Fourfold
    printed: PrintedP
    computed: float
    agrees: bool


@dataclass(frozen=True)
class ComparisonCheck:
    """Two readers' printed counts, paired as kindly as they can be, against the printed p (if there is one).

    ``right`` of ``cases`` were right. ``contradicted`` means that no pairing, by no form of McNemar's
    test, gives a p as small as printed.
    """

    first: str
    second: str
    measure: Measure
    right: tuple[int, int]
    cases: int
    kindest: McNemar
    printed: PrintedP | None
    contradicted: bool


#: The source studies, by the names that systems' configurations have in ``paper``.
PAPERS = ("joonghyun2026", "chou", "hemangioma", "yeh2022", "lumbar_pathology")


def load_paper(name: str) -> Paper:
    """The paper ``configs/papers/<name>.yaml``."""
    return load_config(f"papers/{name}", Paper)


def check_features(paper: Paper) -> tuple[FeatureCheck, ...]:
    """Every printed feature, in the order of the paper."""
    checks = []
    for row in paper.features:
        counts = Fourfold(row.positive, paper.positives, row.negative, paper.negatives)
        computed = fisher_p(counts)
        checks.append(FeatureCheck(row.feature, counts, row.p, computed, bears_out(row.p, computed)))
    return tuple(checks)


def check_comparisons(paper: Paper) -> tuple[ComparisonCheck, ...]:
    """All pairs of readers, by each measure: the smallest p that any pairing allows, and the printed one."""
    printed = {(frozenset((c.first, c.second)), c.measure): c.p for c in paper.comparisons}
    return tuple(
        _checked(first, second, measure, printed.get((frozenset((first.name, second.name)), measure)))
        for measure in Measure
        for first, second in combinations(paper.readers, 2)
    )


def _checked(
    first: PrintedReader, second: PrintedReader, measure: Measure, printed: PrintedP | None
) -> ComparisonCheck:
    kindest = _kindest(first, second, measure)
    (right, cases), (other_right, _) = first.right(measure), second.right(measure)
    return ComparisonCheck(
        first=first.name,
        second=second.name,
        measure=measure,
        right=(right, other_right),
        cases=cases,
        kindest=kindest,
        printed=printed,
        contradicted=_too_small(printed, kindest.smallest),
    )


def _kindest(first: PrintedReader, second: PrintedReader, measure: Measure) -> McNemar:
    if measure is Measure.ACCURACY:  # a positive is never paired with a negative
        sides = [_kindest(first, second, side) for side in (Measure.SENSITIVITY, Measure.SPECIFICITY)]
        return mcnemar_of_counts(sum(s.only_first for s in sides), sum(s.only_second for s in sides))
    (right, cases), (other_right, _) = first.right(measure), second.right(measure)
    return kindest_pairing(right, other_right, cases)


def _too_small(printed: PrintedP | None, smallest: float) -> bool:
    """Whether a p of ``smallest`` or more cannot have been printed so."""
    if printed is None or bears_out(printed, smallest):
        return False
    return smallest > float(printed.removeprefix("<"))
