"""Whatever family of model is promoted, the server answers with it, through the same door."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from sqlalchemy import select

from spine_fracture.anatomy import MODEL_CLASSES, Diagnosis, Level
from spine_fracture.bundle import SHIPPED_WEIGHTS, Manifest, write_bundle
from spine_fracture.classification import hemangioma, lumbar_pathology, whole_study_classifier, yeh2022
from spine_fracture.classification.sixchannel import SixChannelConfig, SixChannelNetwork
from spine_fracture.classification.slice_joiner import (
    JoinerConfig,
    SliceEvidence,
    SliceJoiner,
    level_features,
)
from spine_fracture.classification.whole_study import WholeStudyConfig, WholeStudyNetwork
from spine_fracture.cohort.models import Series
from spine_fracture.cohort.phantoms import make_phantoms
from spine_fracture.configuration import Config
from spine_fracture.detection.detector import VertebraDetector
from spine_fracture.detection.families import Architecture, FamilyName, build_network
from spine_fracture.detection.finder import Found
from spine_fracture.detection.tasks import DetectionTask
from spine_fracture.errors import InputError
from spine_fracture.geometry import PixelBox
from spine_fracture.imaging import FURTHER, Pixels, Sequence
from spine_fracture.promotion import open_registry, promote_by_hand, roll_back
from spine_fracture.server import champions
from spine_fracture.server.answers import StudyAnswer
from spine_fracture.server.champions import Champions, ServingPipeline
from spine_fracture.server.inference import ModelName
from spine_fracture.server.room import ReadingRoom, open_room
from spine_fracture.server.tasks import tasks_of
from spine_fracture.simulation.recipe import CoverageShares, PhantomRecipe

RECIPE = PhantomRecipe(
    name="families", first_seed=800_001, patients=1, first=Level.T12, slices=3, patient_shift=0.0,
    supernumerary=0.0, extra_share=1.0, coverage=CoverageShares(lumbar=1.0, thoracolumbar=0.0),
)  # fmt: skip


@dataclass(frozen=True)
class Tiny:
    """An untrained model: what its bundle holds."""

    family: str
    config: Config
    network: torch.nn.Module
    classes: tuple[str, ...] = MODEL_CLASSES
    attachments: Mapping[str, bytes] | None = None
    task: str = "classification"

    def write(self, folder: Path) -> Path:
        manifest = Manifest(
            name=f"tiny_{self.family}", task=self.task, family=self.family, classes=self.classes,
            architecture=self.config.model_dump(mode="json"), config={}, seed=0,
        )  # fmt: skip
        write_bundle(folder, self.network.state_dict(), manifest, self.attachments or {})
        return folder


def six_channel() -> Tiny:
    config = SixChannelConfig(trunk="resnet10", width=8, size=64)
    return Tiny("six_channel", config, SixChannelNetwork(config))


def fracture() -> Tiny:
    config = yeh2022.FractureConfig(trunk="resnet10", size=16)
    return Tiny(yeh2022.NAME, config, yeh2022.FractureNetwork(config), yeh2022.CLASSES)


def whole_study() -> Tiny:
    config = WholeStudyConfig(trunk="resnet10", width=4, features=32, heads=2, size=24, slices=3)
    return Tiny(whole_study_classifier.FAMILY, config, WholeStudyNetwork(config))


def pathology() -> Tiny:
    config = lumbar_pathology.SliceConfig(trunk="convnext_atto", size=32)
    box = PixelBox(20, 10, 60, 40)
    levels = [[SliceEvidence(0, box, 0.1 + 0.8 * (at % 2), 1.0)] for at in range(20)]
    grown = SliceJoiner.fit(
        level_features(levels, 100, 80), torch.arange(20).numpy() % 2 == 1, JoinerConfig(levels_a_leaf=2), 0
    )
    trees = {lumbar_pathology.TREES: grown.to_text().encode()}
    network = lumbar_pathology.slice_network(config)
    return Tiny(lumbar_pathology.FAMILY, config, network, lumbar_pathology.CLASSES, trees)


def hemangiomas(sequence: hemangioma.OneSequence = Sequence.T1) -> Tiny:
    network = hemangioma.RegionConfig(size=32, filters=(4, 8, 8), dense=16)
    config = hemangioma.RegionReading(sequence=sequence, network=network)
    return Tiny(hemangioma.FAMILY, config, hemangioma.RegionNetwork(network), hemangioma.CLASSES)


def detector(family: FamilyName, kind: DetectionTask, task: str) -> Tiny:
    config = Architecture(layout={"yolo": "yolo11n", "retinanet": "resnet18"}[family], size=64)
    network = build_network(family, config, len(kind.classes))
    return Tiny(family, config, network, kind.classes, task=task)


def lesions() -> Tiny:
    return detector("yolo", DetectionTask.LESIONS, "classification")


class Remembering:
    """The shipped detector's eye, which looks once at the same pictures: they are the same for all."""

    def __init__(self) -> None:
        self._find = VertebraDetector.load(SHIPPED_WEIGHTS / "detector").finder.find
        self._found: dict[bytes, tuple[Found, ...]] = {}

    def __call__(self, pixels: Pixels) -> tuple[Found, ...]:
        seen = hashlib.sha256(pixels.tobytes()).digest()
        if seen not in self._found:
            self._found[seen] = self._find(pixels)
        return self._found[seen]


@pytest.fixture(scope="module")
def shipped_eye() -> Remembering:
    return Remembering()


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory, shipped_eye: Remembering) -> Iterator[ReadingRoom]:
    """Over one phantom with all four sequences, with the shipped models as champions; promotions are noticed
    when told of.

    Whatever detector serves finds what the shipped one finds: an untrained one would find no spine.
    """
    load = VertebraDetector.load

    def loaded(folder: Path, runtime: str = "torch") -> VertebraDetector:
        detector = load(folder, "torch")
        detector.finder.find = lambda pixels, magnified=1.0: shipped_eye(pixels)  # type: ignore[method-assign]
        return detector

    folder = tmp_path_factory.mktemp("families")
    make_phantoms(folder, RECIPE, lambda done, of: None)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(champions, "_LOOK_EVERY_S", 3600.0)
        patched.setattr(VertebraDetector, "load", loaded)
        found = open_room(folder / "home", str(folder / "studies"), "Test centre")
        found.catalogue.refresh()
        yield found


def promote(room: ReadingRoom, bundle: Path) -> str:
    registry = open_registry(room.project)
    name = promote_by_hand(room.project, registry, registry.register_candidate(bundle).name, "x").name
    look_again(room)
    return name


def look_again(room: ReadingRoom) -> None:
    assert isinstance(room.pipeline, Champions)
    room.pipeline._looked = -3600.0


def asked(room: ReadingRoom) -> StudyAnswer:
    (image,) = room.catalogue.images()
    file, answer = tasks_of(room).infers[ModelName.CLASSIFICATION]({"image": image})
    Path(file).unlink()
    return StudyAnswer.model_validate(answer)


def said(answer: StudyAnswer) -> list[tuple[float, ...]]:
    return [tuple(level.probabilities.values()) for level in answer.levels]


@contextmanager
def without(room: ReadingRoom, *sequences: Sequence) -> Iterator[None]:
    """As if these had not been acquired: nobody can tell any more what their series are."""
    with room.project.transaction() as session:
        hidden = session.scalars(select(Series).where(Series.sequence.in_(sequences))).all()
        before = {series.id: series.sequence for series in hidden}
        for series in hidden:
            series.sequence = Sequence.UNKNOWN
    try:
        yield
    finally:
        with room.project.transaction() as session:
            for number, sequence in before.items():
                session.get_one(Series, number).sequence = sequence


@pytest.mark.parametrize("make", [six_channel, fracture, whole_study, pathology, hemangiomas, lesions])
def test_a_promoted_model_answers_for_every_level(
    room: ReadingRoom, make: Callable[[], Tiny], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    tiny = make()
    name = promote(room, tiny.write(tmp_path / "bundle"))
    answer = asked(room)
    assert answer.classifier_version == name and answer.detector_version != name
    assert {Level.L2, Level.L3, Level.L4} <= {level.level for level in answer.levels}
    taught = {Diagnosis.NORMAL, *map(Diagnosis, tiny.classes)}
    for level in answer.levels:
        assert sum(level.probabilities.values()) == pytest.approx(1)
        assert all(share == 0 for said, share in level.probabilities.items() if said not in taught)


def test_a_promoted_detector_of_another_family_serves_until_it_is_rolled_back(
    room: ReadingRoom, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    name = promote(room, detector("retinanet", DetectionTask.KINDS, "detection").write(tmp_path / "bundle"))
    answer = asked(room)
    assert answer.detector_version == name and len(answer.levels) >= 5
    serving = room.pipeline()
    assert isinstance(serving, ServingPipeline)
    assert serving.pipeline.detector.finder.manifest.family == "retinanet"
    roll_back(room.project, open_registry(room.project), "detection", "x")
    look_again(room)
    assert asked(room).detector_version != name


def test_a_model_that_looks_at_them_is_shown_the_sequences_beside_t1_and_t2(
    room: ReadingRoom, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    promote(room, whole_study().write(tmp_path / "bundle"))
    whole = asked(room)
    assert [note for note in whole.notes if note.endswith("was read too.")] == [
        f"{sequence} was read too." for sequence in FURTHER
    ]
    with without(room, Sequence.T2_FAT_SAT):
        less = asked(room)
    assert not any(Sequence.T2_FAT_SAT in note for note in less.notes)
    assert all(one != other for one, other in zip(said(whole), said(less), strict=True))
    assert said(asked(room)) == said(whole)


def test_a_model_that_does_not_look_at_them_answers_as_if_they_were_not_there(
    room: ReadingRoom, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    promote(room, six_channel().write(tmp_path / "bundle"))
    whole = asked(room)
    with without(room, *FURTHER):
        assert said(asked(room)) == said(whole)
    assert not any("read too" in note for note in whole.notes)


@pytest.mark.parametrize("sequence", FURTHER)
def test_a_model_refuses_a_study_without_the_sequence_that_it_reads(
    room: ReadingRoom, sequence: hemangioma.OneSequence, tmp_path: Path
) -> None:
    torch.manual_seed(1 + FURTHER.index(sequence))  # the same weights would be the same version
    name = promote(room, hemangiomas(sequence).write(tmp_path / "bundle"))
    with without(room, sequence), pytest.raises(InputError, match=rf"{name} .* has no sagittal {sequence}:"):
        asked(room)
    assert len(asked(room).levels) >= 3
