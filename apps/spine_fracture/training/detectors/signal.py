"""How grey levels differ from scanner to scanner: drawn on the computer, done where the network is.

On a GPU this leaves the reader thread nothing to do but to move pictures, so that it keeps up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from spine_fracture.training.detectors.config import Signal

_Floats = npt.NDArray[np.float32]
_Bools = npt.NDArray[np.bool_]
#: Pixels that a blur reaches to each side.
_REACH = 2
#: A blur narrower than this changes nothing to be seen.
_LEAST_WIDTH = 0.2


@dataclass(frozen=True, eq=False)
class SignalChange:
    """How each channel of n pictures is changed, all (n, channels) but ``shading`` (n, channels, 3).

    Signal x in [0, 1] becomes ``gain`` * x**``gamma``, is blurred by a Gaussian of ``blur`` pixels, shaded
    by a quadratic across and a line down the picture, and gets noise of standard deviation ``noise``. A
    channel that is not ``present`` is left out, unless the other one shows nothing.
    """

    gain: _Floats
    gamma: _Floats
    blur: _Floats
    shading: _Floats
    noise: _Floats
    present: _Bools


def draw_change(pictures: int, channels: int, how: Signal, rng: np.random.Generator) -> SignalChange:
    """A change for each of ``pictures``. Of a pair one may be left out, a lone channel never is."""
    shape = (pictures, channels)
    present = np.ones(shape, np.bool_)
    if channels == 2:
        draw = rng.random(pictures)
        present[draw < how.only_t2, 0] = False
        present[(how.only_t2 <= draw) & (draw < how.only_t2 + how.only_t1), 1] = False
    blurred, shaded, noisy = (rng.random(shape) < 0.5 for _ in range(3))
    drawn = (
        np.exp(rng.normal(0, how.gain, shape)),
        np.exp(rng.normal(0, how.gamma, shape)),
        blurred * rng.uniform(0, how.blur, shape),
        shaded[..., None] * rng.uniform(-how.bias, how.bias, (*shape, 3)) / 2,
        noisy * rng.uniform(0, how.noise, shape),
    )
    gain, gamma, blur, shading, noise = (each.astype(np.float32) for each in drawn)
    return SignalChange(gain, gamma, blur, shading, noise, present)


def changed(pixels: Tensor, change: SignalChange) -> Tensor:
    """``pixels`` (n, channels, rows, columns) uint8 to what the network reads, float32 in [0, 1].

    Noise is drawn from torch's own generator.
    """
    device = pixels.device
    rows, columns = pixels.shape[2:]

    def each(values: _Floats | _Bools) -> Tensor:
        return torch.from_numpy(values).to(device)[..., None, None]

    with torch.autocast(device.type, enabled=False):  # eight bits are too few for a picture
        shown = _shown(pixels, each(change.present))
        image = pixels.float().div_(255).pow_(each(change.gamma)).mul_(each(change.gain) * shown)
        image = _blurred(image, change.blur)
        a, b, c = (each(change.shading[..., k]) for k in range(3))
        x = torch.linspace(-1, 1, columns, device=device)
        y = torch.linspace(-1, 1, rows, device=device)[:, None]
        image = image * ((1 + a * x + c * x**2) * (1 + b * y))
        return image.add_(torch.randn_like(image) * (each(change.noise) * shown)).clamp_(0, 1)


def _shown(pixels: Tensor, present: Tensor) -> Tensor:
    """Which channels are shown, (n, channels, 1, 1): those ``present``, and one that alone has any signal.

    Where one sequence was acquired, leaving it out would teach that a black picture holds bodies.
    """
    signal = pixels.amax(dim=(2, 3), keepdim=True) > 0
    return present | (signal & ~signal.flip(1))


def _blurred(image: Tensor, width: _Floats) -> Tensor:
    """Each channel of each picture by a Gaussian of its own width; those of width 0 as they were."""
    wide = np.maximum(width, 1e-3).reshape(-1, 1)
    steps = np.arange(-_REACH, _REACH + 1)
    kernel = np.exp(-0.5 * (steps / wide) ** 2)
    kernel[width.ravel() < _LEAST_WIDTH] = steps == 0
    weights = torch.from_numpy((kernel / kernel.sum(axis=1, keepdims=True)).astype(np.float32))
    weights = weights.to(image.device)[:, None, None]
    planes = image.reshape(1, -1, *image.shape[2:])
    padded = functional.pad(planes, (_REACH,) * 4, mode="reflect")
    across = functional.conv2d(padded, weights, groups=len(weights))
    return functional.conv2d(across, weights.transpose(2, 3), groups=len(weights)).reshape(image.shape)
