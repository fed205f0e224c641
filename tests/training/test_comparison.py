"""A comparison: what is run in which order, what is not run again, and the page that comes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from spine_fracture.configuration import load_config
from spine_fracture.errors import InputError
from spine_fracture.evaluation.statistics import Resampling
from spine_fracture.training.comparison import (
    Comparison,
    Entry,
    carry_out,
    planned,
    read_result,
    read_results,
    system_of,
)
from spine_fracture.training.comparison_table import comparison_page

BASELINES = Comparison(
    name="baselines",
    cohort="small",
    seeds=(1, 2),
    entries=(Entry(system="majority"), Entry(system="intensity_regression", label="brightness")),
    note="Nothing is claimed.",
)


def run_all(comparison: Comparison, cohort: Path, folder: Path) -> Path:
    results = folder / "results"
    for run in planned(comparison, results):
        if not run.done:
            carry_out(run, {"small": cohort}, folder / "work", "a machine", lambda line: None)
    return results


def test_every_system_has_an_answer_after_the_first_round(tmp_path: Path) -> None:
    order = [(run.entry.name, run.seed) for run in planned(BASELINES, tmp_path)]
    assert order == [("majority", 1), ("brightness", 1), ("majority", 2), ("brightness", 2)]


def test_what_is_done_is_not_done_again(small_cohort: Path, tmp_path: Path) -> None:
    results = run_all(BASELINES, small_cohort, tmp_path)
    assert all(run.done for run in planned(BASELINES, results))
    result = read_result(results / "brightness" / "1")
    assert result.answers is not None and result.answers.cost is not None
    assert result.record.machine == "a machine" and result.record.parameters > 0
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


def test_the_page_says_what_is_better_and_what_it_took(small_cohort: Path, tmp_path: Path) -> None:
    results = run_all(BASELINES, small_cohort, tmp_path)
    page = comparison_page(BASELINES, read_results(BASELINES, results), Resampling(draws=50))
    assert page.begin == "<!-- comparison baselines begins -->"
    assert "Nothing is claimed." in page.text and "a machine" in page.text
    rows = [line for line in page.text.splitlines() if line.startswith(("| majority |", "| brightness |"))]
    by_majority, by_brightness, *costs = rows
    assert "| 0.500 (0.500 to 0.500) |" in by_majority
    assert "| 1.000 (1.000 to 1.000) |" in by_brightness
    assert len(costs) == 2  # the same two in the table of what training took


def test_a_cohort_that_is_not_here_is_named(tmp_path: Path) -> None:
    run = next(planned(BASELINES, tmp_path))
    with pytest.raises(InputError, match="cohort small"):
        carry_out(run, {}, tmp_path / "work", "a machine", lambda line: None)


def test_budget_and_own_settings_reach_the_system() -> None:
    comparison = load_config("comparisons/cpu", Comparison)
    systems = [system_of(comparison, entry) for entry in comparison.entries]  # every setting exists
    for entry, system in zip(comparison.entries, systems, strict=True):
        assert system.config.schedule.epochs == 10
        wanted = entry.settings.get("schedule.batch", 8 if system.family.kind == "detector" else None)
        assert wanted in (None, system.config.schedule.batch)
    assert {system.config.paper for system in systems} >= {
        "joonghyun2026", "chou", "hemangioma", "yeh2022", "lumbar_pathology"
    }  # fmt: skip


def test_a_setting_that_does_not_exist_is_refused() -> None:
    entry = Entry(system="majority", settings={"schedule.epoch": 3})
    with pytest.raises(InputError, match=r"schedule\.epochs"):
        system_of(BASELINES, entry)
