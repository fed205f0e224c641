"""Orders of reading: uncertainty first, the stratified control, patients spread out, slots of the streams."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import pytest

from spine_fracture.active_learning.strategies import (
    PoolLevel,
    StrategyConfig,
    blinded_slots,
    load_strategy,
    rank,
    strategy_names,
)
from spine_fracture.errors import NotFoundError
from spine_fracture.levels import Uncertainty

NORMAL, MALIGNANT = (0.9, 0.05, 0.03, 0.02), (0.1, 0.1, 0.7, 0.1)
UNCERTAINTY = load_strategy("uncertainty")
CONTROL = load_strategy("random_stratified")


def level(
    number: int, patient: str, entropy: float = 0.5, centre: str = "north", answer: tuple[float, ...] = NORMAL
) -> PoolLevel:
    return PoolLevel(number, patient, centre, answer, Uncertainty(entropy, 0, 0, 0, 0, 0), ())


def order(pool: list[PoolLevel], config: StrategyConfig) -> list[int]:
    return [ranked.level.level_id for ranked in rank(pool, config)]


def test_the_most_uncertain_level_comes_first() -> None:
    pool = [level(n, f"p{n}", entropy) for n, entropy in enumerate((0.2, 0.9, 0.1, 0.6))]
    assert order(pool, UNCERTAINTY) == [1, 3, 0, 2]
    assert order(pool[::-1], UNCERTAINTY) == [1, 3, 0, 2]


def test_other_weights_give_another_order() -> None:
    pool = [
        level(0, "a", 0.9),
        PoolLevel(1, "b", "north", NORMAL, Uncertainty(0.1, 0, 0, 0, 1.0, 0), ("numbering is unsure",)),
    ]
    numbering = UNCERTAINTY.model_copy(
        update={"weights": UNCERTAINTY.weights.model_copy(update={"numbering": 5.0})}
    )
    assert order(pool, UNCERTAINTY) == [0, 1]
    assert order(pool, numbering) == [1, 0]
    assert rank(pool, numbering)[0].reason == "numbering is unsure"


def test_one_patient_does_not_fill_the_queue() -> None:
    pool = [level(n, "a", 0.9 - n / 100) for n in range(5)] + [level(9, "b", 0.1)]
    assert order(pool, UNCERTAINTY) == [0, 1, 9, 2, 3, 4]


def test_the_control_takes_every_centre_and_class_in_turn() -> None:
    pool = [level(n, f"n{n}") for n in range(40)]
    pool += [level(100 + n, f"m{n}", answer=MALIGNANT) for n in range(4)]
    pool += [level(200 + n, f"s{n}", centre="south") for n in range(4)]
    first = [ranked.level for ranked in rank(pool, CONTROL)][:12]
    assert set(Counter((item.centre, item.predicted) for item in first).values()) == {4}
    assert all(ranked.score is None for ranked in rank(pool, CONTROL))


def test_the_control_is_seeded_and_blind_to_uncertainty() -> None:
    pool = [level(n, f"p{n}", n / 50) for n in range(50)]
    calm = [level(n, f"p{n}", 0.5) for n in range(50)]
    assert order(pool, CONTROL) == order(calm, CONTROL) == order(pool[::-1], CONTROL)
    assert order(pool, CONTROL) != order(pool, CONTROL.model_copy(update={"seed": 7}))


def test_a_level_that_leaves_does_not_shuffle_the_rest() -> None:
    pool = [level(n, f"p{n}") for n in range(30)]
    before = order(pool, CONTROL)
    assert order([item for item in pool if item.level_id != before[0]], CONTROL) == before[1:]


def test_one_place_in_five_is_of_the_blinded_stream_at_no_fixed_place() -> None:
    slots = list(islice(blinded_slots(UNCERTAINTY, "reader-1", 0), 500))
    blocks = [slots[i : i + 5] for i in range(0, 500, 5)]
    assert all(sum(block) == 1 for block in blocks)
    assert min(Counter(block.index(True) for block in blocks).values()) > 5
    assert slots != list(islice(blinded_slots(UNCERTAINTY, "reader-2", 0), 500))
    assert slots[13:] == list(islice(blinded_slots(UNCERTAINTY, "reader-1", 13), 487))


def test_strategies_are_known_by_name_and_never_by_path() -> None:
    assert strategy_names() == ("uncertainty", "random_stratified")
    for name in ("absent", "../strategies/uncertainty", "/etc/hosts"):
        with pytest.raises(NotFoundError, match="uncertainty, random_stratified"):
            load_strategy(name)
