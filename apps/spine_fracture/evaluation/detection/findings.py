"""Do noted findings of real patients stand out from the other levels of the same patients?

The score of a level is ``1 - p(normal)``. It checks whether training on simulated lesions carries
over to real pictures; it is no clinical claim.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sklearn.metrics import roc_auc_score

from spine_fracture.anatomy import MODEL_CLASSES, Diagnosis, Level
from spine_fracture.evaluation.statistics.intervals import Estimate, Resampling, auc_interval
from spine_fracture.lumbar_set import LumbarPatient

SCORED_KINDS = ("fracture", "hemangioma")
_NORMAL = MODEL_CLASSES.index(Diagnosis.NORMAL)


@dataclass(frozen=True)
class ScoredLevel:
    """A level of a patient with a noted finding. ``kind`` is None for the levels nothing was noted of."""

    patient: str
    level: Level
    kind: str | None
    note: str
    probabilities: tuple[float, ...] | None

    @property
    def score(self) -> float:
        """``1 - p(normal)``; a level that was not detected scores 0."""
        return 0.0 if self.probabilities is None else 1.0 - self.probabilities[_NORMAL]


@dataclass(frozen=True)
class UnscoredNote:
    """A finding that names no level with a reference box, and why it is not scored."""

    patient: str
    kind: str
    level_text: str
    reason: str


@dataclass(frozen=True)
class FindingsResult:
    """``auc`` is None where one of the two groups is empty.

    ``interval`` is by patient, so it is None below two patients too.
    """

    auc: float | None
    interval: Estimate | None
    auc_by_kind: dict[str, float]
    levels: tuple[ScoredLevel, ...]
    unscored: tuple[UnscoredNote, ...]


def scored_levels(
    patient: LumbarPatient, probabilities: Mapping[Level, tuple[float, ...]]
) -> tuple[tuple[ScoredLevel, ...], tuple[UnscoredNote, ...]]:
    """The levels of one patient that count, and the notes that cannot be scored.

    Positives are levels with a reference box named in a fracture or hemangioma entry; negatives are
    that patient's other reference levels. Patients with a diffuse note, and those without a
    positive, give no levels.
    """
    if any("diffuse" in finding.kind.lower() for finding in patient.findings):
        return (), ()
    boxed = {vertebra.level for vertebra in patient.vertebrae}
    kinds: dict[Level, str] = {}
    notes: dict[Level, str] = {}
    unscored: list[UnscoredNote] = []
    for finding in patient.findings:
        if finding.kind not in SCORED_KINDS:
            continue
        if not finding.levels:
            unscored.append(
                UnscoredNote(patient.patient, finding.kind, finding.level_text, "no level is named")
            )
        for level in finding.levels:
            if level in boxed:
                kinds[level] = finding.kind
                notes[level] = " ".join(p for p in (finding.kind, finding.level_text, finding.wording) if p)
            else:
                unscored.append(UnscoredNote(patient.patient, finding.kind, level.value, "no reference box"))
    if not kinds:
        return (), tuple(unscored)
    rows = [
        ScoredLevel(
            patient.patient, v.level, kinds.get(v.level), notes.get(v.level, ""), probabilities.get(v.level)
        )
        for v in patient.vertebrae
    ]
    return tuple(rows), tuple(unscored)


def judge(
    levels: Sequence[ScoredLevel], unscored: Sequence[UnscoredNote], resampling: Resampling
) -> FindingsResult:
    """AUC of noted against other levels, over all and by kind, with a patient-cluster bootstrap."""
    overall = _auc(levels)
    by_kind = {}
    for kind in SCORED_KINDS:
        with_kind = {row.patient for row in levels if row.kind == kind}
        value = _auc([r for r in levels if r.patient in with_kind and r.kind in (kind, None)])
        if value is not None:
            by_kind[kind] = value
    interval = None if overall is None else _interval(levels, resampling)
    return FindingsResult(overall, interval, by_kind, tuple(levels), tuple(unscored))


def _auc(levels: Sequence[ScoredLevel]) -> float | None:
    truth = [row.kind is not None for row in levels]
    if all(truth) or not any(truth):
        return None
    return float(roc_auc_score(truth, [row.score for row in levels]))


def _interval(levels: Sequence[ScoredLevel], resampling: Resampling) -> Estimate | None:
    patients = [row.patient for row in levels]
    if len(set(patients)) < 2:
        return None
    return auc_interval(
        [row.score for row in levels], [row.kind is not None for row in levels], patients, resampling
    )
