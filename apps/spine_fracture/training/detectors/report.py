"""How well a detector does: real patients of a split, read in three ways, and whole phantoms."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from spine_fracture.anatomy import Diagnosis, Level
from spine_fracture.detection.detector import VertebraDetector
from spine_fracture.detection.fusion import Track, fuse_slices
from spine_fracture.detection.naming import Naming, name_tracks
from spine_fracture.evaluation.detection.naming import (
    FOUND,
    DetectionScores,
    NamedBox,
    PictureBoxes,
    score_pictures,
)
from spine_fracture.evaluation.statistics.metrics import auc
from spine_fracture.geometry import PixelBox
from spine_fracture.imaging import Pixels
from spine_fracture.lumbar_set import LumbarPatient
from spine_fracture.simulation.study import PhantomStudy
from spine_fracture.training.detectors.pictures import Grey, aligned_pair
from spine_fracture.training.detectors.sources import hull, phantom_labels, phantom_stack


class Given(StrEnum):
    """What the detector is given of a pair."""

    BOTH = "T1+T2"
    T1 = "T1"
    T2 = "T2"


@dataclass(frozen=True)
class RealReport:
    """Real pictures of one split. ``failing``: patients not all of whose levels were found and rightly
    named; ``unsure`` the share whose numbering was called unsure; ``above`` the share in which the
    body above the highest outlined one was found and named next to it.
    """

    given: Given
    scores: DetectionScores
    failing: tuple[str, ...]
    unsure: float
    above: float


@dataclass(frozen=True)
class PhantomReport:
    """Whole phantom studies. ``levels_right`` the share of levels found (IoU 0.5 on the slice that shows
    them best) and rightly named, ``studies_right`` that of studies with all levels right;
    ``told_unsure`` the share of the wrong studies that were called unsure; ``abnormal_auc`` how well
    the detector's own share of abnormality tells altered levels from others, 0.5 where only one kind was
    found.
    """

    studies: int
    levels: int
    levels_right: float
    studies_right: float
    told_unsure: float
    abnormal_auc: float


def read_pair(detector: VertebraDetector, pair: Grey, given: Given) -> Naming:
    """Name the vertebrae of one aligned pair, (2, rows, columns) uint8."""
    pixels: Pixels = pair.astype(np.float32) / 255
    if given is Given.T1:
        pixels[1] = 0
    elif given is Given.T2:
        pixels[0] = 0
    return name_tracks(fuse_slices(detector.detect(pixels[None])))


def real_boxes(patient: LumbarPatient, naming: Naming) -> PictureBoxes:
    """What was named on the middle slices of ``patient`` and what is there, on T2's grid."""
    return PictureBoxes(
        patient.key,
        tuple(NamedBox(n.level, n.track.candidates[0].box, n.track.score) for n in naming.levels),
        tuple(NamedBox(v.level, v.box.shifted(*patient.t1_to_t2)) for v in patient.vertebrae),
    )


def report_real(detector: VertebraDetector, patients: Sequence[LumbarPatient], given: Given) -> RealReport:
    """Scores on the middle slices of ``patients``."""
    namings = [read_pair(detector, aligned_pair(patient), given) for patient in patients]
    pictures = [real_boxes(patient, naming) for patient, naming in zip(patients, namings, strict=True)]
    return RealReport(
        given,
        score_pictures(pictures),
        tuple(p.picture for p in pictures if not p.all_correct),
        float(np.mean([not naming.sure for naming in namings])),
        float(np.mean([Level.T12 in {n.level for n in naming.levels} for naming in namings])),
    )


def report_phantoms(detector: VertebraDetector, studies: Iterable[PhantomStudy]) -> PhantomReport:
    """Naming of whole studies of which the detector has seen none."""
    right: list[list[bool]] = []
    unsure: list[bool] = []
    shares: list[float] = []
    altered: list[bool] = []
    for study in studies:
        stack = phantom_stack(study).astype(np.float32) / 255
        naming = name_tracks(fuse_slices(detector.detect(stack)))
        bodies, _ = phantom_labels(study)
        named = {n.level: n.track for n in naming.levels}
        levels = [truth for truth in study.truth if truth.level is not Level.C1]
        right.append([_is_right(named.get(truth.level), bodies, truth.level) for truth in levels])
        unsure.append(not naming.sure)
        for truth, found in zip(levels, right[-1], strict=True):
            if found:
                shares.append(named[truth.level].abnormal)
                altered.append(truth.diagnosis is not Diagnosis.NORMAL)
    wrong = [u for r, u in zip(right, unsure, strict=True) if not all(r)]
    area = auc(shares, altered)
    return PhantomReport(
        studies=len(right),
        levels=sum(map(len, right)),
        levels_right=float(np.mean(np.concatenate(right))),
        studies_right=float(np.mean([all(r) for r in right])),
        told_unsure=float(np.mean(wrong)) if wrong else 1.0,
        abnormal_auc=0.5 if area is None else area,
    )


def _is_right(track: Track | None, bodies: Grey, level: Level) -> bool:
    value = 1 + level.order
    best = int((bodies == value).sum(axis=(1, 2)).argmax())
    if track is None:
        return False
    nearest = min(track.candidates, key=lambda c: abs(c.slice_index - best))
    return nearest.box.iou(PixelBox.around(hull(bodies[best] == value))) >= FOUND
