"""A search for the settings of any system, with Optuna (Akiba et al. 2019): the only module that knows it.

What is sought is the lowest validation loss. The study lies in a database, so a search that was cut short
goes on, and several machines that are given one PostgreSQL database search together.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import yaml
from optuna.distributions import BaseDistribution
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.pruners import MedianPruner
from optuna.samplers import BaseSampler, TPESampler
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.study import MaxTrialsCallback, Study
from optuna.trial import FrozenTrial, Trial, TrialState
from pydantic import JsonValue

from spine_fracture.errors import InputError, StorageError, TrainingError
from spine_fracture.files import write_atomically
from spine_fracture.training.cohorts.folder import CohortFolder
from spine_fracture.training.learning.loop import Epoch
from spine_fracture.training.searches.search_config import SearchConfig
from spine_fracture.training.systems.families import System, load_system
from spine_fracture.training.systems.family import EpochLine, SystemConfig, Tell, with_settings

BEST = "best.yaml"
_ENDED = (TrialState.COMPLETE, TrialState.PRUNED)
_HEARTBEAT, _GRACE = 30, 120  # seconds: a machine that was silent for so long has lost its trial
_RETRIES = 3
_RECIPE = "recipe"


@dataclass(frozen=True)
class Attempt:
    """A trial that is over; ``loss`` is the lowest validation loss it came to, ``pruned`` that it was ended
    early.
    """

    number: int
    settings: Mapping[str, JsonValue]
    loss: float
    pruned: bool


@dataclass(frozen=True)
class Found:
    """The best settings, and all attempts in their order."""

    best: Attempt
    attempts: tuple[Attempt, ...]


def search(config: SearchConfig, cohort: Path, out: Path, tell: Tell, storage: str | None = None) -> Found:
    """Search until all trials are done, and write the best configuration to ``out/best.yaml``.

    ``storage`` is a database's URL; without it the study lies in ``out/search.db``. Trials that an
    interruption ended are tried again, from their checkpoint where ``out`` has it.
    """
    system = load_system(config.system)
    base = with_settings(system.config, config.settings)
    _require_drawable(config, base)
    out.mkdir(parents=True, exist_ok=True)
    folder = CohortFolder.open(cohort)
    if not folder.validates:
        raise InputError(
            f"No patient of {cohort.name} is for validation: divide the cohort so that some are, since a "
            "search looks for the lowest loss on them."
        )
    recipe = json.dumps([config.model_dump_json(exclude={"trials"}), base.model_dump_json(), *folder.names])
    with _stored("cannot be opened: check its URL, its server and the folder's rights."):
        study = _study(
            config,
            hashlib.sha256(recipe.encode()).hexdigest(),
            storage or f"sqlite:///{(out / 'search.db').absolute()}",
        )
    with _stored("failed: see that its server runs and its disk has room. Then the same command goes on."):
        if len(study.get_trials(deepcopy=False, states=_ENDED)) < config.trials:
            study.optimize(
                lambda trial: _attempt(trial, config, System(base, system.family), cohort, out, tell),
                callbacks=[MaxTrialsCallback(config.trials, states=_ENDED)],
            )
        attempts = tuple(_attempt_of(trial) for trial in study.get_trials(deepcopy=False, states=_ENDED))
    finished = [attempt for attempt in attempts if not attempt.pruned]
    if not finished:
        raise TrainingError(
            f"None of the {len(attempts)} trials of {config.name} came to its end with a validation loss: "
            "narrow the ranges, those of the learning rate first, and see that the validation patients have "
            "all that is to be told apart."
        )
    best = min(finished, key=lambda attempt: attempt.loss)
    chosen = with_settings(base, best.settings).model_dump(mode="json")
    write_atomically(out / BEST, yaml.safe_dump(chosen, sort_keys=False).encode())
    return Found(best, attempts)


def _require_drawable(config: SearchConfig, base: SystemConfig) -> None:
    """Raises :class:`InputError` for a value that may be drawn and that the system does not take: hours of
    trials might be over before it is.
    """
    examples = {key: among.examples for key, among in config.space.items()}
    first = {key: values[0] for key, values in examples.items()}
    for key, values in examples.items():
        for value in values:
            with_settings(base, first | {key: value})


@contextmanager
def _stored(failed: str) -> Iterator[None]:
    """What the database raises becomes a :class:`StorageError`, which says how it ``failed``."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (SQLAlchemyError, StorageInternalError) as error:
        raise StorageError(f"The database of the search {failed}") from error


def _attempt(
    trial: Trial, config: SearchConfig, system: System, cohort: Path, out: Path, tell: Tell
) -> float:
    """Train once; the lowest validation loss. Its folder is named for its settings, so that another try
    finds the checkpoint.
    """
    settings = {key: among.drawn(trial, key) for key, among in config.space.items()}
    chosen = with_settings(system.config, settings)
    folder = out / "trials" / hashlib.sha256(chosen.model_dump_json().encode()).hexdigest()[:16]
    tell(f"trial {trial.number}: " + ", ".join(f"{key} {_short(value)}" for key, value in settings.items()))
    listener = _Listener(trial, tell)
    try:
        system.family.train(chosen, cohort, folder, config.seed, listener)
    except TrainingError as error:
        tell(f"trial {trial.number} ended: {error}")
        shutil.rmtree(folder, ignore_errors=True)
        raise optuna.TrialPruned from error
    except optuna.TrialPruned:
        tell(f"trial {trial.number} ended early: others had come further")
        shutil.rmtree(folder, ignore_errors=True)
        raise
    except KeyboardInterrupt:
        trial.study.enqueue_trial(trial.params)
        raise
    shutil.rmtree(folder, ignore_errors=True)
    if not listener.best:  # e.g. a detector that never found anything
        tell(f"trial {trial.number} ended without a validation loss")
        raise optuna.TrialPruned
    tell(f"trial {trial.number}: validation {listener.loss:.4f}")
    return listener.loss


class _Listener:
    """Hands on what is told, and reports each epoch to the trial. Of a family with several fits each counts
    alike: epochs are numbered on, and the loss is the mean of the fits' lowest.
    """

    def __init__(self, trial: Trial, tell: Tell) -> None:
        self._trial, self._tell = trial, tell
        self._epochs = 0
        self.best: list[float] = []

    @property
    def loss(self) -> float:
        return math.fsum(self.best) / len(self.best)

    def __call__(self, told: str | EpochLine) -> None:
        self._tell(told)
        if isinstance(told, EpochLine):
            self._report(told.epoch)

    def _report(self, epoch: Epoch) -> None:
        self._epochs += 1
        if epoch.validation_loss is None:
            return
        if epoch.number == 1 or not self.best:
            self.best.append(epoch.validation_loss)
        self.best[-1] = min(self.best[-1], epoch.validation_loss)
        self._trial.report(self.loss, self._epochs)
        if self._trial.should_prune():
            raise optuna.TrialPruned


class _SeededByTrial(BaseSampler):
    """Draws each trial from the seed and the trial's number: a search that goes on draws what it would have
    drawn, and machines that search together draw different settings.
    """

    def __init__(self, seed: int, random: int) -> None:
        self._seed, self._random = seed, random
        self._sampler = TPESampler(n_startup_trials=random)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        seed = int(np.random.SeedSequence((self._seed, trial.number)).generate_state(1)[0])
        self._sampler = TPESampler(n_startup_trials=self._random, seed=seed)
        self._sampler.before_trial(study, trial)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self._sampler.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self._sampler.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self._sampler.sample_independent(study, trial, param_name, param_distribution)


def _study(config: SearchConfig, recipe: str, url: str) -> Study:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            storage = RDBStorage(
                url,
                heartbeat_interval=_HEARTBEAT,
                grace_period=_GRACE,
                heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(max_retry=_RETRIES),
            )
        study = optuna.create_study(
            storage=storage,
            study_name=config.name,
            sampler=_SeededByTrial(config.seed, config.random),
            pruner=MedianPruner(n_startup_trials=config.random, n_warmup_steps=config.unjudged),
            direction="minimize",
            load_if_exists=True,
        )
        if study.user_attrs.get(_RECIPE, recipe) != recipe:
            raise InputError(
                f"There is another search called {config.name}, on another cohort or with other ranges or "
                "settings: give this one another name, or search in another folder."
            )
        study.set_user_attr(_RECIPE, recipe)
        return study
    except ImportError as error:
        raise InputError(
            "The driver of this database is not installed: install spine-fracture[postgres] and give a URL "
            "like postgresql+psycopg://user@host/database."
        ) from error


def _attempt_of(trial: FrozenTrial) -> Attempt:
    """A pruned trial's loss is the lowest that it reported, infinite where its training failed at once."""
    reported = (v for v in trial.intermediate_values.values() if not math.isnan(v))
    loss = trial.value if trial.state is TrialState.COMPLETE else min(reported, default=math.inf)
    assert loss is not None
    return Attempt(trial.number, dict(trial.params), loss, trial.state is TrialState.PRUNED)


def _short(value: JsonValue) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
