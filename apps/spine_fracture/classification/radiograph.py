"""Malignant or benign fracture on plain radiographs: EfficientNet-B0 and ensembles of it (Chou et al.)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import nn
from torchvision.models import EfficientNet, efficientnet_b0

from spine_fracture.anatomy import Diagnosis
from spine_fracture.bundle import Manifest
from spine_fracture.classification.classifier import Probabilities, softmax
from spine_fracture.classification.networks import imagenet_state, load_network, take_weights
from spine_fracture.classification.radiograph_pictures import InputForm, PictureConfig, joined, prepared
from spine_fracture.configuration import Chance, Config
from spine_fracture.errors import InputError
from spine_fracture.radiography import Picture, Radiograph, View

NAME = "chou"
CLASSES: tuple[Diagnosis, ...] = (Diagnosis.BENIGN_FRACTURE, Diagnosis.MALIGNANT)
FloatArray = npt.NDArray[np.float64]
_STEM, _HEAD = "features.0.0.weight", "classifier.1."
_FORWARD_BATCH = 32


class RadiographConfig(Config):
    """What is needed to run a model again; kept in its manifest. A single model has one of ``members``, an
    ensemble several, whose probabilities are averaged.
    """

    members: Annotated[tuple[InputForm, ...], Field(min_length=1)] = (InputForm.AP,)
    pictures: PictureConfig = PictureConfig()
    dropout: Chance = 0.2


class RadiographNetwork(nn.Module):
    """The members, each EfficientNet-B0 from ``joined`` pictures to (n, 2) logits over CLASSES."""

    def __init__(self, config: RadiographConfig) -> None:
        super().__init__()
        self.members = nn.ModuleList(member_network(form, config) for form in config.members)


def member_network(form: InputForm, config: RadiographConfig) -> EfficientNet:
    """An untrained network that favours neither class: torchvision draws the last layer the wider the fewer
    the classes, and with two a network would begin by being sure of anything.
    """
    network = efficientnet_b0(weights=None, dropout=config.dropout, num_classes=len(CLASSES))
    head = network.classifier[1]
    nn.init.normal_(head.weight, std=0.01)
    nn.init.zeros_(head.bias)
    first = network.features[0][0]
    network.features[0][0] = nn.Conv2d(
        form.channels, first.out_channels, first.kernel_size, first.stride, first.padding, bias=False
    )
    nn.init.kaiming_normal_(network.features[0][0].weight, mode="fan_out")
    return network


def start_from_imagenet(network: EfficientNet, file: Path) -> None:
    """Take all but the last layer from a safetensors file of torchvision's EfficientNet-B0.

    Grey is the same in red, green and blue: their weights are added up, and shared among the channels.
    """
    given = imagenet_state(file)
    if _STEM in given:
        channels = network.state_dict()[_STEM].shape[1]
        given[_STEM] = given[_STEM].sum(dim=1, keepdim=True).expand(-1, channels, -1, -1) / channels
    take_weights(network, given, _HEAD, file, "save the state_dict of torchvision's EfficientNet-B0")


@dataclass(frozen=True)
class RadiographOpinion:
    """What a model says of a patient; probabilities follow CLASSES and sum to 1. ``views`` has the answers
    to one view alone, of those members that read one.
    """

    probabilities: Probabilities
    views: Mapping[View, Probabilities]

    @property
    def malignant(self) -> float:
        return self.probabilities[CLASSES.index(Diagnosis.MALIGNANT)]


class RadiographModel:
    """A trained model with its pictures and temperature. Safe to call from several threads."""

    def __init__(self, manifest: Manifest, config: RadiographConfig, network: RadiographNetwork) -> None:
        self.manifest = manifest
        self.config = config
        self._network = network.eval()

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a bundle, its sha256 checked; raises :class:`ModelFileError` when it does not fit."""
        return cls(*load_network(folder, NAME, CLASSES, RadiographConfig, RadiographNetwork))

    @property
    def version(self) -> str:
        return self.manifest.version

    def read(self, ap: Radiograph | None = None, lateral: Radiograph | None = None) -> RadiographOpinion:
        """One patient's answer from the views that are there.

        Members that need a view which is missing are left out; raises :class:`InputError` naming the views
        that are wanted when none is left.
        """
        given = [picture for picture in (ap, lateral) if picture is not None]
        for picture, view in ((ap, View.AP), (lateral, View.LATERAL)):
            if picture is not None and picture.view is not view:
                raise InputError(f"A {picture.view} radiograph was given as the {view} one: swap them.")
        pictures = {p.view: prepared(p, self.config.pictures)[None] for p in given}
        return self.read_prepared(pictures)[0]

    def read_prepared(self, pictures: Mapping[View, Picture]) -> tuple[RadiographOpinion, ...]:
        """One opinion a patient. ``pictures`` (patients, rows, columns) as :func:`prepared` makes them."""
        members: list[FloatArray] = []
        alone: dict[View, list[FloatArray]] = {view: [] for view in View}
        for form, network in zip(self.config.members, self._network.members, strict=True):
            answers = [
                (views, self._probabilities(form, network, [pictures[view] for view in views]))
                for views in form.readings
                if set(views) <= set(pictures)
            ]
            for views, answer in answers:
                if len(views) == 1:
                    alone[views[0]].append(answer)
            if answers:
                members.append(np.mean([answer for _, answer in answers], axis=0))
        if not members:
            raise InputError(f"{self.manifest.name} reads {self._wanted()}: give it that.")
        whole = self._calibrated(members)
        single = {view: self._calibrated(found) for view, found in alone.items() if found}
        return tuple(
            RadiographOpinion(_numbers(row), {view: _numbers(found[at]) for view, found in single.items()})
            for at, row in enumerate(whole)
        )

    def _probabilities(self, form: InputForm, network: nn.Module, views: Sequence[Picture]) -> FloatArray:
        stacked = np.stack(views, axis=1)
        found = []
        with torch.inference_mode():
            for at in range(0, len(stacked), _FORWARD_BATCH):
                grey = torch.from_numpy(stacked[at : at + _FORWARD_BATCH]).float() / 255
                found.append(network(joined(form, grey)).double().softmax(dim=1).numpy())
        return np.concatenate(found)

    def _calibrated(self, answers: Iterable[FloatArray]) -> FloatArray:
        mean = np.mean(list(answers), axis=0)
        return softmax(np.log(mean + 1e-9) / self.manifest.temperature)

    def _wanted(self) -> str:
        ways = {" and ".join(views) for form in self.config.members for views in form.readings}
        return " or ".join(f"the {way} radiograph{'s' if ' and ' in way else ''}" for way in sorted(ways))


def _numbers(row: FloatArray) -> Probabilities:
    return tuple(float(value) for value in row)
