"""What a search for settings is given: the system, the settings to search, and how long."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, JsonValue, model_validator

from spine_fracture.configuration import Config, Count

if TYPE_CHECKING:
    from optuna.trial import Trial


class Range(Config):
    """Numbers from ``low`` to ``high``, both included; ``log`` draws their logarithm evenly, ``whole`` draws
    whole numbers.
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.low < self.high or (self.log and self.low <= 0):
            raise ValueError("a range needs low < high, and with log also low > 0")
        if self.log and self.whole and round(self.low) < 1:
            raise ValueError(
                f"low is {round(self.low)} as a whole number, which has no logarithm: set it to 1 or more"
            )
        return self

    def drawn(self, trial: Trial, key: str) -> JsonValue:
        if self.whole:
            return trial.suggest_int(key, round(self.low), round(self.high), log=self.log)
        return trial.suggest_float(key, self.low, self.high, log=self.log)

    @property
    def examples(self) -> tuple[JsonValue, ...]:
        """Both ends, and where any number may be drawn also one that is not whole."""
        if self.whole:
            return round(self.low), round(self.high)
        return self.low, self.high, self.low + (self.high - self.low) / math.pi


class Choice(Config):
    """One of these values."""

    choices: tuple[bool | int | float | str, ...] = Field(min_length=1)

    def drawn(self, trial: Trial, key: str) -> JsonValue:
        value: JsonValue = trial.suggest_categorical(key, self.choices)
        return value

    @property
    def examples(self) -> tuple[JsonValue, ...]:
        """All of them."""
        return self.choices


class SearchConfig(Config):
    """The whole of ``configs/searches/*.yaml``.

    ``space`` has the settings of ``system`` to search, keys dotted; ``settings`` others that hold in every
    trial, e.g. fewer epochs. The first ``random`` trials are drawn evenly, later ones by a tree-structured
    Parzen estimator; after them a trial ends when after ``unjudged`` epochs its best loss is above the
    median of the others at the same epoch. ``trials`` in all, over all machines.
    """

    name: str
    system: str
    space: dict[str, Range | Choice] = Field(min_length=1)
    settings: dict[str, JsonValue] = Field(default_factory=dict)
    trials: Count = 40
    random: Annotated[int, Field(ge=0)] = 10
    unjudged: Annotated[int, Field(ge=0)] = 5
    seed: Annotated[int, Field(ge=0)] = 2026
