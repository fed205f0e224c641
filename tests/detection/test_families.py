"""Every family behind one interface: losses that respect the unknown, all scores of all boxes."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from spine_fracture.bundle import Manifest, write_bundle
from spine_fracture.detection.detector import VertebraDetector
from spine_fracture.detection.families import Architecture, build_network
from spine_fracture.detection.finder import BoxFinder
from spine_fracture.detection.targets import Targets, corners_in_pixels
from spine_fracture.detection.tasks import DetectionTask
from spine_fracture.errors import InputError, ModelFileError

LAYOUTS = {
    "yolov5n": "yolo",
    "yolo11n": "yolo",
    "rtdetr-resnet50": "rtdetr",
    "resnet18-dc5": "detr",
    "resnet18": "retinanet",
}
CORNERS = torch.tensor([[8.0, 10, 28, 26], [30, 34, 52, 54]])
SIDE = 64


def targets(unknown=False, boxes=2, pictures=2):
    """Some pictures, the boxes in the first."""
    return Targets(
        CORNERS[:boxes],
        torch.tensor([0, 1])[:boxes],
        torch.zeros(boxes, dtype=torch.int64),
        torch.full((pictures, SIDE, SIDE), unknown),
    )


@pytest.fixture(scope="module", params=LAYOUTS)
def network(request):
    torch.manual_seed(0)
    return build_network(
        LAYOUTS[request.param], Architecture(layout=request.param, size=SIDE), classes=3
    ).eval()


def test_a_loss_is_one_number_and_is_silent_where_nothing_is_known(network):
    pictures = torch.rand(2, 2, SIDE, SIDE)
    with torch.inference_mode():
        known, unknown = (float(network.loss(pictures, targets(flag, boxes=0))) for flag in (False, True))
        taught = float(network.loss(pictures, targets()))
    assert np.isfinite(taught)
    assert known > 0
    assert unknown < 1e-3 * known


def test_every_box_has_the_scores_of_all_classes(network):
    with torch.inference_mode():
        found = network.boxes(torch.rand(2, 2, SIDE, 96))
    assert len(found) == 2
    for boxes in found:
        assert boxes.corners.shape == (len(boxes.corners), 4)
        assert boxes.scores.shape == (len(boxes.corners), 3)


@pytest.mark.parametrize(("layout", "rate", "steps"), [("yolo11n", 2e-3, 50), ("resnet18", 3e-4, 20)])
def test_one_picture_is_learnt_by_heart(layout, rate, steps):
    torch.manual_seed(0)
    network = build_network(LAYOUTS[layout], Architecture(layout=layout, size=SIDE), classes=2).train()
    pictures = torch.zeros(1, 2, SIDE, SIDE)
    for kind, (x0, y0, x1, y1) in enumerate(CORNERS.int().tolist()):
        pictures[0, kind, y0:y1, x0:x1] = 1
    optimiser = torch.optim.Adam(network.parameters(), lr=rate)
    losses = []
    for _ in range(steps):
        loss = network.loss(pictures, targets(pictures=1))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    # Not of the first one: a YOLO's loss weighs boxes by how well they fit, and begins near zero.
    assert losses[-1] < 0.4 * max(losses)


def manifest(layout, task=DetectionTask.LESIONS, **changes):
    return Manifest(
        name="test", task="detection", family=LAYOUTS[layout], classes=task.classes, config={}, seed=1,
        architecture={"layout": layout, "size": SIDE},
    ).model_copy(update=changes)  # fmt: skip


@pytest.mark.parametrize("layout", ["resnet18-dc5", "resnet18"])
def test_a_bundle_finds_the_boxes_that_its_network_found(layout, tmp_path):
    torch.manual_seed(0)
    network = build_network(LAYOUTS[layout], Architecture(layout=layout, size=SIDE), classes=2)
    if layout == "resnet18":  # answers at once, untrained
        network.model.head.classification_head.cls_logits.bias.data.fill_(-2.0)
    network.half().float()  # as it is kept
    written = write_bundle(tmp_path, network.state_dict(), manifest(layout))
    pixels = np.random.default_rng(0).random((2, 2, SIDE, SIDE), np.float32)
    ours, theirs = BoxFinder(written, network).find(pixels), BoxFinder.load(tmp_path).find(pixels)
    assert ours == theirs
    assert ours
    assert all(len(found.scores) == 2 for found in ours)


def test_weights_of_another_architecture_are_refused(tmp_path):
    state = build_network("yolo", Architecture(layout="yolo11n", size=SIDE), classes=2).state_dict()
    lesions = manifest("yolo11n")
    signed = write_bundle(tmp_path, state, lesions)
    wrong = (
        manifest("yolo11n", architecture={"layout": "yolov8n", "size": SIDE}),
        manifest("yolo11n", DetectionTask.KINDS),
        manifest("yolo11n", architecture={"layout": "yolo7n", "size": SIDE}),
        manifest("yolo11n", architecture={"trunk": "resnet18"}),
        manifest("yolo11n", family="six_channel"),
    )
    for each in wrong:
        stated = each.model_copy(update={"sha256": signed.sha256})
        (tmp_path / "model.json").write_text(stated.model_dump_json())
        with pytest.raises(ModelFileError):
            BoxFinder.load(tmp_path)
    (tmp_path / "model.json").write_text(signed.model_dump_json())
    with pytest.raises(ModelFileError, match="not a detector of vertebra"):
        VertebraDetector.load(tmp_path, "torch")


@pytest.mark.parametrize("family", ["rtdetr", "detr", "retinanet"])
def test_an_unknown_layout_is_refused_with_those_there_are(family):
    with pytest.raises(InputError, match="resnet50"):
        build_network(family, Architecture(layout="resnet7", size=SIDE), classes=2)


def test_retinanet_and_detr_run_without_ultralytics():
    script = """
import sys
sys.modules["ultralytics"] = None
import torch
from spine_fracture.detection.families import Architecture, build_network
import spine_fracture.training.detectors.detector, spine_fracture.detection.lesion_detector
for family in ("detr", "retinanet"):
    network = build_network(family, Architecture(layout="resnet18", size=64), 2).eval()
    with torch.inference_mode():
        print(len(network.boxes(torch.rand(1, 2, 64, 64))))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) == 2


def test_boxes_change_their_form_and_points_find_what_is_unknown():
    here = targets()
    torch.testing.assert_close(corners_in_pixels(here.centred(), SIDE, SIDE), CORNERS)
    here.unknown[1, 10:20, 30:40] = True
    points = torch.tensor([[35.0, 15.0], [15.0, 35.0], [1e6, -5.0]])
    assert here.is_unknown(points).tolist() == [[False] * 3, [True, False, False]]
    assert [len(kinds) for _, kinds in here.by_picture(here.corners)] == [2, 0]
