"""The models without levels, over HTTP: radiographs of a study, and features that a reader names."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import torch
from dicom.made_radiographs import stored, written
from monailabel.client.client import MONAILabelClient
from server.conftest import PATIENTS
from server.running import RunningServer, running
from server.studies import QuickPipeline, image_id, study_uid, write_study
from sqlalchemy import select

from spine_fracture.anatomy import Feature
from spine_fracture.bundle import Manifest, write_bundle
from spine_fracture.classification import feature_regression, radiograph
from spine_fracture.classification.radiograph import RadiographConfig, RadiographNetwork
from spine_fracture.classification.radiograph_pictures import InputForm, PictureConfig
from spine_fracture.cohort.overview import overview, reasons
from spine_fracture.cohort.records import AuditEvent
from spine_fracture.promotion import open_registry, promote_by_hand
from spine_fracture.radiography import TASK as RADIOGRAPHS
from spine_fracture.server.inference import ModelName

# The client leaves its sockets to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

#: With MR alone, with radiographs alone, and with both, of one view several.
MR, PLAIN, BOTH = PATIENTS
AP, LATERAL, UPPER, LOWER = "1.2.3.1", "1.2.3.2", "1.2.3.3", "1.2.3.4"
WEIGHTS = 1.5 * torch.eye(len(Feature))[list(Feature).index(Feature.SOFT_TISSUE_MASS)]


def write_radiograph(path: Path, patient: str, series: str, view: str) -> None:
    header = {"PatientID": patient, "StudyInstanceUID": study_uid(patient), "SeriesInstanceUID": series}
    written(path, stored(), ViewPosition=view, **header)


def promote(server: RunningServer, folder: Path, state: dict[str, torch.Tensor], **said: object) -> str:
    manifest = Manifest.model_validate({"name": "tiny", "config": {}, "seed": 0, **said})
    write_bundle(folder, state, manifest)
    registry = open_registry(server.room.project)
    return promote_by_hand(server.room.project, registry, registry.register_candidate(folder).name, "x").name


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("patients")
    for patient in (MR, BOTH):
        write_study(folder / "studies", patient)
    files = {AP: (PLAIN, "AP"), LATERAL: (PLAIN, "LL"), UPPER: (BOTH, "LL"), LOWER: (BOTH, "RL")}
    for series, (patient, view) in files.items():
        write_radiograph(folder / "studies" / f"{series}.dcm", patient, series, view)
    write_radiograph(folder / "studies" / "unknown.dcm", PLAIN, "1.2.3.9", "")
    with running(folder / "home", str(folder / "studies"), QuickPipeline()) as found:
        yield found


@pytest.fixture(scope="module")
def promoted(server: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> dict[ModelName, str]:
    """The versions that serve."""
    torch.manual_seed(0)
    config = RadiographConfig(
        members=(InputForm.AP, InputForm.LATERAL), pictures=PictureConfig(rows=64, columns=64)
    )
    folder = tmp_path_factory.mktemp("bundles")
    classes = feature_regression.CLASSES
    return {
        ModelName.RADIOGRAPHS: promote(
            server, folder / "radiographs", RadiographNetwork(config).state_dict(), task=RADIOGRAPHS,
            family=radiograph.NAME, architecture=config.model_dump(mode="json"), classes=classes,
        ),
        ModelName.FEATURES: promote(
            server, folder / "features", {"weights": WEIGHTS, "bias": torch.zeros(1)}, architecture={},
            task=feature_regression.TASK, family=feature_regression.NAME, classes=classes,
        ),
    }  # fmt: skip


def infer(server: RunningServer, model: str, image: str, **params: object) -> httpx.Response:
    query = {"image": image, "output": "json"}
    data = {"params": json.dumps(params)}
    return httpx.post(f"{server.url}/infer/{model}", params=query, data=data, timeout=60)


def test_radiographs_are_listed_and_no_model_of_mri_reads_them(server: RunningServer) -> None:
    with server.room.project.session() as session:
        (row,) = overview(session)
        assert (row.studies, row.radiographs, row.without_t1, row.without_t2) == (3, 2, 0, 0)
        assert ("Test centre", "plain radiographs, which radiograph_classification reads", 5) in reasons(
            session
        )
    assert set(server.room.catalogue.images()) == {image_id(MR), image_id(BOTH)}
    for image in (AP, study_uid(PLAIN)):
        refused = infer(server, "fracture_classification", image)
        assert refused.status_code == 422 and "radiograph_classification reads" in refused.json()["detail"]
    assert len(infer(server, "fracture_classification", UPPER).json()["levels"]) == 5


def test_no_model_is_offered_before_one_was_promoted(server: RunningServer) -> None:
    assert len(httpx.get(f"{server.url}/info/").json()["models"]) == 3
    for model, params in (("radiograph_classification", {}), ("feature_regression", {"features": []})):
        refused = infer(server, model, AP, **params)
        assert refused.status_code == 404
        assert "train system" in refused.text and "models promote" in refused.text


def test_the_views_of_a_study_are_read_together(
    server: RunningServer, promoted: dict[ModelName, str], tmp_path: Path
) -> None:
    client = MONAILabelClient(server.url, tmpdir=str(tmp_path))
    offered = client.info()["models"]["radiograph_classification"]
    assert (offered["type"], offered["labels"]) == ("classification", ["benign_fracture", "malignant"])
    file, answer = client.infer("radiograph_classification", AP, {})
    assert json.loads(Path(file).read_text()) == answer
    assert answer["notice"] == "Not for clinical use."
    assert (answer["study"], answer["image"], answer["views"]) == (study_uid(PLAIN), AP, ["AP", "lateral"])
    assert answer["model_version"] == promoted[ModelName.RADIOGRAPHS]
    assert sum(answer["probabilities"].values()) == pytest.approx(1)
    assert answer["label"] == max(answer["probabilities"], key=answer["probabilities"].get)
    assert set(answer["alone"]) == {"AP", "lateral"}
    (note,) = answer["notes"]
    assert "does not say its view" in note and "unknown.dcm" not in note
    with server.room.project.session() as session:
        shown = select(AuditEvent.id).where(AuditEvent.action == "prediction.shown")
        assert session.scalars(shown).first() is not None


def test_of_several_of_one_view_the_one_asked_for_is_read(
    server: RunningServer, promoted: dict[ModelName, str]
) -> None:
    refused = infer(server, "radiograph_classification", image_id(BOTH))
    assert refused.status_code == 422 and "2 lateral radiographs" in refused.json()["detail"]
    assert infer(server, "radiograph_classification", UPPER).json()["views"] == ["lateral"]
    without = infer(server, "radiograph_classification", image_id(MR))
    assert without.status_code == 422 and "no plain radiographs" in without.json()["detail"]
    assert infer(server, "radiograph_classification", "/etc/passwd").status_code == 404


@pytest.mark.parametrize(
    ("features", "malignant", "named"),
    [
        (["soft_tissue_mass", "dark_line"], 1 / (1 + 2.718281828**-1.5), ["dark_line", "soft_tissue_mass"]),
        ("dark_line, cleft", 0.5, ["dark_line", "cleft"]),
        ("", 0.5, []),
    ],
)
def test_named_features_are_weighed(
    server: RunningServer,
    promoted: dict[ModelName, str],
    features: object,
    malignant: float,
    named: list[str],
) -> None:
    answer = infer(server, "feature_regression", image_id(MR), features=features).json()
    assert answer["probabilities"]["malignant"] == pytest.approx(malignant)
    assert (answer["features"], answer["study"]) == (named, study_uid(MR))
    assert answer["model_version"] == promoted[ModelName.FEATURES]
    assert answer["notice"] == "Not for clinical use."


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({}, "Name the imaging features"),
        ({"features": ["pretty"]}, "not an imaging feature"),
        ({"features": 3}, "a list of words"),
        ({"features": ["no_collapse", "anterior_wedge"]}, "cannot be seen together"),
    ],
)
def test_features_that_cannot_be_weighed_are_refused(
    server: RunningServer, promoted: dict[ModelName, str], params: dict[str, object], says: str
) -> None:
    refused = infer(server, "feature_regression", image_id(MR), **params)
    assert refused.status_code == 422 and says in refused.json()["detail"]


def test_studies_are_not_read_ahead_by_models_without_levels(server: RunningServer) -> None:
    refused = httpx.post(f"{server.url}/batch/infer/feature_regression")
    assert refused.status_code == 422 and "study by study" in refused.json()["detail"]
