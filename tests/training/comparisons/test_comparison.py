"""A comparison: what is run in which order, what is not run again, and the page that comes of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from spine_fracture.anatomy import Diagnosis
from spine_fracture.configuration import load_config
from spine_fracture.errors import InputError
from spine_fracture.evaluation.statistics.intervals import Resampling
from spine_fracture.training.cohorts.folder import CohortFolder
from spine_fracture.training.cohorts.study_cache import StudyCache
from spine_fracture.training.comparisons.carrying_out import carry_out
from spine_fracture.training.comparisons.comparison import (
    Comparison,
    Entry,
    planned,
    read_result,
    read_results,
    require_known,
    system_of,
)
from spine_fracture.training.comparisons.comparison_table import comparison_page
from spine_fracture.training.detectors.config import DetectorConfig
from spine_fracture.training.systems.families import System
from spine_fracture.training.systems.family import Judged, SystemConfig, Tell, Trained

FRACTURES = (Diagnosis.BENIGN_FRACTURE, Diagnosis.MALIGNANT)
BASELINES = Comparison(
    name="baselines",
    cohort="small",
    seeds=(1, 2),
    entries=(Entry(system="majority"), Entry(system="intensity_regression", label="brightness")),
    note="Nothing is claimed.",
)


def run_all(comparison: Comparison, cohort: Path, folder: Path) -> Path:
    results = folder / "results"
    for run in planned(comparison, results, {"small": CohortFolder.open(cohort)}):
        if not run.done:
            carry_out(run, folder / "work", "a machine", lambda line: None)
    return results


def renamed(cohort: Path, folder: Path, name: str) -> Path:
    """The same cohort, as other code would have made and called it."""
    cache = StudyCache(cohort / "studies")
    cache.relabel(folder / "studies", name, cache.labels)
    return folder


def test_every_system_has_an_answer_after_the_first_round(tmp_path: Path) -> None:
    order = [(run.entry.name, run.seed) for run in planned(BASELINES, tmp_path)]
    assert order == [("majority", 1), ("brightness", 1), ("majority", 2), ("brightness", 2)]


def test_what_is_done_is_not_done_again(small_cohort: Path, tmp_path: Path) -> None:
    results = run_all(BASELINES, small_cohort, tmp_path)
    assert all(run.done for run in planned(BASELINES, results))
    result = read_result(results / "brightness" / "1")
    assert result.answers is not None and result.answers.cost is not None
    assert result.record.machine == "a machine" and result.record.parameters > 0
    labels = StudyCache(small_cohort / "studies").labels
    assert (result.record.cohort_name, result.record.teaching) == (
        "small",
        sum(la.part is None for la in labels),
    )
    asked = {case.truth for case in result.answers.cases}
    assert asked == {"malignant", "benign_fracture"}  # what the question is not about is not kept


def test_other_settings_are_another_run(small_cohort: Path, tmp_path: Path) -> None:
    results = run_all(BASELINES, small_cohort, tmp_path)
    other = BASELINES.model_copy(
        update={
            "entries": (
                BASELINES.entries[0],
                BASELINES.entries[1].model_copy(update={"settings": {"question": "altered_or_normal"}}),
            )
        }
    )
    assert [run.entry.name for run in planned(other, results) if not run.done] == ["brightness"] * 2
    assert {result.record.entry for result in read_results(other, results)} == {"majority"}


def test_what_a_training_does_not_read_makes_no_other_run(tmp_path: Path) -> None:
    (run,) = planned(
        Comparison(name="n", cohort="c", seeds=(1,), entries=(Entry(system="yolo11n"),)), tmp_path
    )
    config = run.system.config
    assert isinstance(config, DetectorConfig)

    def recipe(**changes: object) -> str:
        return replace(run, system=System(config.model_copy(update=changes), run.system.family)).recipe

    sources = config.sources
    assert recipe(notes="Others.", seed=7, sources=sources.model_copy(update={"phantoms": 9})) == run.recipe
    assert recipe(sources=sources.model_copy(update={"slices": 2})) != run.recipe


def test_a_result_on_another_cohort_is_none_of_this_one(small_cohort: Path, tmp_path: Path) -> None:
    results = run_all(BASELINES, small_cohort, tmp_path)
    other = renamed(small_cohort, tmp_path / "other", "small-2")
    here = {"small": CohortFolder.open(other)}
    assert not any(run.done for run in planned(BASELINES, results, here))
    assert read_results(BASELINES, results, here) == ()
    first, *_ = planned(BASELINES, results, here)
    assert carry_out(first, tmp_path / "work", "a machine", print).record.cohort_name == "small-2"
    with pytest.raises(InputError, match=r"cohort small are of different.*small-2: majority\).*remove"):
        read_results(BASELINES, results)
    assert len(read_results(BASELINES, results, here)) == 1


def test_a_model_that_is_whole_is_not_trained_again(small_cohort: Path, tmp_path: Path) -> None:
    """The power fails after the training: while it answers, or before the checkpoint is gone."""
    run, *_ = planned(BASELINES, tmp_path / "results", {"small": CohortFolder.open(small_cohort)})
    own, trained, failing = run.system.family, list[Path](), [True]

    def train(config: SystemConfig, cohort: Path, out: Path, seed: int, tell: Tell) -> Trained:
        trained.append(out)
        done = own.train(config, cohort, out, seed, tell)
        (out / "checkpoint.pt").write_bytes(b"")
        return done

    def answer(bundle: Path, cohort: Path) -> Judged:
        if failing.pop():
            raise KeyboardInterrupt
        return own.answer(bundle, cohort)

    family = replace(own, train=train, answer=answer)
    cut = replace(run, system=System(run.system.config, family))
    with pytest.raises(KeyboardInterrupt):
        carry_out(cut, tmp_path / "work", "here", print)
    assert (trained[0] / "checkpoint.pt").is_file() and not run.done
    failing.append(False)
    result = carry_out(cut, tmp_path / "work", "here", print)
    assert len(trained) == 1 and run.done and not (trained[0] / "checkpoint.pt").exists()
    assert result.answers is not None and result.answers.cost is not None and result.answers.cost.pictures
    other = replace(cut, data=CohortFolder.open(renamed(small_cohort, tmp_path / "other", "small-2")))
    failing.append(False)
    carry_out(other, tmp_path / "work", "here", print)
    assert len(trained) == 2


def test_what_is_kept_tells_sure_answers_apart(small_cohort: Path, tmp_path: Path) -> None:
    """Two that a model is sure of may differ behind the sixth decimal place only."""
    run, *_ = planned(BASELINES, tmp_path / "results", {"small": CohortFolder.open(small_cohort)})
    own = run.system.family
    sure = iter([1.23456789e-9, 2e-9])

    def answer(bundle: Path, cohort: Path) -> Judged:
        answers = own.answer(bundle, cohort).answers
        assert answers is not None
        given = [(1 - rest, rest) for rest in sure]
        asked = [case for case in answers.cases if case.truth in FRACTURES][: len(given)]
        cases = [c.model_copy(update={"probabilities": p}) for c, p in zip(asked, given, strict=True)]
        return Judged(answers.model_copy(update={"cases": tuple(cases), "classes": FRACTURES}))

    doubtless = replace(run, system=System(run.system.config, replace(own, answer=answer)))
    kept = carry_out(doubtless, tmp_path / "work", "here", print).answers
    assert kept is not None and kept == read_result(doubtless.folder).answers
    assert [case.probabilities[1] for case in kept.cases] == [1.23457e-9, 2e-9]
    first, second = kept.scores(kept.cases)
    assert first != second


def test_a_name_that_the_comparison_lacks_is_refused() -> None:
    require_known(BASELINES, ["majority", "brightness"], ["small"])
    with pytest.raises(InputError, match=r"no entry brightnes: did you mean brightness\?"):
        require_known(BASELINES, ["majority", "brightnes"], [])
    with pytest.raises(InputError, match=r"no cohort smal: did you mean small\?"):
        require_known(BASELINES, [], ["smal"])
    with pytest.raises(InputError, match=r"no cohort xyz: it has small\."):
        require_known(BASELINES, [], ["xyz"])


def test_names_and_seeds_stand_once() -> None:
    for change, remedy in (
        ({"entries": [{"system": "majority"}, {"system": "majority"}]}, "label of its own"),
        ({"seeds": [1, 2, 1]}, "once"),
        ({"seeds": [1, -2]}, "greater than or equal to 0"),
    ):
        with pytest.raises(ValueError, match=remedy):
            Comparison.model_validate(BASELINES.model_dump() | change)


def test_the_page_says_what_is_better_and_what_it_took(small_cohort: Path, tmp_path: Path) -> None:
    results = run_all(BASELINES, small_cohort, tmp_path)
    page = comparison_page(BASELINES, read_results(BASELINES, results), Resampling(draws=50))
    assert page.begin == "<!-- comparison baselines begins -->"
    assert "Nothing is claimed." in page.text and "a machine" in page.text
    rows = [line for line in page.text.splitlines() if line.startswith(("| majority |", "| brightness |"))]
    by_majority, by_brightness, *costs = rows
    assert "| 0.500 | 0.500 | 0.000 |" in by_majority
    assert "| 1.000 | 1.000 | 0.000 |" in by_brightness
    assert len(costs) == 2  # the same two in the table of what training took


def test_a_cohort_that_is_not_here_is_named(tmp_path: Path) -> None:
    run = next(planned(BASELINES, tmp_path))
    with pytest.raises(InputError, match="cohort small"):
        carry_out(run, tmp_path / "work", "a machine", lambda line: None)


def test_budget_and_own_settings_reach_the_system() -> None:
    comparison = load_config("comparisons/cpu", Comparison)
    systems = [system_of(comparison, entry) for entry in comparison.entries]  # every setting exists
    for entry, system in zip(comparison.entries, systems, strict=True):
        if "schedule.epochs" not in system.config.unread_on_cohorts:
            budget = comparison.budget[system.family.kind] | entry.settings
            assert system.config.schedule.epochs == budget["schedule.epochs"]
        wanted = entry.settings.get("schedule.batch", 8 if system.family.kind == "detector" else None)
        assert wanted in (None, system.config.schedule.batch)
    assert {system.config.paper for system in systems} >= {
        "joonghyun2026", "chou", "hemangioma", "yeh2022", "lumbar_pathology"
    }  # fmt: skip


def test_a_setting_that_does_not_exist_is_refused() -> None:
    entry = Entry(system="yeh2022", settings={"schedule.epoch": 3})
    with pytest.raises(InputError, match=r"schedule\.epochs"):
        system_of(BASELINES, entry)
