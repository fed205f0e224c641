"""The loop tells how it goes, is seeded by step, and goes on where it stopped."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from spine_fracture.errors import InputError
from spine_fracture.training.detector_config import DetectorConfig, FieldOfView, Schedule, Sources
from spine_fracture.training.detector_loop import learning_rate, source_chances, train_detector
from spine_fracture.training.detector_pictures import PictureCache, TeachingPicture, write_pictures

SIDE = 64


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


def config(steps=4, **schedule):
    cuts = FieldOfView(at_top=0, lower=0, from_below=0)
    options = {"batch": 4, "warm_up": 2, "checkpoint_minutes": 0, **schedule}
    return DetectorConfig(size=SIDE, field_of_view=cuts, schedule=Schedule(steps=steps, **options))


class StoppedError(Exception):
    pass


def test_an_interrupted_run_goes_on_to_the_same_weights(pictures, tmp_path, monkeypatch):
    whole = train_detector(pictures, config(), tmp_path / "whole")[0].state_dict()
    calls = []

    def stop(settings, step):
        calls.append(step)
        if step == 2 and calls.count(2) == 1:
            raise StoppedError
        return learning_rate(settings, step)

    monkeypatch.setattr("spine_fracture.training.detector_loop.learning_rate", stop)
    with pytest.raises(StoppedError):
        train_detector(pictures, config(), tmp_path / "parts")
    network, seconds = train_detector(pictures, config(), tmp_path / "parts")
    resumed = network.state_dict()
    assert seconds > 0
    assert calls == [0, 1, 2, 2, 3]
    for name, weight in whole.items():
        torch.testing.assert_close(resumed[name], weight, rtol=1e-3, atol=1e-3)


def test_progress_is_told_and_the_averaged_weights_follow_the_training(pictures, tmp_path, monkeypatch):
    monkeypatch.setattr("spine_fracture.training.detector_loop._TELL_EVERY", 2)
    told = []
    short, _ = train_detector(pictures, config(steps=1), tmp_path / "short")
    longer, _ = train_detector(pictures, config(steps=5), tmp_path / "longer", told.append)
    assert [progress.step for progress in told] == [2, 4, 5]
    assert np.isfinite([progress.losses for progress in told]).all()
    assert not torch.equal(short.model.model[0].conv.weight, longer.model.model[0].conv.weight)


def test_a_checkpoint_of_another_training_is_refused(pictures, tmp_path):
    torch.save(
        {"step": 1, "network": {}, "averaged": {}, "optimizer": {}}, tmp_path / "detector-checkpoint.pt"
    )
    with pytest.raises(InputError, match="another training"):
        train_detector(pictures, config(), tmp_path)


def test_the_rate_warms_up_and_falls_to_its_floor():
    settings = config(steps=100, warm_up=10, learning_rate=1e-3, final=0.1)
    rates = [learning_rate(settings, step) for step in range(101)]
    assert rates[0] == pytest.approx(1e-4)
    assert max(rates) == pytest.approx(1e-3)
    assert rates[-1] == pytest.approx(1e-4)
    assert all(a >= b for a, b in pairwise(rates[10:]))


def test_sources_share_as_configured_whatever_their_number():
    sources = ("real",) * 2 + ("phantom",) * 6 + ("lesion",) * 4
    chances = source_chances(sources, Sources(phantom_share=0.3, lesion_share=0.2))
    assert chances[:2].sum() == pytest.approx(0.5)
    assert chances[2:8].sum() == pytest.approx(0.3)
    assert source_chances(("phantom",) * 3, Sources()).tolist() == pytest.approx([1 / 3] * 3)
