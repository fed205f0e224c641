"""The search for settings: it goes on where it stopped, ends hopeless trials, and knows its limits."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from optuna.storages import RDBStorage
from optuna.study import Study
from sqlalchemy.exc import OperationalError
from torch import nn
from typer.testing import CliRunner

from spine_fracture.cli import cli
from spine_fracture.cohort.splits import Split
from spine_fracture.configuration import checked
from spine_fracture.errors import InputError, StorageError, TrainingError
from spine_fracture.imaging import Sequence
from spine_fracture.training.cohorts.study_cache import CachedStudy, StudyCacheWriter, StudyLabel
from spine_fracture.training.learning.loop import fit
from spine_fracture.training.learning.schedule import Schedule
from spine_fracture.training.searches import search as searching
from spine_fracture.training.searches.search import BEST, search
from spine_fracture.training.searches.search_config import Choice, Range, SearchConfig
from spine_fracture.training.systems.families import System, load_system
from spine_fracture.training.systems.family import (
    EpochLine,
    Family,
    Judged,
    SystemConfig,
    Tell,
    Trained,
    telling,
)

SEARCH = SearchConfig(
    name="made-up",
    system="made-up",
    space={
        "schedule.learning_rate": Range(low=1e-4, high=1e-1, log=True),
        "schedule.batch": Range(low=4, high=64, whole=True),
        "schedule.optimiser": Choice(choices=("adam", "adamw")),
    },
    trials=4,
    random=2,
    unjudged=1,
)
Told = list[str | EpochLine]


class Nothing:
    """A task that learns nothing and is judged by what it is told."""

    def __init__(self, judged: Callable[[], float | None]) -> None:
        self.network: nn.Module = nn.Linear(1, 1)
        self._judged = judged

    def batch(self, rng: np.random.Generator, size: int) -> int:
        return size

    def loss(self, network: nn.Module, batch: int, device: torch.device) -> torch.Tensor:
        answer: torch.Tensor = network(torch.zeros(batch, 1, device=device)).square().mean()
        return answer

    def validation_loss(self, network: nn.Module, device: torch.device) -> float | None:
        return self._judged()


class MadeUp:
    """A family whose loss falls to the learning rate, an epoch at a time; what it was asked is kept."""

    def __init__(self) -> None:
        self.asked: list[SystemConfig] = []
        self.epochs: list[int] = []
        self.raising: BaseException | None = None
        self.unjudged: set[int] = set()

    def train(self, config: SystemConfig, cohort: Path, out: Path, seed: int, tell: Tell) -> Trained:
        self.asked.append(config)
        self.epochs.append(0)
        out.mkdir(parents=True)
        if self.raising is not None:
            raise self.raising

        def judged() -> float | None:
            self.epochs[-1] += 1
            if len(self.asked) - 1 in self.unjudged:
                return None
            return config.schedule.learning_rate + 1 / self.epochs[-1]

        schedule = Schedule(epochs=4, steps=1, batch=1)
        fitted = fit(Nothing(judged), schedule, seed, tell=telling(config.name, tell))
        return Trained(None, fitted.cost)  # type: ignore[arg-type]

    def answer(self, bundle: Path, cohort: Path) -> Judged:
        raise NotImplementedError


@pytest.fixture(autouse=True)
def _cohort(tmp_path: Path) -> None:
    name_cohort(tmp_path, "small")


def name_cohort(folder: Path, name: str, split: Split = Split.VALIDATION) -> None:
    """A cohort of one patient, without levels, in place of any that was there."""
    shutil.rmtree(folder / "studies", ignore_errors=True)
    label = StudyLabel(
        patient="p", centre="A", split=split, source="phantom", sequences=(Sequence.T1,), levels=()
    )
    with StudyCacheWriter(folder / "studies", name) as writer:
        writer.add(CachedStudy(label, np.zeros((1, 4, 1, 1), np.uint8)))


@pytest.fixture
def family(monkeypatch: pytest.MonkeyPatch) -> MadeUp:
    made = MadeUp()
    config = SystemConfig(name="made-up", family="made-up", question="sick_or_healthy", schedule=Schedule())
    system = System(config, Family("made-up", "classifier", SystemConfig, made.train, made.answer))
    monkeypatch.setattr(searching, "load_system", lambda name: system)
    return made


def test_a_search_goes_on_and_draws_what_it_would_have_drawn(family: MadeUp, tmp_path: Path) -> None:
    told: Told = []
    first = search(SEARCH.model_copy(update={"trials": 2}), tmp_path, tmp_path / "cut", told.append)
    assert len(first.attempts) == 2 and len(family.asked) == 2
    epochs = [line.epoch.number for line in told if isinstance(line, EpochLine)]
    assert epochs == [1, 2, 3, 4] * 2 and "made-up: epoch 4 of 4, loss" in str(told[-2])
    found = search(SEARCH, tmp_path, tmp_path / "cut", told.append)
    assert len(family.asked) == 4 and found.attempts[:2] == first.attempts
    whole = search(SEARCH, tmp_path, tmp_path / "whole", told.append)
    assert [a.settings for a in whole.attempts] == [a.settings for a in found.attempts]
    assert len({a.settings["schedule.learning_rate"] for a in whole.attempts}) == 4
    assert search(SEARCH, tmp_path, tmp_path / "cut", told.append) == found and len(family.asked) == 8
    best = yaml.safe_load((tmp_path / "cut" / BEST).read_text())
    assert SystemConfig.model_validate(best).schedule.learning_rate == pytest.approx(
        min(config.schedule.learning_rate for config in family.asked[:4])
    )
    assert not any((tmp_path / "cut" / "trials").iterdir())
    with pytest.raises(InputError, match="another search called made-up"):
        search(SEARCH.model_copy(update={"seed": 1}), tmp_path, tmp_path / "cut", told.append)
    name_cohort(tmp_path, "small-2")
    with pytest.raises(InputError, match="another search called made-up, on another cohort"):
        search(SEARCH, tmp_path, tmp_path / "cut", told.append)


def test_hopeless_trials_end_early(family: MadeUp, tmp_path: Path) -> None:
    found = search(SEARCH.model_copy(update={"trials": 12}), tmp_path, tmp_path / "out", Told().append)
    pruned = [attempt.number for attempt in found.attempts if attempt.pruned]
    assert pruned and not found.best.pruned
    assert all((epochs < 4) == (number in pruned) for number, epochs in enumerate(family.epochs))


def test_a_failing_training_counts_as_a_trial_and_an_interrupted_one_is_tried_again(
    family: MadeUp, tmp_path: Path
) -> None:
    family.raising = TrainingError("loss became nan")
    with pytest.raises(TrainingError, match="narrow the ranges"):
        search(SEARCH, tmp_path, tmp_path / "nan", Told().append)
    assert len(family.asked) == 4
    family.raising = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        search(SEARCH, tmp_path, tmp_path / "cut", Told().append)
    interrupted = family.asked[-1]
    (left,) = (tmp_path / "cut" / "trials").iterdir()
    left.rmdir()
    family.raising = None
    search(SEARCH.model_copy(update={"trials": 1}), tmp_path, tmp_path / "cut", Told().append)
    assert family.asked[-1] == interrupted


def test_what_cannot_be_searched_is_refused_before_any_training(family: MadeUp, tmp_path: Path) -> None:
    wrong = SEARCH.model_copy(update={"space": {"schedule.rate": Range(low=0, high=1)}})
    with pytest.raises(InputError, match=r"no setting schedule\.rate"):
        search(wrong, tmp_path, tmp_path, Told().append)
    near = SEARCH.model_copy(update={"space": {"schedule.leaning_rate": Range(low=0, high=1)}})
    with pytest.raises(InputError, match=r"Did you mean schedule\.learning_rate\?$"):
        search(near, tmp_path, tmp_path, Told().append)
    with pytest.raises(ValueError, match="low < high"):
        Range(low=0, high=1, log=True)
    with pytest.raises(StorageError, match="cannot be opened"):
        search(SEARCH, tmp_path, tmp_path, Told().append, f"sqlite:///{tmp_path}/no/folder/search.db")
    name_cohort(tmp_path, "small", Split.TEST)
    with pytest.raises(InputError, match="is for validation: divide the cohort"):
        search(SEARCH, tmp_path, tmp_path / "none", Told().append)
    assert not family.asked


@pytest.mark.parametrize(
    ("key", "among", "said"),
    [
        ("schedule.final", Range(low=0.5, high=2), r"at most 1\.0, not 2\.0"),
        ("schedule.optimiser", Choice(choices=("adam", "adamw", "sgd")), "not 'sgd'"),
        ("schedule.epochs", Range(low=20, high=60), "a whole number"),
    ],
)
def test_any_value_that_no_training_takes_is_refused_before_the_first(
    family: MadeUp, tmp_path: Path, key: str, among: Range | Choice, said: str
) -> None:
    wrong = SEARCH.model_copy(update={"space": {**SEARCH.space, key: among}})
    with pytest.raises(InputError, match=f"{key} must be .*{said}"):
        search(wrong, tmp_path, tmp_path / "out", Told().append)
    assert not family.asked and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"trials": 0}, "trials must be at least 1"),
        ({"random": -1}, "random must be at least 0"),
        ({"unjudged": -1}, "unjudged must be at least 0"),
        ({"seed": -1}, "seed must be at least 0"),
        (
            {"space": {"schedule.batch": {"low": 0.4, "high": 64, "log": True, "whole": True}}},
            "low is 0 as a whole number",
        ),
    ],
)
def test_numbers_that_no_search_can_go_by_are_refused(settings: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        checked(SEARCH.model_dump(mode="json") | settings, SearchConfig, "search.yaml")


@pytest.mark.parametrize("when", ["while it searches", "when the trials are counted"])
def test_a_database_that_fails_later_is_said_so_and_the_search_goes_on(
    family: MadeUp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    def lost(*_: object, **__: object) -> None:
        raise OperationalError("SELECT", {}, Exception("the server closed the connection"))

    with monkeypatch.context() as patch:
        if when == "while it searches":
            patch.setattr(RDBStorage, "set_trial_intermediate_value", lost)
        else:
            patch.setattr(Study, "get_trials", lost)
        with pytest.raises(StorageError, match=r"database of the search failed.*same command goes on"):
            search(SEARCH, tmp_path, tmp_path / "out", Told().append)
    for left in (tmp_path / "out").glob("trials/*"):
        left.rmdir()
    assert len(search(SEARCH, tmp_path, tmp_path / "out", Told().append).attempts) == SEARCH.trials


def test_a_trial_without_a_validation_loss_ends_alone(family: MadeUp, tmp_path: Path) -> None:
    family.unjudged = {0, 2}
    told: Told = []
    found = search(SEARCH, tmp_path, tmp_path / "out", told.append)
    assert [attempt.number for attempt in found.attempts if np.isinf(attempt.loss)] == [0, 2]
    assert found.best.number in (1, 3) and len(found.attempts) == SEARCH.trials
    assert told.count("trial 2 ended without a validation loss") == 1
    assert not any((tmp_path / "out" / "trials").iterdir())
    family.unjudged = set(range(8))
    with pytest.raises(TrainingError, match="the validation patients have"):
        search(SEARCH, tmp_path, tmp_path / "all", Told().append)


def test_a_missing_driver_is_named(family: MadeUp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(InputError, match=r"spine-fracture\[postgres\]"):
        search(SEARCH, tmp_path, tmp_path, Told().append, "postgresql+psycopg://u@h/d")


def test_the_command_shows_the_trials(family: MadeUp, tmp_path: Path) -> None:
    config = tmp_path / "search.yaml"
    config.write_text(yaml.safe_dump(SEARCH.model_dump(mode="json")))
    done = CliRunner().invoke(
        cli,
        [
            *("train", "search", "--config", str(config), "--cohort", str(tmp_path)),
            *("--out", str(tmp_path / "o"), "--trials", "2"),
        ],
    )
    assert done.exit_code == 0, done.output
    assert "best.yaml" in done.output.replace("\n", "") and (tmp_path / "o" / BEST).is_file()


@pytest.mark.parametrize("name", ["lumbar_pathology", "hemangioma"])
def test_the_searches_that_come_with_the_package_fit_their_systems(name: str) -> None:
    from spine_fracture.configuration import load_config

    config = load_config(f"searches/{name}", SearchConfig)
    searching._require_drawable(config, load_system(config.system).config)
