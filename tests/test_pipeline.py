"""A pair in, a study's levels out, with the shipped weights on phantoms and on real pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spine_fracture.anatomy import Level
from spine_fracture.bundle import Manifest
from spine_fracture.classification import yeh2022
from spine_fracture.detection.finder import Found
from spine_fracture.detection.lesion_detector import LesionDetector
from spine_fracture.detection.tasks import DetectionTask
from spine_fracture.dicom.pairing import pair
from spine_fracture.dicom.pictures import read_picture
from spine_fracture.errors import OffDomainError
from spine_fracture.geometry import PixelBox, VolumeFrame
from spine_fracture.imaging import PairedStack, Pixels, Sequence, SpacingOrigin, Volume
from spine_fracture.levels import StudyReading
from spine_fracture.lumbar_set import LumbarPatient, read_lumbar_set
from spine_fracture.pipeline import ReadingPipeline
from spine_fracture.simulation.recipe import CoverageShares, PhantomRecipe
from spine_fracture.simulation.study import PhantomStudy, simulate_study

RECIPE = PhantomRecipe(
    name="pipeline",
    patients=1,
    first=Level.T9,
    slices=7,
    patient_shift=0.0,
    supernumerary=0.0,
    coverage=CoverageShares(lumbar=1.0, thoracolumbar=0.0),
)


@pytest.fixture(scope="module")
def pipeline() -> ReadingPipeline:
    return ReadingPipeline.shipped()


@pytest.fixture(scope="module")
def phantom() -> PhantomStudy:
    return simulate_study(800_001, RECIPE)


@pytest.fixture(scope="module")
def stack(phantom: PhantomStudy) -> PairedStack:
    t1, t2 = phantom.volumes
    return pair(t1, t2)


@pytest.fixture(scope="module")
def reading(pipeline: ReadingPipeline, stack: PairedStack) -> StudyReading:
    return pipeline.read(stack, "study")


def _truth_box(phantom: PhantomStudy, series_uid: str, level: Level, slice_index: int) -> PixelBox | None:
    for volume, labels in zip(phantom.volumes, phantom.body_labels, strict=True):
        if volume.series_uid == series_uid:
            rows, columns = np.nonzero(labels[slice_index] == 1 + level.order)
            if rows.size:
                return PixelBox(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    return None


def test_lumbar_levels_of_a_phantom_are_named_where_they_are(
    reading: StudyReading, phantom: PhantomStudy
) -> None:
    found = {level.name: level for level in reading.levels}
    assert {Level.L1, Level.L2, Level.L3, Level.L4, Level.L5, Level.S1} <= set(found)
    for name in (Level.L2, Level.L3, Level.L4):
        for volume in phantom.volumes:  # in T1 and in T2, each in its own pixels
            parts = [part for part in found[name].slices if part.series_uid == volume.series_uid]
            best = max(parts, key=lambda part: part.score)
            truth = _truth_box(phantom, volume.series_uid, name, best.slice_index)
            assert truth is not None and truth.iou(best.box) > 0.6


def test_levels_come_head_to_foot_with_calibrated_numbers(reading: StudyReading) -> None:
    orders = [level.name.order for level in reading.levels]
    assert orders == sorted(orders) and len(set(orders)) == len(orders)
    for level in reading.levels:
        assert sum(level.probabilities) == pytest.approx(1.0)
        assert 0 <= level.detection_score <= 1
        assert all(0 <= value <= 1 for value in vars(level.uncertainty).values())


def test_doubt_is_measured_over_the_classes_that_the_classifier_was_taught(
    pipeline: ReadingPipeline, stack: PairedStack
) -> None:
    """One of two classes that is torn between them, and a detector of lesions that finds none."""
    torn = yeh2022.FractureClassifier(
        manifest(yeh2022.NAME, yeh2022.CLASSES),
        yeh2022.FractureConfig(),
        lambda patches: np.zeros((len(patches), 1), np.float32),
    )
    healthy = LesionDetector(FindingNothing())  # type: ignore[arg-type]
    for level in replace(pipeline, classifier=torn).read(stack, "study").levels:
        assert level.uncertainty.entropy == pytest.approx(1.0)
        assert level.uncertainty.detector_disagreement == 0.0
    for level in replace(pipeline, classifier=healthy).read(stack, "study").levels:
        assert level.uncertainty.entropy == 0.0
        assert level.uncertainty.detector_disagreement == pytest.approx(level.detector_abnormal)


def manifest(family: str, classes: tuple[str, ...]) -> Manifest:
    return Manifest(
        name=family, task="classification", family=family, classes=classes, architecture={}, config={}, seed=0
    )


class FindingNothing:
    """Stands where a detector of lesions in T1 and T2 finds its boxes."""

    task = DetectionTask.LESIONS
    manifest = manifest("yolo", DetectionTask.LESIONS.classes)
    sequences = (Sequence.T1, Sequence.T2)
    channels = (0, 1)

    def find(self, pixels: Pixels, magnified: float = 1.0) -> tuple[Found, ...]:
        return ()


def test_boxes_in_space_hold_the_boxes_on_slices(reading: StudyReading, stack: PairedStack) -> None:
    frame = stack.reference.frame
    for level in reading.levels:
        flat, first, last = frame.box_to_pixel(level.box)
        own = [part for part in level.slices if part.series_uid == stack.reference.series_uid]
        assert (first, last) == (min(p.slice_index for p in own), max(p.slice_index for p in own))
        assert flat.iou(level.key_slice.box) > 0.4 or level.key_slice not in own


@pytest.mark.parametrize("missing", ["T1", "T2"])
def test_one_sequence_alone_is_read_and_said(
    pipeline: ReadingPipeline, phantom: PhantomStudy, missing: str
) -> None:
    t1, t2 = phantom.volumes
    alone = pipeline.read(pair(None, t2) if missing == "T1" else pair(t1, None), "study")
    assert len(alone.levels) >= 5
    assert any("Only" in note for note in alone.notes)


def test_t1_of_another_grid_gets_its_boxes_in_its_own_pixels(
    pipeline: ReadingPipeline, phantom: PhantomStudy
) -> None:
    t1, t2 = phantom.volumes
    halved = replace(
        t1,
        pixels=np.ascontiguousarray(t1.pixels[:, ::2, ::2]),
        frame=VolumeFrame(t1.frame.matrix @ np.diag([2.0, 2.0, 1.0, 1.0]), t1.pixels[:, ::2, ::2].shape),
    )
    whole, small = (pipeline.read(pair(volume, t2), "study") for volume in (t1, halved))
    for level in small.levels:
        twin = next((other for other in whole.levels if other.name is level.name), None)
        mine = [part for part in level.slices if part.series_uid == t1.series_uid]
        if twin is None or not mine:
            continue
        same = {part.slice_index: part.box for part in twin.slices if part.series_uid == t1.series_uid}
        for part in mine:
            if part.slice_index in same:
                assert part.box.scaled(2, 2).iou(same[part.slice_index]) > 0.6


@pytest.mark.parametrize(
    ("turn", "words"),
    [
        ((slice(None, None, -1), slice(None)), "upside down"),
        ((slice(None), slice(None, None, -1)), "mirrored"),
    ],
)
def test_a_turned_picture_is_refused(
    pipeline: ReadingPipeline, phantom: PhantomStudy, turn: tuple[slice, slice], words: str
) -> None:
    turned = [replace(v, pixels=np.ascontiguousarray(v.pixels[:, turn[0], turn[1]])) for v in phantom.volumes]
    with pytest.raises(OffDomainError, match=words):
        pipeline.read(pair(*turned), "study")


def test_noise_is_refused(pipeline: ReadingPipeline, phantom: PhantomStudy) -> None:
    t2 = phantom.volumes[1]
    noise = np.random.default_rng(0).random(t2.pixels.shape).astype(np.float32)
    with pytest.raises(OffDomainError, match="does not look like"):
        pipeline.read(pair(None, replace(t2, pixels=noise)), "study")


def test_a_series_that_is_neither_t1_nor_t2_is_refused(pipeline: ReadingPipeline, stack: PairedStack) -> None:
    stir = replace(stack.reference, sequence=Sequence.T2_FAT_SAT)
    with pytest.raises(OffDomainError, match="Neither a T1 nor a T2"):
        pipeline.read(replace(stack, reference=stir, other=None), "study")


def _patient(real_data: Path, number: str) -> LumbarPatient:
    return next(p for p in read_lumbar_set(real_data / "lumbar_t1t2") if p.patient == number)


def _real(patient: LumbarPatient) -> tuple[Volume, Volume]:
    return read_picture(patient.t1, Sequence.T1), read_picture(patient.t2, Sequence.T2)


def test_a_real_pair_is_read_without_inventing_millimetres(
    pipeline: ReadingPipeline, real_data: Path
) -> None:
    patient = _patient(real_data, "0002")
    t1, t2 = _real(patient)
    assert t2.spacing_origin is SpacingOrigin.UNKNOWN
    found = {level.name: level for level in pipeline.read(pair(t1, t2), "study").levels}
    for vertebra in patient.vertebrae:
        (box,) = [p.box for p in found[vertebra.level].slices if p.series_uid == t1.series_uid]
        assert box.iou(vertebra.box) > 0.6


def test_a_misregistered_real_pair_has_its_boxes_right_in_both(
    pipeline: ReadingPipeline, real_data: Path
) -> None:
    patient = _patient(real_data, "0268")
    t1, t2 = _real(patient)
    reading = pipeline.read(pair(t1, t2), "study")
    assert reading.registered and any("registered" in note for note in reading.notes)
    found = {level.name: level for level in reading.levels}
    for vertebra in patient.vertebrae[1:5]:
        for volume, (dx, dy) in ((t1, (0.0, 0.0)), (t2, patient.t1_to_t2)):
            (box,) = [p.box for p in found[vertebra.level].slices if p.series_uid == volume.series_uid]
            assert box.iou(vertebra.box.shifted(dx, dy)) > 0.6
