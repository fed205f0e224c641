"""The model card of a classifier, written by the command that made it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import yaml

from spine_fracture.anatomy import MODEL_CLASSES
from spine_fracture.bundle import Manifest
from spine_fracture.classification.classifier import LevelClassifier
from spine_fracture.evaluation.detection.findings import (
    SCORED_KINDS,
    FindingsResult,
    ScoredLevel,
    UnscoredNote,
    judge,
    scored_levels,
)
from spine_fracture.evaluation.statistics.intervals import Resampling
from spine_fracture.files import write_atomically
from spine_fracture.lumbar_set import LumbarPatient
from spine_fracture.training.classifiers.cache import SOURCES
from spine_fracture.training.classifiers.samples import real_pair

_SPLITS = ("validation", "test")


def findings_on_reference_boxes(
    classifier: LevelClassifier, patients: Sequence[LumbarPatient], resampling: Resampling
) -> FindingsResult:
    """Noted levels against the other levels of the same patients, boxes as drawn by hand.

    Shows the classifier alone; ``evaluate-real`` measures it behind the detector.
    """
    rows: list[ScoredLevel] = []
    unscored: list[UnscoredNote] = []
    for patient in patients:
        if not any(finding.kind in SCORED_KINDS for finding in patient.findings):
            continue
        pair = real_pair(patient)
        boxes = [[(0, box)] for box in pair.boxes]
        opinions = classifier.classify(pair.pixels, boxes)
        by_level = {level: o.probabilities for level, o in zip(pair.levels, opinions, strict=True)}
        scored, left = scored_levels(patient, by_level)
        rows += scored
        unscored += left
    return judge(rows, unscored, resampling)


def write_card(folder: Path, manifest: Manifest, findings: FindingsResult | None) -> None:
    """``MODEL_CARD.md`` beside the weights; ``findings`` where the real set was given."""
    numbers = manifest.metrics
    lines = [
        f"# Level classifier {manifest.version}",
        "",
        "**Not for clinical use.** It was trained on simulated findings in the pictures of one",
        "hospital and in phantoms; no patient with a proven diagnosis was among them.",
        "",
        "Tells each vertebral level normal, benign fracture, malignant or hemangioma from sagittal T1",
        "and T2, either of which may be missing. The network is the six-channel one of Yeh et al. 2022:",
        "a 1x1 convolution from six channels to three, then a ResNet.",
        "",
        "## How it was trained",
        "",
        f"- Seed {manifest.seed}; epoch {numbers.get('best_epoch', 0):.0f} of "
        f"{numbers.get('epochs', 0):.0f} was kept, the one with the lowest validation loss.",
        "- Classes occur equally often in real pictures and in phantoms. Patients about whom the",
        "  radiologist noted a finding were left out whole. Patients are split by a hash of their key;",
        "  test patients chose nothing.",
        f"- `model.json` lists the picture hashes of its {len(manifest.training_patients)} training and",
        "  validation patients.",
        f"- Temperature {manifest.temperature:.3f}, fitted on validation patients at the training",
        "  prevalence: probabilities are calibrated to simulated cohorts, not to a hospital.",
        "",
        "```yaml",
        yaml.safe_dump(manifest.config, sort_keys=False).rstrip(),
        "```",
        "",
        "## How well it tells simulated findings apart, level by level",
        "",
        *_simulated(numbers),
    ]
    if findings is not None:
        lines += ["", "## Noted findings of real patients", "", *_noted(findings)]
    write_atomically(folder / "MODEL_CARD.md", ("\n".join(lines) + "\n").encode())


def _simulated(numbers: Mapping[str, float]) -> Iterable[str]:
    yield (
        "| patients | source | levels | macro-F1 | "
        + " | ".join(f"AUC, F1 {c}" for c in MODEL_CLASSES)
        + " |"
    )
    yield "|" + "---|" * (4 + len(MODEL_CLASSES))
    for split in _SPLITS:
        for source in SOURCES:
            name = f"{split}.{source}"
            if f"{name}.levels" not in numbers:
                continue
            per_class = (
                f"{_number(numbers.get(f'{name}.auc.{c}'))}, {_number(numbers.get(f'{name}.f1.{c}'))}"
                for c in MODEL_CLASSES
            )
            levels, score = numbers[f"{name}.levels"], _number(numbers[f"{name}.macro_f1"])
            yield f"| {split} | {source} | {levels:.0f} | {score} | " + " | ".join(per_class) + " |"
    for split in _SPLITS:
        if f"{split}.ece_after" in numbers:
            yield ""
            yield (
                f"Expected calibration error on {split} slices: {numbers[f'{split}.ece_before']:.3f} before "
                f"temperature scaling, {numbers[f'{split}.ece_after']:.3f} after."
            )
        if f"{split}.auc.abnormal.t1_alone" in numbers:
            t1, t2 = (_number(numbers[f"{split}.auc.abnormal.{which}_alone"]) for which in ("t1", "t2"))
            yield f"AUC of any finding on {split} patients from T1 alone {t1}, from T2 alone {t2}."
    for split in _SPLITS:
        yield from _confusion(numbers, split)


def _confusion(numbers: Mapping[str, float], split: str) -> Iterable[str]:
    if f"{split}.confusion.normal.normal" not in numbers:
        return
    yield from ("", f"Levels of {split} patients, truth by row, answer by column:", "")
    yield "| | " + " | ".join(MODEL_CLASSES) + " |"
    yield "|" + "---|" * (1 + len(MODEL_CLASSES))
    for truth in MODEL_CLASSES:
        row = (f"{numbers[f'{split}.confusion.{truth}.{answer}']:.0f}" for answer in MODEL_CLASSES)
        yield f"| {truth} | " + " | ".join(row) + " |"


def _noted(findings: FindingsResult) -> Iterable[str]:
    yield (
        "Score 1 - p(normal) of levels that the radiologist's note names, against the other levels of "
        "the same patients, boxes drawn by hand, never trained on. A check of whether simulation "
        "carries over, not a clinical claim: the patients are few."
    )
    yield ""
    interval = findings.interval
    within = f" (95 % interval by patient {interval.low:.2f} to {interval.high:.2f})" if interval else ""
    kinds = "; ".join(f"{kind} {value:.3f}" for kind, value in findings.auc_by_kind.items())
    yield f"AUC {_number(findings.auc)}{within}; {kinds}."
    yield ""
    yield "| patient | level | note | 1 - p(normal) | " + " | ".join(MODEL_CLASSES) + " |"
    yield "|" + "---|" * (4 + len(MODEL_CLASSES))
    for row in findings.levels:
        answers = row.probabilities or (float("nan"),) * len(MODEL_CLASSES)
        probabilities = " | ".join(f"{p:.2f}" for p in answers)
        yield f"| {row.patient} | {row.level} | {row.note} | {row.score:.3f} | {probabilities} |"
    for note in findings.unscored:
        yield ""
        yield f"Not scored: patient {note.patient}, {note.kind} {note.level_text} ({note.reason})."


def _number(value: float | None) -> str:
    return "-" if value is None or np.isnan(value) else f"{value:.3f}"
