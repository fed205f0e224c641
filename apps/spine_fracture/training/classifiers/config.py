"""How a six-channel classifier is trained: one YAML, checked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from spine_fracture.classification.sixchannel import SixChannelConfig
from spine_fracture.configuration import Amount, Config, Count, Share
from spine_fracture.training.learning.schedule import Schedule

#: A number of things, or what random numbers are drawn from.
_NoneOrMore = Annotated[int, Field(ge=0)]


class Augmentation(Config):
    """How far a crop may be changed, drawn anew each time it is seen.

    ``shift`` in shares of the box and ``scale`` in log units imitate a detector's errors; ``turn``
    in degrees; ``slip`` of T1 against T2 in shares of the box; ``gamma`` and ``gain`` in log
    units; ``offset`` and ``noise`` in spreads of the study's signal; ``bias`` relative change
    of the signal across the crop; ``sharpness`` from blurred (-) to sharpened (+); ``missing``
    the chance that T1, and that T2, is left out; ``lone_slice`` that neighbours are.
    """

    shift: Amount = 0.1
    scale: Amount = 0.15
    turn: Amount = 12.0
    slip: Amount = 0.03
    gamma: Amount = 0.35
    gain: Amount = 0.25
    offset: Amount = 0.25
    bias: Amount = 0.3
    noise: Amount = 0.15
    sharpness: Amount = 0.8
    missing: Share = 0.15
    lone_slice: Share = 0.5


class Samples(Config):
    """What is simulated. ``variants`` of each real training picture, ``judging_variants`` of each that
    validates or tests, ``harmless`` the share of their normal levels with a degenerative change;
    phantoms of ``recipe`` per split, and at most ``slices`` of each of their levels.
    """

    variants: Count = 16
    judging_variants: Count = 6
    harmless: Share = 0.2
    recipe: str = "phantoms/training"
    training_phantoms: _NoneOrMore = 80
    validation_phantoms: _NoneOrMore = 12
    test_phantoms: _NoneOrMore = 16
    slices: Count = 3


class Balance(Config):
    """What a batch is made of. ``prevalence`` of MODEL_CLASSES holds in every source; ``shares`` weigh
    the sources (simulated in real pictures, phantoms, reads), those that the cache lacks being left out; a
    cache of sources without a share teaches all the same.
    """

    prevalence: tuple[Amount, Amount, Amount, Amount] = (0.4, 0.2, 0.2, 0.2)
    shares: tuple[Amount, Amount, Amount] = (0.6, 0.4, 0.0)


class CropTraining(Config):
    """How a network learns from crops. ``imagenet`` is a local safetensors file for the trunk, or none."""

    name: str
    network: SixChannelConfig
    augmentation: Augmentation = Augmentation()
    balance: Balance = Balance()
    schedule: Schedule = Schedule()
    imagenet: Path | None = None


class ClassifierTraining(CropTraining):
    """A whole recipe, with what the crops are simulated from."""

    samples: Samples = Samples()
    seed: _NoneOrMore = 2026
