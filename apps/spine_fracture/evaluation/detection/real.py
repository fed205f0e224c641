"""What the shipped models do on a folder of real T1/T2 pictures with reference boxes and notes.

Patients whose pictures were trained on are told apart by the hash of their pixels; the headline
figures are those of unseen patients wherever there is one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from spine_fracture.anatomy import Level
from spine_fracture.evaluation.detection.findings import (
    FindingsResult,
    ScoredLevel,
    UnscoredNote,
    judge,
    scored_levels,
)
from spine_fracture.evaluation.detection.naming import PictureBoxes, score_pictures
from spine_fracture.evaluation.statistics.intervals import Resampling
from spine_fracture.lumbar_set import LumbarPatient

Json = dict[str, object]


@dataclass(frozen=True, eq=False)
class PatientResult:
    """A patient's pictures and the class probabilities of the levels found."""

    patient: LumbarPatient
    seen: bool
    pictures: tuple[PictureBoxes, ...]
    probabilities: Mapping[Level, tuple[float, ...]]


@dataclass(frozen=True)
class RefusedPicture:
    """A picture that was not read, and why. It counts as one on which nothing was found."""

    patient: str
    picture: str
    reason: str


def assess(results: Sequence[PatientResult], resampling: Resampling | None = None) -> Json:
    """Detection, naming and findings: the headline, then unseen and seen patients apart.

    What a group has no references for is None; figures of seen patients never stand in for unseen ones.
    """
    how = resampling or Resampling()
    groups = {
        name: [result for result in results if result.seen is seen]
        for name, seen in (("unseen", False), ("seen", True))
    }
    parts = {name: _group(members, how) for name, members in groups.items() if members}
    headline = "unseen" if "unseen" in parts else "seen"
    return {**parts.get(headline, {}), "headline": headline, **parts}


def mean_overlap(picture: PictureBoxes) -> float:
    """Mean over the reference levels of the IoU of the box that has the level's name, 0 where none has."""
    named = {box.level: box.box for box in picture.predicted}
    overlaps = [named[r.level].iou(r.box) if r.level in named else 0.0 for r in picture.reference]
    return sum(overlaps) / max(len(overlaps), 1)


def _group(results: Sequence[PatientResult], how: Resampling) -> Json:
    pictures = [picture for result in results for picture in result.pictures]
    # Without any reference box the notes can still be scored, detection and naming cannot.
    scores = score_pictures(pictures) if any(picture.reference for picture in pictures) else None
    rows: list[ScoredLevel] = []
    unscored: list[UnscoredNote] = []
    for result in results:
        levels, notes = scored_levels(result.patient, result.probabilities)
        rows += levels
        unscored += notes
    return {
        "patients": len(results),
        "pictures": len(pictures),
        "detection": {
            name: getattr(scores, name, None) for name in ("map50_95", "map50", "precision", "recall", "f1")
        },
        "naming": {"all_levels_correct": scores.all_levels_correct if scores else None},
        "findings": _findings(judge(rows, unscored, how)),
    }


def _findings(result: FindingsResult) -> Json:
    return {
        "auc": result.auc,
        "auc_ci": [result.interval.low, result.interval.high] if result.interval else None,
        "auc_by_kind": result.auc_by_kind,
        "levels": [
            {
                "patient": row.patient,
                "level": row.level.value,
                "kind": row.kind,
                "note": row.note,
                "score": row.score,
                "probabilities": row.probabilities,
            }
            for row in result.levels
        ],
        "unscored": [
            {"patient": n.patient, "kind": n.kind, "level": n.level_text, "reason": n.reason}
            for n in result.unscored
        ],
    }
