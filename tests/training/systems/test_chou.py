"""The radiograph family: every form of input learns, ensembles are the mean of their members."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torchvision.models import efficientnet_b0

from spine_fracture.anatomy import Diagnosis, Level
from spine_fracture.bundle import read_bundle, write_bundle
from spine_fracture.classification.radiograph import (
    RadiographConfig,
    RadiographModel,
    member_network,
    start_from_imagenet,
)
from spine_fracture.classification.radiograph_pictures import InputForm, PictureConfig
from spine_fracture.cohort.splits import Split
from spine_fracture.errors import InputError, InsufficientEvidenceError, ModelFileError
from spine_fracture.evaluation.answers import Part
from spine_fracture.radiography import Radiograph, View
from spine_fracture.training.cohorts.radiograph_cache import (
    RadiographCache,
    RadiographCacheWriter,
    RadiographLabel,
    RadiographLevel,
)
from spine_fracture.training.learning.schedule import Schedule
from spine_fracture.training.systems.chou import FAMILY, ChouTraining, member_task
from spine_fracture.training.systems.families import load_system, system_names
from spine_fracture.training.systems.family import Trained
from spine_fracture.training.systems.radiograph_task import LabelledRadiographs, labelled

PICTURES = PictureConfig(rows=64, columns=48, tiles=4)
SCHEDULE = Schedule(epochs=2, steps=1, batch=4, averaging=0)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made-up patients, two benign for one malignant, whose body is dark; every second finding is visible."""
    folder = tmp_path_factory.mktemp("cohort")
    rng = np.random.default_rng(0)
    splits = (*(Split.TRAIN,) * 9, *(Split.VALIDATION,) * 6, *(Split.TEST,) * 6)
    with RadiographCacheWriter(folder / "radiographs", "made-up") as writer:
        for number, split in enumerate(splits):
            diagnosis = Diagnosis.MALIGNANT if number % 3 == 0 else Diagnosis.BENIGN_FRACTURE
            pixels = rng.integers(60, 120, (2, 64, 48)).astype(np.uint8)
            pixels[:, 24:40, 16:32] += np.uint8(20 if diagnosis is Diagnosis.MALIGNANT else 110)
            level = RadiographLevel(
                level=Level.L2, diagnosis=diagnosis, box=(16, 24, 32, 40), sign=number % 2 == 0
            )
            label = RadiographLabel(
                patient=f"p{number:02d}", centre="D" if number > 18 else "A", split=split,
                external=number > 18, diagnosis=diagnosis, levels=((level,), (level,)),
            )  # fmt: skip
            writer.add(label, pixels)
    return folder


def config(*members: InputForm) -> ChouTraining:
    network = RadiographConfig(members=members, pictures=PICTURES)
    return ChouTraining(
        name="test", family="chou", question="malignant_or_benign", network=network, schedule=SCHEDULE
    )


@pytest.fixture(scope="module")
def ensemble(cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Trained]:
    """One member of every form of input, trained for two epochs each."""
    folder = tmp_path_factory.mktemp("ensemble")
    return folder, FAMILY.train(config(*InputForm), cohort, folder, 3, lambda line: None)


@pytest.fixture(scope="module")
def singles(
    ensemble: tuple[Path, Trained], tmp_path_factory: pytest.TempPathFactory
) -> dict[InputForm, Path]:
    """The members of the ensemble, each as a model of its own, uncalibrated."""
    manifest, state = read_bundle(ensemble[0])
    folder = tmp_path_factory.mktemp("singles")
    for member, form in enumerate(InputForm):
        prefix = f"members.{member}."
        own = {k.replace(prefix, "members.0."): v for k, v in state.items() if k.startswith(prefix)}
        architecture = {**manifest.architecture, "members": [form]}
        alone = manifest.model_copy(update={"architecture": architecture, "temperature": 1.0})
        write_bundle(folder / form, own, alone)
    return {form: folder / form for form in InputForm}


def test_members_train_and_are_kept_together(ensemble: tuple[Path, Trained]) -> None:
    folder, trained = ensemble
    assert trained.cost.epochs == 2 * len(InputForm)
    assert trained.manifest.metrics["epochs"] == 2 * len(InputForm)
    assert len(trained.manifest.training_patients) == 15
    assert sorted(path.name for path in folder.iterdir()) == ["model.json", "weights.safetensors"]


@pytest.mark.parametrize("form", list(InputForm))
def test_every_form_of_input_answers(form: InputForm, singles: dict[InputForm, Path], cohort: Path) -> None:
    answers = FAMILY.answer(singles[form], cohort).answers
    assert answers is not None
    assert len({case.patient for case in answers.cases}) == len(answers.cases) == 12
    assert {case.part for case in answers.cases} == set(Part)
    assert {case.note for case in answers.cases} == {"sign", "no sign"}
    assert {case.sequences for case in answers.cases} == {
        {InputForm.AP: "AP", InputForm.LATERAL: "lateral"}.get(form, "AP+lateral")
    }
    assert all(sum(case.probabilities) == pytest.approx(1) for case in answers.cases)
    assert ("test lateral sensitivity, sign" in answers.figures) == (form is InputForm.MERGE)
    assert all(0 <= value <= 1 for value in answers.figures.values())


def _pictures() -> tuple[Radiograph, Radiograph]:
    rng = np.random.default_rng(5)
    ap, lateral = rng.integers(0, 255, (2, 90, 40), dtype=np.uint8)
    return Radiograph(View.AP, ap), Radiograph(View.LATERAL, lateral, aspect=1.2)


def test_an_ensemble_is_the_mean_of_its_members(
    ensemble: tuple[Path, Trained], singles: dict[InputForm, Path], tmp_path: Path
) -> None:
    manifest, state = read_bundle(ensemble[0])
    write_bundle(tmp_path, state, manifest.model_copy(update={"temperature": 1.0}))
    ap, lateral = _pictures()
    whole = RadiographModel.load(tmp_path).read(ap, lateral)
    single = {form: RadiographModel.load(folder).read(ap, lateral) for form, folder in singles.items()}
    wanted = np.mean([opinion.probabilities for opinion in single.values()], axis=0)
    assert whole.probabilities == pytest.approx(wanted, abs=1e-5)
    of_ap = [single[form].views[View.AP] for form in (InputForm.AP, InputForm.MERGE)]
    assert whole.views[View.AP] == pytest.approx(np.mean(of_ap, axis=0), abs=1e-5)


def test_an_ensemble_reads_with_the_members_whose_view_is_there(ensemble: tuple[Path, Trained]) -> None:
    model = RadiographModel.load(ensemble[0])
    ap, lateral = _pictures()
    assert model.read(ap).probabilities == pytest.approx(model.read(ap, lateral).views[View.AP])
    with pytest.raises(InputError, match="the AP radiograph or the AP and lateral radiographs"):
        model.read()
    with pytest.raises(InputError, match="swap them"):
        model.read(ap=lateral)


def test_down_sampling_takes_as_many_of_both_classes(cohort: Path) -> None:
    teaching = labelled(RadiographCache(cohort / "radiographs"), None, PICTURES)
    assert teaching.malignant.tolist().count(1) == 3
    first, second = (teaching.down_sampled(np.random.default_rng(seed)) for seed in (1, 2))
    assert sorted(first.malignant.tolist()) == [0, 0, 0, 1, 1, 1]
    assert set(first.patients) != set(second.patients)


def test_one_class_alone_is_refused(cohort: Path, tmp_path: Path) -> None:
    cache = RadiographCache(cohort / "radiographs")
    with RadiographCacheWriter(tmp_path / "radiographs", "benign") as writer:
        for label, pixels in zip(cache.labels, cache.pixels, strict=True):
            if label.diagnosis is Diagnosis.BENIGN_FRACTURE:
                writer.add(label, pixels)
    with pytest.raises(InsufficientEvidenceError, match="add patients of the class"):
        FAMILY.train(config(InputForm.AP), tmp_path, tmp_path / "out", 1, print)


def test_validation_patients_of_one_class_choose_no_epoch(cohort: Path, tmp_path: Path) -> None:
    cache = RadiographCache(cohort / "radiographs")
    with RadiographCacheWriter(tmp_path / "radiographs", "one-sided") as writer:
        for label, pixels in zip(cache.labels, cache.pixels, strict=True):
            if label.part is not Part.VALIDATION or label.diagnosis is Diagnosis.BENIGN_FRACTURE:
                writer.add(label, pixels)
    losses = []
    for folder in (cohort, tmp_path):
        task = member_task(config(InputForm.AP), folder, 1)
        with torch.inference_mode():
            losses.append(task.validation_loss(task.network.eval(), torch.device("cpu")))
    assert losses[0] is not None and losses[1] is None


def test_the_baselines_answer_patients_of_radiographs(cohort: Path, tmp_path: Path) -> None:
    system = load_system("intensity_regression")
    system.family.train(system.config, cohort, tmp_path, 1, lambda line: None)
    answers = system.family.answer(tmp_path, cohort).answers
    labels = RadiographCache(cohort / "radiographs").labels
    assert answers is not None
    assert {c.patient for c in answers.cases} == {la.patient for la in labels if la.part is not None}
    assert {case.level for case in answers.cases} == {None}


def test_a_cohort_without_radiographs_says_how_to_make_them(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="simulate-radiographs"):
        FAMILY.train(config(InputForm.AP), tmp_path, tmp_path / "out", 1, print)


@pytest.mark.parametrize("form", [InputForm.AP, InputForm.CHCONCAT])
def test_imagenet_weights_read_grey_as_they_read_colour(form: InputForm, tmp_path: Path) -> None:
    theirs = efficientnet_b0(weights=None)
    save_file(theirs.state_dict(), tmp_path / "b0.safetensors")
    network = member_network(form, RadiographConfig())
    start_from_imagenet(network, tmp_path / "b0.safetensors")
    stem = network.state_dict()["features.0.0.weight"]
    colour = theirs.state_dict()["features.0.0.weight"]
    assert np.allclose(stem.sum(dim=1), colour.sum(dim=1), atol=1e-6)
    save_file({"a": stem.contiguous()}, tmp_path / "other.safetensors")
    with pytest.raises(ModelFileError, match="EfficientNet-B0"):
        start_from_imagenet(network, tmp_path / "other.safetensors")


@pytest.mark.parametrize("form", InputForm)
def test_an_untrained_network_is_sure_of_nothing(form: InputForm) -> None:
    torch.manual_seed(5)
    network = member_network(form, RadiographConfig())
    with torch.inference_mode():  # in training mode, as the first step sees it
        answers = network(torch.randn(8, form.channels, 96, 64)).softmax(dim=1)
    assert answers.min() > 0.3


def test_all_named_systems_can_be_loaded() -> None:
    names = [name for name in system_names() if name.startswith("chou")]
    assert len(names) == 8
    assert all(load_system(name).config.paper == "chou" for name in names)


def test_pictures_of_a_patient_who_teaches_are_those_of_the_cache(cohort: Path) -> None:
    cache = RadiographCache(cohort / "radiographs")
    found = labelled(cache, None, PictureConfig(rows=64, columns=48, clip=0.01, tiles=1))
    assert isinstance(found, LabelledRadiographs)
    assert found.patients == tuple(label.patient for label in cache.labels[:9])
    assert found.pixels.shape == (9, 2, 64, 48)
