"""In which order levels are worth reading: pure functions of a pool of levels.

Random order is a hash of seed and level, so it stays what it was when levels leave the pool.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal

from pydantic import Field

from spine_fracture.active_learning.uncertainty import UncertaintyWeights, combined
from spine_fracture.anatomy import Diagnosis, most_probable
from spine_fracture.configuration import CONFIGS, Config, load_config
from spine_fracture.errors import NotFoundError
from spine_fracture.levels import Uncertainty


class StrategyConfig(Config):
    """How a reader's queue is made.

    One in ``blinded_one_in`` levels comes from validation and test patients. One in
    ``blinded_training_one_in`` training levels is blinded too, so that a blinded level does not
    give itself away as a test level. So many levels of a patient as ``levels_per_patient`` come before
    the other patients had as many. How many readers see a level is the protocol's to say.
    """

    name: str
    ranking: Literal["uncertainty", "random_stratified"]
    weights: UncertaintyWeights = UncertaintyWeights()
    levels_per_patient: int = Field(2, ge=1)
    blinded_one_in: int = Field(5, ge=1)
    blinded_training_one_in: int = Field(4, ge=1)
    seed: int = 2026


@dataclass(frozen=True)
class PoolLevel:
    """A level of a training patient and what the models last said of it."""

    level_id: int
    patient: str
    centre: str
    probabilities: tuple[float, ...]
    uncertainty: Uncertainty
    reasons: tuple[str, ...]

    @property
    def predicted(self) -> Diagnosis:
        return most_probable(self.probabilities)


@dataclass(frozen=True)
class Ranked:
    """A level in its place, with the score it was ranked by (None where chance ranks) and why."""

    level: PoolLevel
    score: float | None
    reason: str


def strategy_names() -> tuple[str, ...]:
    """The strategies that exist, ours first: the YAML files of ``configs/strategies``."""
    found = sorted(path.stem for path in (CONFIGS / "strategies").glob("*.yaml"))
    return tuple(sorted(found, key=lambda name: name != "uncertainty"))


def load_strategy(name: str) -> StrategyConfig:
    """A strategy by its name; never by a path, since names come with requests."""
    if name not in strategy_names():
        raise NotFoundError(f"There is no strategy {name!r}: use {', '.join(strategy_names())}.")
    return load_config(f"strategies/{name}", StrategyConfig)


def rank(pool: Sequence[PoolLevel], config: StrategyConfig) -> tuple[Ranked, ...]:
    """The whole pool in the order of the strategy, patients spread out."""
    ordered = by_uncertainty(pool, config) if config.ranking == "uncertainty" else by_chance(pool, config)
    return spread_patients(ordered, config.levels_per_patient)


def by_uncertainty(pool: Sequence[PoolLevel], config: StrategyConfig) -> tuple[Ranked, ...]:
    """The most uncertain level first; ties in seeded random order."""
    ranked = [
        Ranked(
            level,
            combined(level.uncertainty, config.weights),
            "; ".join(level.reasons) or "the most uncertain of what is left",
        )
        for level in pool
    ]
    return tuple(sorted(ranked, key=lambda r: (-(r.score or 0.0), chance(config.seed, r.level.level_id))))


def by_chance(pool: Sequence[PoolLevel], config: StrategyConfig) -> tuple[Ranked, ...]:
    """Strata of centre and predicted class in turn, one random level each: the control of nnActive."""
    shuffled = sorted(pool, key=lambda level: chance(config.seed, level.level_id))
    strata: dict[tuple[str, Diagnosis], list[PoolLevel]] = {}
    for level in shuffled:
        strata.setdefault((level.centre, level.predicted), []).append(level)
    # Sorted by their own hash: the order of strata must not depend on which levels are left.
    columns = [strata[key] for key in sorted(strata, key=lambda key: chance(config.seed, *key))]
    return tuple(
        Ranked(level, None, f"drawn at random among {level.predicted.replace('_', ' ')} of {level.centre}")
        for turn in zip_longest(*columns)
        for level in turn
        if level is not None
    )


def spread_patients(ranked: Sequence[Ranked], limit: int) -> tuple[Ranked, ...]:
    """At most ``limit`` levels of a patient, then again as many, and so on, else in the given order."""
    seen: Counter[str] = Counter()
    rounds = []
    for item in ranked:
        rounds.append(seen[item.level.patient] // limit)
        seen[item.level.patient] += 1
    return tuple(item for _, item in sorted(zip(rounds, ranked, strict=True), key=lambda pair: pair[0]))


def chance(*parts: object) -> int:
    """A number that looks random and is the same every time for the same parts."""
    return int.from_bytes(hashlib.sha256(":".join(map(str, parts)).encode()).digest()[:8], "big")


def blinded_slots(config: StrategyConfig, reader: str, start: int) -> Iterator[bool]:
    """For each place of a reader's queue from ``start`` on: is it of the blinded stream?

    One place of each block of ``blinded_one_in``, not the same in every block.
    """
    place = start
    while True:
        block, within = divmod(place, config.blinded_one_in)
        yield within == chance(config.seed, reader, block) % config.blinded_one_in
        place += 1
