"""The detector's model card: what it is, how it was made, and every number, written by the training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import yaml

from spine_fracture.bundle import Manifest
from spine_fracture.training.detectors.config import DetectorConfig
from spine_fracture.training.detectors.report import PhantomReport, RealReport

_TARGETS = (("map50_95", 0.80), ("map50", 0.97), ("all_levels_correct", 0.95))


@dataclass(frozen=True)
class Trained:
    """What a finished training is known by. ``failing`` pairs a split's failing patients with hashes."""

    manifest: Manifest
    config: DetectorConfig
    command: str
    pictures: Mapping[str, int]
    patients: Mapping[str, int]
    real: Mapping[str, tuple[RealReport, ...]]
    phantoms: PhantomReport | None
    failing: Sequence[tuple[str, str]]
    minutes: float


def metrics_of(
    real: Mapping[str, tuple[RealReport, ...]], phantoms: PhantomReport | None
) -> dict[str, float]:
    """The numbers that travel in the manifest, named ``<split>.<given>.<score>``."""
    metrics = {
        f"{split}.{report.given}.{name}": float(getattr(report.scores, name))
        for split, reports in real.items()
        for report in reports
        for name in ("map50_95", "map50", "precision", "recall", "f1", "all_levels_correct")
    }
    if phantoms is not None:
        metrics["phantoms.levels_right"] = phantoms.levels_right
        metrics["phantoms.studies_right"] = phantoms.studies_right
        metrics["phantoms.abnormal_auc"] = phantoms.abnormal_auc
    return metrics


def card(trained: Trained) -> str:
    """The card in Markdown."""
    manifest, schedule = trained.manifest, trained.config.schedule
    parts = [
        f"# Vertebra detector {manifest.version}",
        "**Not for clinical use.** Trained on simulated lesions, phantoms, and the open pictures of one "
        "hospital (mid-sagittal lumbar slices).",
        "Finds vertebral bodies (normal-looking, altered), S1 and C2 on sagittal T1 and T2 slices. Names of "
        "levels come from counting (`detection/naming.py`), not from the network.",
        "## How it was made\n\n"
        + f"```\n{trained.command}\n```\n\n"
        + f"{trained.minutes:.0f} minutes, weights from scratch, seed {trained.config.seed}, "
        + f"{schedule.epochs * schedule.steps} batches of {schedule.batch}. "
        + "Pictures: "
        + ", ".join(f"{count} {source}" for source, count in trained.pictures.items())
        + ". Real patients are split by the hash of their key: "
        + ", ".join(f"{count} {split}" for split, count in trained.patients.items())
        + ". Patients of the training split with a noted finding, or with a body left without outline "
        "between two outlined ones, were not trained on. Bodies above the highest outlined one (T12 and up) "
        "are unlabelled in the real pictures: cells beyond the disc above it teach nothing. Of two patients "
        "with L2 given twice the names were put right by order."
        + (f"\n\n{trained.config.notes}" if trained.config.notes else ""),
        "## Real pictures",
        _real_table(trained),
        "Boxes and names of L1 to S1 against outlines by hand. `all` is the share of pictures with all "
        "levels found (IoU 0.5) and rightly named; `T12` the share in which T12 was named too; `unsure` the "
        "share called unsure. T1 is placed on T2 by the shift that the set's manifest gives.",
        _targets(trained),
        "## Phantoms",
        _phantoms(trained.phantoms),
        "## Where it fails",
        _failures(trained),
        "- Names rest on S1 or C2 being in view; without either they are guesses, said to be so.\n"
        "- One hospital's pictures, one slice a patient, adults; real thoracic and cervical spines, "
        "scoliosis, metal and post-operative spines were never trained on.\n"
        "- With one anchor in view, a spine of 23 or 25 presacral vertebrae is counted as one of 24.",
        "## Configuration\n\n```yaml\n"
        + yaml.safe_dump(trained.config.model_dump(mode="json"), sort_keys=False)
        + "```",
        f"sha256 of the weights: `{manifest.sha256}`. Hashes of the patients trained or chosen on are in "
        "`model.json`.",
    ]
    return "\n\n".join(parts) + "\n"


def _real_table(trained: Trained) -> str:
    head = "| split | given | mAP50-95 | mAP50 | precision | recall | F1 | all | T12 | unsure | pictures |"
    rows = [head, "|" + "---|" * 11]
    for split, reports in trained.real.items():
        for r in reports:
            s = r.scores
            values = (
                s.map50_95,
                s.map50,
                s.precision,
                s.recall,
                s.f1,
                s.all_levels_correct,
                r.above,
                r.unsure,
            )
            numbers = " | ".join(f"{value:.3f}" for value in values)
            rows.append(f"| {split} | {r.given} | {numbers} | {s.pictures} |")
    return "\n".join(rows)


def _targets(trained: Trained) -> str:
    """Whether the test numbers reach what was asked for, from the numbers themselves."""
    reports = trained.real.get("test")
    if not reports:
        return "No real pictures were given: nothing is known of how it does on them."
    scores = reports[0].scores
    said = []
    for name, target in _TARGETS:
        value = float(getattr(scores, name))
        said.append(f"{name} {value:.3f} ({'reaches' if value >= target else 'MISSES'} {target})")
    return f"Test patients, {reports[0].given}: " + "; ".join(said) + "."


def _phantoms(report: PhantomReport | None) -> str:
    if report is None:
        return "None were held out."
    return (
        f"{report.studies} held-out studies (15 slices, lumbar to whole spine) with {report.levels} levels "
        f"from C2 to S1: {report.levels_right:.1%} of levels found and rightly named, all levels right in "
        f"{report.studies_right:.1%} of studies; {report.told_unsure:.1%} of the other studies were called "
        "unsure. The detector's own share of abnormality tells altered levels with AUC "
        f"{report.abnormal_auc:.3f}."
    )


def _failures(trained: Trained) -> str:
    if not trained.failing:
        return "No test picture had a level missed or misnamed."
    lines = ["Test patients with a level missed or misnamed (sha256 of the pictures):", ""]
    return "\n".join([*lines, *(f"- `{digest[:16]}` ({given})" for digest, given in trained.failing)])
