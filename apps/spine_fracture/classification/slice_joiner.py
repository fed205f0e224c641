"""From what a network says of each slice of a vertebra to one decision: gradient-boosted trees.

The trees (LightGBM, Ke et al. 2017) see the probabilities along the slices and where, how large and how
surely found the vertebra is. This is the only module that knows LightGBM; a model is kept as its text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from typing import TYPE_CHECKING, Annotated, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field

from spine_fracture.configuration import Config, Count, Positive
from spine_fracture.errors import ModelFileError
from spine_fracture.geometry import PixelBox

if TYPE_CHECKING:
    from lightgbm import Booster

_FloatArray = npt.NDArray[np.float64]
_SICK = 0.5  # from here on a slice counts as diseased in the three-dimensional features


@dataclass(frozen=True)
class SliceEvidence:
    """One slice of a vertebra: its box, the network's ``probability`` of disease there, and the detector's
    ``confidence`` that a body is where the box is, whoever drew it.
    """

    index: int
    box: PixelBox
    probability: float
    confidence: float


@dataclass(frozen=True)
class LevelFeatures:
    """What the trees see of one vertebra. Sizes are relative to the study's median vertebra, since the size
    of a pixel is not always known; places are shares of the picture, from the head and from the front.

    Probabilities over its slices: ``highest``, ``mean``, ``deviation``, ``median``, ``lowest``, ``middle``
    (of the slice in the middle), ``top_three`` (mean of the three highest).
    In three dimensions: ``slices`` it is seen on; the share of them that is ``sick`` (at least one half),
    and the longest unbroken ``run`` of those, in slices; ``peak``, where between its first slice (0) and its
    last (1) the highest lies; ``centroid`` and ``spread`` of the probabilities along the same line;
    ``edge``, the higher one of the first and last slice; ``volume`` of its boxes.
    Box: ``width``, ``height``, ``flatness`` (height over width), ``shrinkage`` (height of its lowest over
    that of its highest slice), ``above`` and ``below`` (its height over that of its neighbour; 1 at an end).
    Place: ``rank`` from the head (0) to the foot (1) among the study's levels, ``levels`` their number,
    ``down`` and ``back`` the middle of its boxes.
    ``confidence`` and ``least_confidence``: mean and lowest of the detector's; a body that a tumour has
    changed is found less surely.
    """

    highest: float
    mean: float
    deviation: float
    median: float
    lowest: float
    middle: float
    top_three: float
    slices: float
    sick: float
    run: float
    peak: float
    centroid: float
    spread: float
    edge: float
    volume: float
    width: float
    height: float
    flatness: float
    shrinkage: float
    above: float
    below: float
    rank: float
    levels: float
    down: float
    back: float
    confidence: float
    least_confidence: float


FEATURES: tuple[str, ...] = tuple(field.name for field in fields(LevelFeatures))


def level_features(
    levels: Sequence[Sequence[SliceEvidence]], rows: int, columns: int
) -> tuple[LevelFeatures, ...]:
    """The features of all levels of a study with pictures of ``rows`` x ``columns``; each has a slice."""
    ordered = [sorted(level, key=lambda one: one.index) for level in levels]
    widths = np.array([np.mean([one.box.width for one in level]) for level in ordered])
    heights = np.array([np.mean([one.box.height for one in level]) for level in ordered])
    volumes = np.array([sum(one.box.area for one in level) for level in ordered])
    middles = np.array([np.mean([one.box.centre for one in level], axis=0) for level in ordered])
    from_head = np.argsort(middles[:, 1], kind="stable") if ordered else np.zeros(0, np.intp)
    rank = {int(level): place for place, level in enumerate(from_head)}

    def against(level: int, step: int) -> float:
        place = rank[level] + step
        return float(heights[level] / heights[from_head[place]]) if 0 <= place < len(rank) else 1.0

    return tuple(
        LevelFeatures(
            **_profile([one.probability for one in level]),
            volume=float(volumes[at] / np.median(volumes)),
            width=float(widths[at] / np.median(widths)),
            height=float(heights[at] / np.median(heights)),
            flatness=float(heights[at] / widths[at]),
            shrinkage=min(one.box.height for one in level) / max(one.box.height for one in level),
            above=against(at, -1),
            below=against(at, 1),
            rank=rank[at] / max(1, len(rank) - 1),
            levels=float(len(rank)),
            down=float(middles[at, 1] / rows),
            back=float(middles[at, 0] / columns),
            confidence=float(np.mean([one.confidence for one in level])),
            least_confidence=min(one.confidence for one in level),
        )
        for at, level in enumerate(ordered)
    )


def _profile(probabilities: Sequence[float]) -> dict[str, float]:
    """What is known of the probabilities along the slices."""
    given = np.asarray(probabilities, dtype=np.float64)
    place = np.linspace(0, 1, len(given)) if len(given) > 1 else np.array([0.5])
    weight = given / given.sum() if given.sum() > 0 else np.full_like(given, 1 / len(given))
    centroid = float(weight @ place)
    return {
        "highest": float(given.max()),
        "mean": float(given.mean()),
        "deviation": float(given.std()),
        "median": float(np.median(given)),
        "lowest": float(given.min()),
        "middle": float(given[(len(given) - 1) // 2]),
        "top_three": float(np.sort(given)[-3:].mean()),
        "slices": float(len(given)),
        "sick": float((given >= _SICK).mean()),
        "run": float(_longest_run(given >= _SICK)),
        "peak": float(place[given.argmax()]),
        "centroid": centroid,
        "spread": float(np.sqrt(weight @ (place - centroid) ** 2)),
        "edge": float(max(given[0], given[-1])),
    }


def _longest_run(sick: npt.NDArray[np.bool_]) -> int:
    longest = current = 0
    for one in sick:
        current = current + 1 if one else 0
        longest = max(longest, current)
    return longest


class JoinerConfig(Config):
    """How the trees are grown. ``share`` of the training patients is kept from the network, and the trees
    learn from its answers to these: its answers to pictures that it learnt from are surer than those that
    it will give. Small and slow, since levels are few: ``trees`` of ``leaves`` leaves, each of at least
    ``levels_a_leaf``, weighed by ``learning_rate``; each sees ``features`` of the features and ``levels``
    of the levels.
    """

    share: Annotated[float, Field(gt=0, lt=1)] = 0.25
    trees: Count = 150
    leaves: Annotated[int, Field(ge=2)] = 6
    levels_a_leaf: Count = 10
    learning_rate: Positive = 0.05
    features: Annotated[float, Field(gt=0, le=1)] = 0.7
    levels: Annotated[float, Field(gt=0, le=1)] = 0.8


class SliceJoiner:
    """Trees that join the slices of a vertebra. Safe to use from several threads."""

    def __init__(self, booster: Booster) -> None:
        self._booster = booster

    @classmethod
    def fit(
        cls,
        features: Sequence[LevelFeatures],
        diseased: npt.NDArray[np.bool_],
        config: JoinerConfig,
        seed: int,
    ) -> Self:
        """Grow trees on levels and whether each is ``diseased``, both sides weighing the same."""
        import lightgbm

        options = {
            "objective": "binary",
            "num_leaves": config.leaves,
            "min_data_in_leaf": config.levels_a_leaf,
            "learning_rate": config.learning_rate,
            "feature_fraction": config.features,
            "bagging_fraction": config.levels,
            "bagging_freq": 1,
            "seed": seed,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": 1,
            "verbosity": -1,
        }
        weight = np.where(diseased, 0.5 / max(1, diseased.sum()), 0.5 / max(1, (~diseased).sum()))
        data = lightgbm.Dataset(
            _rows(features),
            diseased.astype(np.float64),
            weight=weight * len(diseased),
            feature_name=list(FEATURES),
            params=options,
        )
        return cls(lightgbm.train(options, data, num_boost_round=config.trees))

    @classmethod
    def from_text(cls, text: str) -> Self:
        """What :meth:`to_text` gave; raises :class:`ModelFileError` for anything else."""
        import lightgbm

        try:
            booster = lightgbm.Booster(model_str=text)
        except lightgbm.basic.LightGBMError as error:
            raise ModelFileError("The trees of this model cannot be read: retrain it.") from error
        if tuple(booster.feature_name()) != FEATURES:
            raise ModelFileError("The trees of this model know other features: retrain it.")
        return cls(booster)

    def to_text(self) -> str:
        return str(self._booster.model_to_string())

    def logits(self, features: Sequence[LevelFeatures]) -> _FloatArray:
        """The log odds of disease of each level, (levels,)."""
        if not features:
            return np.zeros(0)
        answer = self._booster.predict(_rows(features), raw_score=True, num_threads=1)
        return np.asarray(answer, dtype=np.float64)


def _rows(features: Sequence[LevelFeatures]) -> _FloatArray:
    return np.array([astuple(level) for level in features], dtype=np.float64)
