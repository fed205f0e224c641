"""What ``/infer`` answers, over HTTP."""

from __future__ import annotations

import gzip
import json

import httpx
import nibabel as nib
import numpy as np
import pytest
from server.conftest import PATIENTS
from server.running import RunningServer
from server.studies import LEVELS, QuickPipeline, boxes, frame, image_id, study_uid

from spine_fracture.imaging import Sequence
from spine_fracture.server.labelmap import SEGMENTS

T2, T1 = (image_id(PATIENTS[0], sequence) for sequence in (Sequence.T2, Sequence.T1))


def infer(
    server: RunningServer, model: str, image: str, output: str = "json", **params: object
) -> httpx.Response:
    return httpx.post(
        f"{server.url}/infer/{model}",
        params={"image": image, "output": output},
        data={"params": json.dumps(params)},
        timeout=60,
    )


@pytest.mark.parametrize(
    "model", ["vertebra_detection", "fracture_classification", "spine_segmentation_twin"]
)
def test_json_has_levels_boxes_probabilities_uncertainty_and_reasons(
    server: RunningServer, model: str
) -> None:
    answer = infer(server, model, T2).json()
    assert answer["notice"] == "Not for clinical use."
    assert (answer["study"], answer["image"]) == (study_uid(PATIENTS[0]), T2)
    assert [level["level"] for level in answer["levels"]] == list(LEVELS)
    level = answer["levels"][2]
    assert level["label"] == "malignant"
    assert sum(level["probabilities"].values()) == pytest.approx(1)
    assert level["key_slice"]["box"] == list(boxes()[2].as_tuple())
    assert level["reasons"] == ["T1 and T2 disagree"]
    assert set(level["uncertainty"]) == {
        "entropy",
        "sequence_disagreement",
        "detector_disagreement",
        "detection",
        "numbering",
        "augmentation",
    }
    centre = frame().box_to_patient(boxes()[2], 1, 3).centre
    assert np.allclose(level["box"]["centre"], centre, atol=1e-3)


def test_either_series_answers_for_the_study(server: RunningServer) -> None:
    assert infer(server, "vertebra_detection", T1).json() == infer(server, "vertebra_detection", T2).json()


def test_a_study_is_read_once_for_the_same_files_and_models(server: RunningServer) -> None:
    assert isinstance(server.pipeline, QuickPipeline)
    for model in ("vertebra_detection", "fracture_classification", "vertebra_detection"):
        infer(server, model, T2)
    assert server.pipeline.calls.count(study_uid(PATIENTS[0])) == 1


def test_one_level_can_be_asked_for(server: RunningServer) -> None:
    (level,) = infer(server, "fracture_classification", T2, level="l3").json()["levels"]
    assert level["level"] == "L3"


def test_the_twin_lies_on_the_picture_that_slicer_loads(server: RunningServer) -> None:
    twin = infer(server, "spine_segmentation_twin", T2, "image")
    picture = httpx.get(f"{server.url}/datastore/image", params={"image": T2})
    label_map = nib.Nifti1Image.from_bytes(gzip.decompress(twin.content))
    shown = nib.Nifti1Image.from_bytes(gzip.decompress(picture.content))
    assert label_map.shape == shown.shape
    assert np.allclose(label_map.affine, shown.affine, atol=1e-3)
    assert set(np.unique(label_map.dataobj)) == {0, *(SEGMENTS[n] for n in server_names(server))}


def server_names(server: RunningServer) -> list[str]:
    return list(infer(server, "spine_segmentation_twin", T2).json()["label_names"])


def test_ohif_gets_an_uncompressed_nrrd(server: RunningServer) -> None:
    wanted = {"result_extension": ".nrrd", "result_dtype": "uint8", "result_compress": False}
    found = infer(server, "spine_segmentation_twin", T2, "image", **wanted)
    assert found.content.startswith(b"NRRD")
    assert b"encoding: raw" in found.content[:1000]


def test_a_dropdown_comes_back_as_a_list_with_the_chosen_one_first(server: RunningServer) -> None:
    found = infer(server, "spine_segmentation_twin", T2, "image", result_extension=[".seg.nrrd", ".nii"])
    assert "levels.seg.nrrd" in found.headers["content-disposition"]


def test_all_is_a_multipart_of_both(server: RunningServer) -> None:
    found = infer(server, "vertebra_detection", T2, "all")
    assert found.headers["content-type"].startswith("multipart/form-data")
    assert b'filename="levels.mrk.json"' in found.content
    assert b'name="params"' in found.content
