"""Asking a model about a cohort, so that nobody it learnt from is counted as new to it."""

from __future__ import annotations

from pathlib import Path

from spine_fracture.bundle import read_manifest
from spine_fracture.evaluation.seen import refuse_seen
from spine_fracture.training.systems.family import Family, Judged


def answered(family: Family, bundle: Path, cohort: Path) -> Judged:
    """What the model in ``bundle`` says of the studies of ``cohort`` that do not teach.

    Raises :class:`spine_fracture.errors.InputError` where test or external patients of the cohort taught it.
    """
    judged, manifest = family.answer(bundle, cohort), read_manifest(bundle)
    for part in (judged.answers and judged.answers.cases, judged.boxes and judged.boxes.pictures):
        refuse_seen(manifest.version, manifest.training_patients, part or ())
    return judged
