"""Grey levels change channel by channel as was drawn, and a channel may be left out."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from spine_fracture.training.detectors.config import Signal
from spine_fracture.training.detectors.signal import SignalChange, changed, draw_change

STILL = Signal(gamma=0, gain=0, bias=0, noise=0, blur=0, only_t1=0, only_t2=0)


def pictures(n=3, channels=2):
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (n, channels, 24, 20), dtype=np.uint8))


def test_without_a_change_the_signal_is_the_picture():
    change = draw_change(3, 2, STILL, np.random.default_rng(0))
    torch.testing.assert_close(changed(pictures(), change), pictures().float() / 255)


def test_each_channel_is_changed_as_was_drawn():
    def each(value):
        return np.full((1, 1), value, np.float32)

    shading = np.array([[[0.1, -0.2, 0.05]]], np.float32)
    change = SignalChange(each(0.8), each(1.3), each(0.7), shading, each(0), np.ones((1, 1), np.bool_))
    given = pictures(1, 1)
    x, y = np.linspace(-1, 1, 20), np.linspace(-1, 1, 24)[:, None]
    blurred = gaussian_filter(0.8 * (given[0, 0].numpy() / 255) ** 1.3, 0.7, mode="mirror", radius=2)
    expected = blurred * (1 + 0.1 * x + 0.05 * x**2) * (1 - 0.2 * y)
    np.testing.assert_allclose(changed(given, change)[0, 0].numpy(), expected.clip(0, 1), atol=1e-5)


def test_changes_are_drawn_and_stay_in_range():
    change = draw_change(8, 2, Signal(), np.random.default_rng(1))
    torch.manual_seed(0)
    one = changed(pictures(8), change)
    torch.manual_seed(0)
    torch.testing.assert_close(one, changed(pictures(8), change), rtol=0, atol=0)
    assert one.dtype == torch.float32
    assert one.min() >= 0
    assert one.max() <= 1


def test_channels_are_left_out_as_often_as_configured_and_never_the_only_one():
    signal = Signal(only_t1=0.3, only_t2=0.3)
    change = draw_change(400, 2, signal, np.random.default_rng(0))
    left_out = (changed(pictures(400), change) == 0).flatten(2).all(dim=2).numpy()
    assert left_out.mean(axis=0) == pytest.approx([0.3, 0.3], abs=0.08)
    assert not left_out.all(axis=1).any()
    alone = changed(pictures(400, 1), draw_change(400, 1, signal, np.random.default_rng(0)))
    assert alone.flatten(1).any(dim=1).all()


@pytest.mark.parametrize("acquired", [0, 1])
def test_a_channel_is_not_left_out_where_the_other_was_not_acquired(acquired):
    change = draw_change(40, 2, Signal(noise=0, only_t1=0.5, only_t2=0.5), np.random.default_rng(0))
    given = pictures(40)
    given[:, 1 - acquired] = 0
    seen = changed(given, change)
    assert seen[:, acquired].flatten(1).any(dim=1).all()
    assert not seen[:, 1 - acquired].any()
