"""Which imaging features tell the two sides of a question apart: Table 1 of Yeh et al. 2022."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from spine_fracture.anatomy import Diagnosis, Feature
from spine_fracture.errors import InputError
from spine_fracture.evaluation.answers import MALIGNANT_OR_BENIGN
from spine_fracture.evaluation.statistics.paired import holm


@dataclass(frozen=True)
class FeatureCase:
    """One vertebra a patient, so that cases are independent, with the features that were seen."""

    diagnosis: Diagnosis
    features: frozenset[Feature]


@dataclass(frozen=True)
class Fourfold:
    """How many have it, of how many, among the positives (malignant) and the negatives (benign)."""

    positive: int
    positives: int
    negative: int
    negatives: int

    def __post_init__(self) -> None:
        if not (0 <= self.positive <= self.positives and 0 <= self.negative <= self.negatives):
            raise InputError(
                f"{self.positive} of {self.positives} and {self.negative} of {self.negatives} are no counts."
            )


@dataclass(frozen=True)
class FeatureRow:
    """``odds_ratio`` is that of the sample, None where it is not finite; ``p_value`` Fisher's exact
    two-sided one, ``p_holm`` adjusted over the table.
    """

    feature: Feature
    counts: Fourfold
    odds_ratio: float | None
    p_value: float
    p_holm: float


def feature_table(cases: Sequence[FeatureCase]) -> tuple[FeatureRow, ...]:
    """All 15 features of the malignant and the benign cases, as the table has them."""
    positives = [case for case in cases if case.diagnosis in MALIGNANT_OR_BENIGN.positive]
    negatives = [case for case in cases if case.diagnosis in MALIGNANT_OR_BENIGN.negative]
    return feature_rows(
        {
            feature: Fourfold(
                sum(feature in case.features for case in positives),
                len(positives),
                sum(feature in case.features for case in negatives),
                len(negatives),
            )
            for feature in Feature
        }
    )


def feature_rows(counts: dict[Feature, Fourfold]) -> tuple[FeatureRow, ...]:
    """The table of counts that are known already."""
    rows = [FeatureRow(feature, n, _odds_ratio(n), p := fisher_p(n), p) for feature, n in counts.items()]
    adjusted = holm([row.p_value for row in rows])
    return tuple(replace(row, p_holm=p) for row, p in zip(rows, adjusted, strict=True))


def fisher_p(counts: Fourfold) -> float:
    """Fisher's exact test, two-sided: the tables no likelier than this one, row and column sums kept."""
    from scipy.stats import fisher_exact

    result: Any = fisher_exact(
        [
            [counts.positive, counts.positives - counts.positive],
            [counts.negative, counts.negatives - counts.negative],
        ]
    )
    return float(result.pvalue)


def _odds_ratio(n: Fourfold) -> float | None:
    against = (n.positives - n.positive) * n.negative
    return n.positive * (n.negatives - n.negative) / against if against else None
