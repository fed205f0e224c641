"""From a bundle to its network, and from ImageNet weights in a local file to a trunk, for every family."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from spine_fracture.anatomy import Diagnosis
from spine_fracture.bundle import Manifest, read_bundle
from spine_fracture.configuration import Config
from spine_fracture.errors import ModelFileError

C = TypeVar("C", bound=Config)
N = TypeVar("N", bound=nn.Module)


def load_network(
    folder: Path, family: str, classes: Sequence[Diagnosis], kind: type[C], build: Callable[[C], N]
) -> tuple[Manifest, C, N]:
    """The bundle's manifest, its architecture as ``kind``, and what ``build`` makes of that, which has the
    weights of the bundle and only answers.

    Raises :class:`ModelFileError` for a bundle that is damaged, of another family, or does not fit.
    """
    manifest, state = read_bundle(folder)
    if manifest.family != family:
        raise ModelFileError(
            f"Model {manifest.name} is a {manifest.family}, not a {family}: choose one of that family."
        )
    if manifest.classes != tuple(classes):
        raise ModelFileError(
            f"Model {manifest.name} answers {', '.join(manifest.classes)}, and a {family} answers "
            f"{', '.join(classes)}: choose or train another."
        )
    try:
        config = kind.model_validate(manifest.architecture)
        network = build(config)
        network.load_state_dict(state)
    except (ValueError, RuntimeError) as error:
        raise ModelFileError(
            f"The weights of {manifest.name} do not fit its architecture: reinstall or retrain it."
        ) from error
    return manifest, config, network.eval().requires_grad_(False)


def imagenet_state(file: Path) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file of torchvision's weights; raises :class:`ModelFileError`."""
    if not file.is_file():
        raise ModelFileError(f"No ImageNet weights at {file}: leave `imagenet` out to start from scratch.")
    try:
        return load_file(file)
    except SafetensorError as error:
        raise ModelFileError(f"{file.name} is no safetensors file: convert the weights first.") from error


def take_weights(
    network: nn.Module, given: dict[str, torch.Tensor], head: str, file: Path, remedy: str
) -> None:
    """Give ``network`` all tensors but those whose names begin with ``head``, which it keeps.

    Raises :class:`ModelFileError` with the ``remedy`` where one is missing or of another shape.
    """
    own = network.state_dict()
    kept = [key for key in own if not (head and key.startswith(head))]
    unfit = next((key for key in kept if key not in given or given[key].shape != own[key].shape), None)
    if unfit is not None:
        raise ModelFileError(f"{file.name} does not fit this trunk ({unfit} differs): {remedy}.")
    network.load_state_dict({**own, **{key: given[key].to(own[key].dtype) for key in kept}})
