"""What a detector is shown: seeded, shared out by source, with targets that fit the pictures."""

import numpy as np
import pytest
import torch

from spine_fracture.detection.candidates import Boxes
from spine_fracture.detection.families import build_network
from spine_fracture.training.detectors.config import Augmentation, DetectorConfig, Geometry, Signal, Sources
from spine_fracture.training.detectors.pictures import PictureCache, TeachingPicture, write_pictures
from spine_fracture.training.detectors.task import BoxTask, source_chances
from spine_fracture.training.learning.checkpoint import Checkpointing
from spine_fracture.training.learning.loop import fit
from spine_fracture.training.learning.schedule import Schedule

SIDE = 64
SURE = np.array([[0.9, 0, 0, 0]], np.float32)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)

    def picture():
        pixels = rng.integers(0, 40, (2, SIDE, SIDE), dtype=np.uint8)
        x, y = rng.integers(8, 36, 2)
        pixels[:, y : y + 20, x : x + 20] = 200
        outline = np.array([[x, y], [x + 20, y], [x + 20, y + 20], [x, y + 20]], float)
        return TeachingPicture(pixels, (outline,), (0,), None)

    write_pictures(folder, (("real", picture()) for _ in range(8)))
    return PictureCache(folder)


def task(pictures, held_out=(), **settings):
    config = DetectorConfig(size=SIDE, schedule=Schedule(epochs=2, steps=2, batch=4), **settings)
    torch.manual_seed(0)
    network = build_network("yolo", config.architecture, 4)
    return BoxTask(network, pictures, source_chances(pictures.sources, config.sources), held_out, config)


def test_batches_are_drawn_from_the_generator_alone(pictures):
    first, again = (task(pictures).batch(np.random.default_rng(5), 4) for _ in range(2))
    torch.testing.assert_close(first.pixels, again.pixels)
    torch.testing.assert_close(first.targets.corners, again.targets.corners)
    assert first.pixels.shape == (4, 2, SIDE, SIDE)
    assert first.targets.unknown.shape == (4, SIDE, SIDE)
    assert len(first.targets.kinds) == len(first.targets.picture) == sum(first.targets.counts)


def test_a_detector_of_one_sequence_is_shown_that_one(pictures):
    both = task(pictures).batch(np.random.default_rng(5), 4)
    t2 = task(pictures, sequences="T2").batch(np.random.default_rng(5), 4)
    torch.testing.assert_close(t2.pixels, both.pixels[:, 1:])
    assert t2.change.gain.shape == (4, 1)


def test_t1_alone_is_not_moved_against_its_boxes(pictures):
    def drawn(sequences, slip):
        how = Augmentation(geometry=Geometry(slip=slip), signal=Signal(gamma=0, gain=0, noise=0))
        return task(pictures, sequences=sequences, augmentation=how).batch(np.random.default_rng(5), 4)

    torch.testing.assert_close(drawn("T1", 9).pixels, drawn("T1", 0).pixels)
    assert not torch.equal(drawn("T1+T2", 9).pixels[:, 0], drawn("T1+T2", 0).pixels[:, 0])


class FindsTheTruth(torch.nn.Module):
    """Finds so many of the bodies of the pictures."""

    def __init__(self, pictures, found):
        super().__init__()
        self._corners = {
            int(p.pixels.sum()): [*p.outlines[0].min(axis=0), *p.outlines[0].max(axis=0)]
            for p in list(pictures)[:found]
        }

    def boxes(self, pictures):
        corners = [self._corners.get(round(float(p.sum()) * 255)) for p in pictures]
        return tuple(
            Boxes(
                np.array([c] if c else [], np.float32).reshape(-1, 4), np.tile(SURE, (int(c is not None), 1))
            )
            for c in corners
        )


def test_held_out_pictures_judge_by_average_precision_once_something_is_found(pictures):
    judging, device = task(pictures, held_out=range(8)), torch.device("cpu")
    nothing, half, whole = (judging.validation_loss(FindsTheTruth(pictures, n), device) for n in (0, 4, 8))
    assert nothing is None
    assert half == pytest.approx(0.5, abs=0.02)
    assert whole == pytest.approx(0, abs=1e-6)
    assert task(pictures).validation_loss(FindsTheTruth(pictures, 8), device) is None


def test_an_interrupted_run_goes_on_to_the_same_weights(pictures, tmp_path):
    schedule = Schedule(epochs=2, steps=2, batch=4, checkpoint_minutes=0)
    checkpoint = Checkpointing(tmp_path / "checkpoint.pt", schedule, "pictures")
    whole = fit(task(pictures), schedule, 1).state

    class StoppedError(Exception):
        pass

    def stop(epoch):
        raise StoppedError

    with pytest.raises(StoppedError):
        fit(task(pictures), schedule, 1, checkpoint, stop)
    resumed = fit(task(pictures), schedule, 1, checkpoint).state
    for name, weight in whole.items():
        torch.testing.assert_close(resumed[name], weight, rtol=0, atol=0)


def test_sources_share_as_configured_whatever_their_number():
    sources = ("real",) * 2 + ("phantom",) * 6 + ("lesion",) * 4
    chances = source_chances(sources, Sources(phantom_share=0.3, lesion_share=0.2))
    assert chances[:2].sum() == pytest.approx(0.5)
    assert chances[2:8].sum() == pytest.approx(0.3)
    assert source_chances(("phantom",) * 3, Sources()).tolist() == pytest.approx([1 / 3] * 3)
