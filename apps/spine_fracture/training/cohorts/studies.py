"""The patients of a simulated cohort: phantoms, and real pictures with findings put into them."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from spine_fracture.anatomy import Diagnosis, Feature, Level, Primary
from spine_fracture.cohort.splits import split_of
from spine_fracture.dicom.pairing import scaled
from spine_fracture.errors import InputError
from spine_fracture.imaging import CHANNELS, Pixels, Sequence
from spine_fracture.lumbar_set import LumbarPatient, read_lumbar_set, skips_a_body
from spine_fracture.simulation.canvas import LesionCanvas
from spine_fracture.simulation.disease import draw_patient
from spine_fracture.simulation.findings import NULL_FINDING, Finding
from spine_fracture.simulation.lesions import Inserted, insert_findings
from spine_fracture.simulation.phantom import patient_key
from spine_fracture.simulation.study import simulate_study
from spine_fracture.training.classifiers.samples import boxes_by_level, real_pair, shows_finding
from spine_fracture.training.cohorts.config import REAL_CENTRE, CohortConfig
from spine_fracture.training.cohorts.study_cache import CachedStudy, Grey, LevelLabel, StudyLabel

#: Years: what a real patient's marrow is taken to be like; their age is not known.
_USUAL_AGE = 62.0
_SEX_OF = {Primary.BREAST: "F", Primary.PROSTATE: "M"}

#: One patient to be made: the seed of a phantom, or a real patient.
Recruit = int | LumbarPatient


def recruits(config: CohortConfig, data: Path | None) -> tuple[Recruit, ...]:
    """Everybody in the cohort, in order: phantoms by seed, then the real patients of ``data``.

    Real patients with a noted finding are left out, and those of whom a visible body was not outlined.
    Raises :class:`InputError` when the real pictures are wanted and ``data`` is None.
    """
    first = config.phantoms.first_seed
    seeds = range(first, first + config.phantoms.patients)
    if not config.real_pictures:
        return tuple(seeds)
    if data is None:
        raise InputError(
            f"Cohort {config.name} has real pictures in it: give their folder with --data "
            "(laid out like the lumbar set), or choose a cohort of phantoms alone."
        )
    real = (patient for patient in read_lumbar_set(data) if not (patient.findings or skips_a_body(patient)))
    return (*seeds, *real)


def make_study(recruit: Recruit, config: CohortConfig) -> CachedStudy:
    """The study of one patient: same recruit and configuration, same study."""
    return _phantom(recruit, config) if isinstance(recruit, int) else _real(recruit, config)


def _phantom(seed: int, config: CohortConfig) -> CachedStudy:
    study = simulate_study(seed, config.phantoms)
    at = [volume.sequence for volume in study.volumes].index(Sequence.T2)
    key = patient_key(seed)
    findings = {truth.level: Finding(truth.diagnosis, truth.features, truth.primary) for truth in study.truth}
    label = StudyLabel(
        patient=key,
        centre=study.centre,
        split=split_of(key),
        external=study.centre in config.external,
        source="phantom",
        field_strength=study.field_strength,
        sex=_sex(study.primary_tumour, seed),
        age=round(study.age, 1),
        sequences=tuple(sorted((v.sequence for v in study.volumes), key=CHANNELS.index)),
        levels=_levels(study.body_labels[at], study.altered_labels[at], findings),
        index_level=study.index_level,
    )
    return CachedStudy(label, _channels({volume.sequence: volume.pixels for volume in study.volumes}))


def _real(patient: LumbarPatient, config: CohortConfig) -> CachedStudy:
    """A real pair in which a disease was drawn for the patient, its features as one slice can show them."""
    pair = real_pair(patient)
    rng = np.random.default_rng((config.phantoms.first_seed, zlib.crc32(patient.key.encode())))
    drawn = draw_patient(pair.levels, config.phantoms, _USUAL_AGE, rng)
    lateral = frozenset({Feature.POSTERIOR_ELEMENTS})
    placed = [(level, replace(f, features=f.features - lateral)) for level, f in drawn.findings]
    sequences = (Sequence.T1, Sequence.T2)
    canvas = LesionCanvas(sequences, (pair.pixels[:, 0], pair.pixels[:, 1]), pair.labels)
    changed = insert_findings(canvas, placed, rng)
    bodies = changed.canvas.labels
    label = StudyLabel(
        patient=patient.key,
        centre=REAL_CENTRE,
        split=split_of(patient.key),
        external=REAL_CENTRE in config.external,
        source="simulated_in_real",
        sequences=sequences,
        levels=_levels(bodies, _altered(changed.inserted, bodies.shape), dict(placed)),
        index_level=drawn.index_level,
    )
    pictures = (picture.clip(0, 1) for picture in changed.canvas.pictures)
    return CachedStudy(label, _channels(dict(zip(sequences, pictures, strict=True))))


def _levels(bodies: Grey, altered: Grey, findings: dict[Level, Finding]) -> tuple[LevelLabel, ...]:
    """The bodies in (slices, rows, columns) labels, 1 + Level.order, and what they are."""
    found = []
    for level, boxes in boxes_by_level(bodies).items():
        finding = findings.get(level, NULL_FINDING)
        extent = np.array([(altered[at] == 1 + level.order).sum() for at, _ in boxes])
        ill = finding.diagnosis is not Diagnosis.NORMAL
        found.append(
            LevelLabel(
                level=level,
                diagnosis=finding.diagnosis,
                features=tuple(feature for feature in Feature if feature in finding.features),
                primary=finding.primary or "",
                slices=tuple(at for at, _ in boxes),
                boxes=tuple(box.as_tuple() for _, box in boxes),
                shown=tuple(shows_finding(extent).tolist()) if ill else (True,) * len(boxes),
            )
        )
    return tuple(found)


def _altered(inserted: Iterable[Inserted], shape: tuple[int, ...]) -> Grey:
    altered = np.zeros(shape, np.uint8)
    for item in inserted:
        altered[item.mask] = 1 + item.level.order
    return altered


def _channels(pictures: dict[Sequence, Pixels]) -> Grey:
    """Each series stretched; (slices, 4, rows, columns) uint8, a missing one zero."""
    series: list[npt.NDArray[np.float32] | None] = [pictures.get(sequence) for sequence in CHANNELS]
    shape = next(iter(pictures.values())).shape
    return np.stack(
        [
            np.zeros(shape, np.uint8) if s is None else np.rint(scaled(s) * 255).astype(np.uint8)
            for s in series
        ],
        axis=1,
    )


def _sex(primary: Primary | None, seed: int) -> str:
    """F or M, as the tumour asks; drawn apart from all else, for it changes no voxel."""
    even = "FM"[int(np.random.default_rng((seed, 31)).integers(2))]
    return even if primary is None else _SEX_OF.get(primary, even)
