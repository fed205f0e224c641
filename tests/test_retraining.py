"""From reads to a candidate to the gate, with real DICOM, a narrow network and the real registry."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch
from sqlalchemy import select

from spine_fracture import retraining
from spine_fracture.active_learning.strategies import load_strategy
from spine_fracture.active_learning.worklists import next_items
from spine_fracture.anatomy import MODEL_CLASSES, Diagnosis, Level
from spine_fracture.bundle import WEIGHTS, Manifest, read_bundle, write_bundle
from spine_fracture.classification.crops import BoxOnSlice
from spine_fracture.classification.sixchannel import SixChannelConfig, SixChannelNetwork
from spine_fracture.cohort import studies as cohort_studies
from spine_fracture.cohort.desk import WorkList
from spine_fracture.cohort.ingest import ingest
from spine_fracture.cohort.levels import store_reading
from spine_fracture.cohort.models import ReadMode, Study, StudyFolder
from spine_fracture.cohort.project import Project, open_project
from spine_fracture.cohort.protocol import load_protocol
from spine_fracture.cohort.reads import ReadSubmission, submit_read
from spine_fracture.cohort.records import AuditEvent, ModelVersion
from spine_fracture.cohort.snapshots import freeze, read_snapshot
from spine_fracture.cohort.splits import Split, split_of
from spine_fracture.cohort.states import ModelStatus
from spine_fracture.cohort.studies import files_of, find_study, load_pair
from spine_fracture.configuration import CONFIGS, load_config
from spine_fracture.dicom.orientation import sagittal_frame
from spine_fracture.dicom.write import PatientTags, assume_spacing, uid_from, write_series
from spine_fracture.errors import InputError, InsufficientEvidenceError, ModelFileError
from spine_fracture.geometry import PixelBox
from spine_fracture.imaging import Acquisition, Pixels, Plane, Sequence, SpacingOrigin, Volume
from spine_fracture.levels import LevelReading, SliceBox, StudyReading, Uncertainty
from spine_fracture.read_studies import ReadStudy, agreed, read_studies
from spine_fracture.registry import Registry
from spine_fracture.retraining import Retraining, retrain
from spine_fracture.training.classifiers.cache import CropCacheWriter, LabelledLevel, LabelledStudy
from spine_fracture.training.gate import Verdict
from spine_fracture.training.retrain import RetrainingConfig, fine_tune, recipe_for, replay_folder

LEVELS = (Level.T11, Level.T12, Level.L1, Level.L2, Level.L3, Level.L4)
SHAPE = (3, 24 * (len(LEVELS) + 1), 64)
TIMING = {Sequence.T1: (550.0, 11.0), Sequence.T2: (3500.0, 105.0)}
NETWORK = SixChannelConfig(trunk="resnet10", width=8, size=64)
CONFIG = """
name: classifier
samples: {{training_phantoms: 1, validation_phantoms: 1}}
schedule:
  {{epochs: {epochs}, steps: {steps}, batch: 24, learning_rate: 0.005, averaging: 0.5, beta1: 0.5}}
balance: {{shares: [0, 0.3, 0.7]}}
gate: {{minimum_patients: {minimum}, minimum_malignant_levels: 5, draws: 400}}
"""


def box_of(index: int) -> PixelBox:
    return PixelBox(20.0, 12.0 + 24 * index, 44.0, 30.0 + 24 * index)


def paint(diagnoses: tuple[Diagnosis, ...], rng: np.random.Generator) -> Pixels:
    """(slices, 2, rows, columns) in [0, 1]: each class its own, plain pattern on T1 and T2."""
    pixels = np.full((SHAPE[0], 2, *SHAPE[1:]), 0.35)
    for index, diagnosis in enumerate(diagnoses):
        x0, y0, x1, y1 = (int(v) for v in box_of(index).as_tuple())
        body = np.full((2, y1 - y0, x1 - x0), 0.6)
        if diagnosis is Diagnosis.MALIGNANT:
            body[0], body[1] = 0.1, 0.8
        elif diagnosis is Diagnosis.HEMANGIOMA:
            body[:] = 0.95
        elif diagnosis is Diagnosis.BENIGN_FRACTURE:
            body[:, 4:10] = 0.1
        pixels[:, :, y0:y1, x0:x1] = body
    return np.clip(pixels + rng.normal(0, 0.03, pixels.shape), 0, 1).astype(np.float32)


def drawn_diagnoses(rng: np.random.Generator) -> tuple[Diagnosis, ...]:
    """Every class at least once."""
    order = [*MODEL_CLASSES, Diagnosis.NORMAL, Diagnosis.NORMAL]
    return tuple(order[i] for i in rng.permutation(len(order)))


def write_study(folder: Path, key: str, pixels: Pixels) -> str:
    study_uid = uid_from("study", key)
    for channel, (sequence, (repetition, echo)) in enumerate(TIMING.items()):
        acquisition = Acquisition(
            repetition_time=repetition, echo_time=echo, scanning_sequence=("SE",), field_strength=1.5
        )
        volume = Volume(
            series_uid=uid_from("series", key, sequence),
            pixels=np.rint(pixels[:, channel] * 900).astype(np.float32),
            frame=sagittal_frame(SHAPE),
            sequence=sequence,
            plane=Plane.SAGITTAL,
            spacing_origin=SpacingOrigin.UNKNOWN,
            acquisition=acquisition,
        )
        spaced = assume_spacing(volume, (1.0, 1.0, 4.0))
        write_series(spaced, PatientTags(key, study_uid), folder / key / sequence, series_number=channel + 1)
    return study_uid


def reading_of(project: Project, study_uid: str) -> StudyReading:
    with project.session() as session:
        pair = load_pair(session, study_uid)
    volumes = [volume for volume in (pair.reference, pair.other) if volume is not None]
    levels = tuple(
        LevelReading(
            name=name,
            box=pair.reference.frame.box_to_patient(box_of(index), 0, 2),
            slices=tuple(
                SliceBox(v.series_uid, z, v.slice_uids[z], box_of(index), 0.9)
                for v in volumes
                for z in range(3)
            ),
            detection_score=0.9,
            detector_abnormal=0.5,
            numbering_sure=True,
            probabilities=(0.25,) * 4,
            uncertainty=Uncertainty(1.0, 0.0, 0.0, 0.1, 0.0, 0.0),
            reasons=(),
        )
        for index, name in enumerate(LEVELS)
    )
    return StudyReading(study_uid, levels, True, (), 0.0, False, "detector-1", "classifier-1")


@dataclass(frozen=True)
class Loop:
    """A project with its cohort ingested and read by the models, and what its levels are."""

    project: Project
    registry: Registry
    truths: dict[str, tuple[Diagnosis, ...]]

    def answer_all(self, reader: str = "ann") -> None:
        """Read every level there is, in the queue's order and its mode."""
        with self.project.transaction() as session:
            rules, strategy = load_protocol("single"), load_strategy("uncertainty")
            for item in next_items(session, reader, WorkList.ASSISTED, rules, strategy, 1000):
                truth = self.truths[item.study_uid][LEVELS.index(item.level)]
                submit_read(session, submission(item.level_id, truth, item.mode, reader))


def submission(
    level_id: int,
    diagnosis: Diagnosis,
    mode: ReadMode = ReadMode.BLINDED,
    reader: str = "ann",
    token: str = "t",
) -> ReadSubmission:
    return ReadSubmission(level_id, reader, mode, diagnosis, frozenset(), 5, 9.0, f"{token}{level_id}")


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, tuple[Diagnosis, ...]]]:
    """Six training patients, one that validates and ten that test; an untrained champion. Made once."""
    tmp_path = tmp_path_factory.mktemp("cohort")
    project = open_project(tmp_path / "home")
    rng = np.random.default_rng(3)
    wanted = {Split.TRAIN: 6, Split.VALIDATION: 1, Split.TEST: 10}
    truths: dict[str, tuple[Diagnosis, ...]] = {}
    for key in (f"phantom-{n:06d}" for n in count()):
        if not any(wanted.values()):
            break
        if wanted[split_of(key)]:
            wanted[split_of(key)] -= 1
            diagnoses = drawn_diagnoses(rng)
            truths[write_study(tmp_path / "studies", key, paint(diagnoses, rng))] = diagnoses
    ingest(tmp_path / "studies", "north", project)
    for study_uid in truths:
        reading = reading_of(project, study_uid)
        with project.transaction() as session:
            store_reading(session, reading)
    registry = Registry(project.settings.registry_folder)
    manifest = Manifest(
        name="classifier",
        task="classification",
        family="six_channel",
        architecture=NETWORK.model_dump(mode="json"),
        classes=tuple(MODEL_CLASSES),
        config={},
        seed=0,
    )
    write_bundle(tmp_path / "shipped" / "classifier", SixChannelNetwork(NETWORK).state_dict(), manifest)
    registry.register_shipped(tmp_path / "shipped")
    project.engine.dispose()
    return tmp_path / "home", truths


@pytest.fixture
def loop(cohort: tuple[Path, dict[str, tuple[Diagnosis, ...]]], tmp_path: Path) -> Iterator[Loop]:
    """A copy of the cohort's project, nothing read yet."""
    shutil.copytree(cohort[0], tmp_path / "home")
    project = open_project(tmp_path / "home")
    yield Loop(project, Registry(project.settings.registry_folder), cohort[1])


def config_file(loop: Loop, minimum: int, epochs: int, steps: int) -> str:
    """The training's YAML, and its replay: the same plain patterns in place of slow phantoms."""
    path = loop.project.home / "training.yaml"
    path.write_text(CONFIG.format(minimum=minimum, epochs=epochs, steps=steps))
    champion = loop.registry.champion("classification").folder
    recipe = recipe_for(champion, load_config(path, RetrainingConfig))
    rng = np.random.default_rng(4)
    with CropCacheWriter(replay_folder(recipe, loop.project.settings.cache_folder), NETWORK.margin) as writer:
        for number in range(8):
            diagnoses = drawn_diagnoses(rng)
            levels = tuple(LabelledLevel(boxes(index), truth) for index, truth in enumerate(diagnoses))
            study = LabelledStudy(f"phantom {number}", paint(diagnoses, rng), levels)
            writer.add(study, "phantom", held_out=number >= 6)
    return str(path)


def boxes(index: int) -> tuple[BoxOnSlice, ...]:
    return tuple((z, box_of(index)) for z in range(3))


def run(loop: Loop, minimum: int = 10, epochs: int = 1, steps: int = 2) -> Retraining:
    """Freeze and retrain; too briefly to learn anything unless told otherwise."""
    freeze(loop.project)
    return retrain(loop.project, loop.registry, config_file(loop, minimum, epochs, steps))


def test_a_champion_that_learned_from_reads_is_promoted_on_the_record(loop: Loop) -> None:
    before = loop.registry.champion("classification")
    loop.answer_all()
    result = run(loop, epochs=4, steps=12)
    assert result.decision.verdict is Verdict.PROMOTE, result.decision.explanation
    assert (result.decision.patients, result.decision.levels) == (10, 60)
    assert result.training_reads == 36 and result.left_out == ()
    assert loop.registry.champion("classification").name == result.candidate.name == result.champion.name
    kept = loop.project.settings.results_folder / "gate" / f"{result.candidate.name}.json"
    assert json.loads(kept.read_text())["verdict"] == "promote"
    with loop.project.session() as session:
        told = {event.action: event for event in session.scalars(select(AuditEvent))}
        status = {row.version: row.status for row in session.scalars(select(ModelVersion))}
    assert told["model.gate"].details["patients"] == 10
    assert told["model.promoted"].details["replaced"] == before.name
    assert status == {before.name: ModelStatus.RETIRED, result.candidate.name: ModelStatus.CHAMPION}
    assert loop.registry.rollback("classification").name == before.name


def test_too_few_test_patients_leave_the_candidate_a_candidate(loop: Loop) -> None:
    before = loop.registry.champion("classification").name
    loop.answer_all()
    result = run(loop, minimum=11)
    assert result.decision.missing == ("needs 11 test patients, has 10",)
    assert loop.registry.champion("classification").name == before
    assert loop.registry.named(result.candidate.name).status is ModelStatus.CANDIDATE


def test_what_test_patients_are_said_to_be_never_reaches_the_training(loop: Loop) -> None:
    """With every test read turned into another class the same weights come out."""
    loop.answer_all()
    right = run(loop, minimum=11).candidate.manifest
    with loop.project.transaction() as session:
        for study in session.scalars(select(Study)):
            if study.patient.split is Split.TEST:
                for level in study.levels:
                    submit_read(session, submission(level.id, Diagnosis.NORMAL, token="again"))
    wrong = run(loop, minimum=11).candidate.manifest
    assert right.sha256 == wrong.sha256
    assert len(right.training_patients) == 6 + 1 + 8  # reads that teach, that choose, and the replay


def test_assisted_reads_of_test_patients_do_not_judge(loop: Loop) -> None:
    with loop.project.transaction() as session:
        for study in session.scalars(select(Study)):
            for level, truth in zip(study.levels, loop.truths[study.uid], strict=True):
                submit_read(session, submission(level.id, truth, ReadMode.ASSISTED))
    result = run(loop)
    assert result.decision.verdict is Verdict.UNDECIDED and result.decision.patients == 0


def judging_studies(loop: Loop) -> list[ReadStudy]:
    """The test patients' studies, as the gate sees them."""
    freeze(loop.project)
    reads = [read for read in read_snapshot(loop.project).evaluation if read.split is Split.TEST]
    return list(read_studies(loop.project, agreed(reads, []), [], "test patients"))


def let_serve_who_learnt_from(loop: Loop, folder: Path, *patients: str) -> str:
    """Make champion what was the champion, but for the patients who taught it."""
    manifest, state = read_bundle(loop.registry.champion("classification").folder)
    write_bundle(folder, state, manifest.model_copy(update={"training_patients": patients}))
    return loop.registry.promote(loop.registry.register_candidate(folder)).name


def test_patients_who_taught_the_models_do_not_judge_them(loop: Loop, tmp_path: Path) -> None:
    """Known by the pictures or by key; the candidate inherits them, and both are asked about the others."""
    loop.answer_all()
    by_pictures, by_key, *_ = judging_studies(loop)
    taught = (by_pictures.pictures, by_key.patient)
    champion = let_serve_who_learnt_from(loop, tmp_path / "taught", *taught)
    result = run(loop)
    assert set(taught) < set(result.candidate.manifest.training_patients)
    assert result.decision.verdict is Verdict.UNDECIDED
    assert (result.decision.patients, result.decision.levels) == (8, 48)
    assert result.decision.missing == ("needs 10 test patients, has 8",)
    left_out = [
        f"study {read.study_uid}: its patient taught {champion}, and so judges no model"
        for study in (by_pictures, by_key)
        for read in study.reads[:1]
        if read is not None
    ]
    assert sorted(result.left_out) == sorted(left_out)


def test_nor_do_their_other_studies(loop: Loop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loop.answer_all()
    first, second, *_ = judging_studies(loop)
    let_serve_who_learnt_from(loop, tmp_path / "taught", first.pictures)
    of_both = [replace(second, patient=first.patient), first, second]
    monkeypatch.setattr(retraining, "read_studies", lambda *_: of_both)
    champion, left_out = loop.registry.champion("classification"), []
    levels = retraining._judge(loop.project, (), champion, champion, left_out, None)
    assert {level.patient for level in levels} == {second.patient}
    assert len(levels) == len(LEVELS) and len(left_out) == 1


def test_a_retraining_that_was_killed_once_it_had_trained_does_not_train_again(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop.answer_all()
    freeze(loop.project)
    config = config_file(loop, minimum=11, epochs=1, steps=2)
    trained = []

    def training(*given: object) -> object:
        trained.append(given)
        return fine_tune(*given)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(retraining, "fine_tune", training)
        patched.setattr(retraining, "_judge", killed)
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                retrain(loop.project, loop.registry, config)
        assert len(trained) == 1
        (out,) = loop.project.settings.cache_folder.glob("retraining-*")
        (out / WEIGHTS).write_bytes(b"half of a model")
        with pytest.raises(KeyboardInterrupt):
            retrain(loop.project, loop.registry, config)
        assert len(trained) == 2
    result = retrain(loop.project, loop.registry, config)
    assert [version.name for version in loop.registry.versions()][1:] == [result.candidate.name]
    assert result.training_reads == 36 and not out.exists()


def test_phantoms_are_kept_by_what_their_recipe_says(loop: Loop, tmp_path: Path) -> None:
    """Not by its name, under which it may be changed."""
    path = tmp_path / "phantoms.yaml"
    config_file(loop, minimum=10, epochs=1, steps=2)
    rules = load_config(loop.project.home / "training.yaml", RetrainingConfig)
    samples = rules.samples.model_copy(update={"recipe": str(path)})
    champion = loop.registry.champion("classification").folder
    recipe = recipe_for(champion, rules.model_copy(update={"samples": samples}))
    written = (CONFIGS / "phantoms" / "training.yaml").read_text()
    folders = []
    for text in (written, f"{written}\n# a remark\n", f"{written}\nvariants: 0.123\n"):
        path.write_text(text)
        folders.append(replay_folder(recipe, tmp_path))
    assert folders[0] == folders[1] != folders[2]
    assert folders[0] == replay_folder(recipe_for(champion, rules), tmp_path)


def test_levels_on_which_readers_disagree_wait_for_adjudication(loop: Loop) -> None:
    loop.answer_all()
    freeze(loop.project)
    reads = read_snapshot(loop.project).training
    other = reads[0].model_copy(update={"diagnosis": Diagnosis.INDETERMINATE, "reader": "bob"})
    left_out: list[str] = []
    assert [read.level_id for read in agreed([*reads, other], left_out)] == [r.level_id for r in reads[1:]]
    assert left_out == [f"level {reads[0].level_id}: its readers disagree, adjudicate it"]
    standard = other.model_copy(update={"reference": True})
    assert agreed([reads[0], standard], []) == (standard,)


def test_a_champion_of_another_family_is_not_trained_on(loop: Loop, tmp_path: Path) -> None:
    loop.answer_all()
    state = {"w": torch.zeros(4)}
    manifest = Manifest(
        name="whole", task="classification", family="whole_study", architecture={},
        classes=MODEL_CLASSES, config={}, seed=0,
    )  # fmt: skip
    write_bundle(tmp_path / "whole", state, manifest)
    loop.registry.promote(loop.registry.register_candidate(tmp_path / "whole"))
    with pytest.raises(ModelFileError, match=r"whole_study.*cohort cache.*train system"):
        run(loop)
    assert not list(loop.project.settings.cache_folder.glob("retraining-*"))


def test_studies_whose_files_are_gone_are_named(loop: Loop) -> None:
    loop.answer_all()
    with loop.project.transaction() as session:
        for folder in session.scalars(select(StudyFolder)):
            folder.path += "-moved"
    with pytest.raises(InsufficientEvidenceError, match="no longer where they were"):
        run(loop)


def test_files_that_name_a_patient_are_not_told_of(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader of pictures names the files it refuses."""
    loop.answer_all()
    freeze(loop.project)
    reads = read_snapshot(loop.project).training[:1]
    with loop.project.session() as session:
        files = [p for s in find_study(session, reads[0].study_uid).series for p in files_of(s)]

    def refuse(*_: object) -> None:
        raise InputError(f"{files[0]} is damaged, and so is {files[1].name}.")

    monkeypatch.setattr(cohort_studies, "read_series", refuse)
    left_out: list[str] = []
    assert list(read_studies(loop.project, reads, left_out, "reads")) == []
    assert left_out == [f"study {reads[0].study_uid}: the file is damaged, and so is the file."]
