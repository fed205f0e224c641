"""Any system by its name: trained, judged, compared and cross-validated at the command line."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from spine_fracture.anatomy import Diagnosis
from spine_fracture.bundle import read_manifest
from spine_fracture.cli import cli
from spine_fracture.cohort.splits import Split
from spine_fracture.commands.train_system import require_cohort
from spine_fracture.errors import InputError, InsufficientEvidenceError, NotFoundError
from spine_fracture.evaluation.answers import read_answers, write_answers
from spine_fracture.evaluation.cases.judging import judge
from spine_fracture.training.cohorts.folder import CohortFolder
from spine_fracture.training.cohorts.radiograph_cache import RadiographCacheWriter, RadiographLabel
from spine_fracture.training.cohorts.study_cache import StudyCache
from spine_fracture.training.comparisons.carrying_out import carry_out
from spine_fracture.training.comparisons.comparison import Entry, Run
from spine_fracture.training.comparisons.judged_models import judged_model
from spine_fracture.training.comparisons.paper_results import results_in
from spine_fracture.training.learning import loop
from spine_fracture.training.systems.families import load_system
from spine_fracture.training.systems.family import EpochLine

RUN = CliRunner()


class Page(HTMLParser):
    """What a page refers to and says; raises where a tag is closed that is not open."""

    VOID = ("meta", "img", "br", "link", "input", "hr")

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.references: list[str] = []
        self.said = ""
        self.open: list[str] = []
        self.feed(path.read_text())
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.references += [value or "" for key, value in attrs if key in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.said += data


@pytest.fixture(scope="module")
def models(small_cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The two baselines, trained by their names."""
    out = tmp_path_factory.mktemp("models")
    for name in ("intensity_regression", "majority"):
        words = ["train", "system", name, "--cohort", str(small_cohort), "--out", str(out / name)]
        done = RUN.invoke(cli, [*words, "--seed", "3", "--set", "question=malignant_or_benign"])
        assert done.exit_code == 0, done.output
        manifest = read_manifest(out / name)
        assert manifest.version in done.output and "Not for clinical use" in done.output
        assert (manifest.seed, manifest.config["question"]) == (3, "malignant_or_benign")
    return out


@pytest.fixture(scope="module")
def report(models: Path, small_cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report")
    named = [str(models / name) for name in ("intensity_regression", "majority")]
    done = RUN.invoke(cli, ["evaluate", *named, "--cohort", str(small_cohort), "--out", str(out)])
    assert done.exit_code == 0, done.output
    return out


def test_a_training_that_is_stopped_says_what_is_kept(
    small_cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl+C before the first epoch, after the checkpoint of the first, and not at all."""
    words = ["train", "system", "six_channel", "--cohort", str(small_cohort), "--out", str(tmp_path)]
    for key, value in {"epochs": 2, "steps": 1, "batch": 2, "checkpoint_minutes": 0.0001}.items():
        words += ["--set", f"schedule.{key}={value}"]
    advance, stop_at = loop._Run.advance, iter([1, 2])

    def stopped(run: loop._Run[object], feed: object) -> object:
        if next(stop_at, None) == 1 or run._course.step == 1:
            raise KeyboardInterrupt
        return advance(run, feed)

    monkeypatch.setattr(loop._Run, "advance", stopped)
    done = RUN.invoke(cli, words)
    assert done.exit_code == 130 and "no checkpoint yet. The same command goes on" in done.output
    done = RUN.invoke(cli, words)
    assert done.exit_code == 130 and "up to its last checkpoint is kept" in done.output, done.output
    monkeypatch.setattr(loop._Run, "advance", advance)
    done = RUN.invoke(cli, words)
    assert done.exit_code == 0 and done.output.count("(from the checkpoint)") == 1, done.output


def test_the_report_is_one_page_that_shows_what_judging_gives(
    report: Path, models: Path, small_cohort: Path
) -> None:
    page = Page(report / "evaluation.html")
    assert all(reference.startswith(("data:image/", "#")) for reference in page.references)
    assert "Not for clinical use" in page.said
    family = load_system("intensity_regression").family
    answers = family.answer(models / "intensity_regression", small_cohort).answers
    assert answers is not None
    results = judge(answers)
    told = json.loads((report / "evaluation.json").read_text())["models"][0]
    assert len(results) == 4
    for result, said in zip(results, told["results"], strict=True):
        assert result.auc is not None and result.sensitivity is not None
        assert f"{result.auc.value:.3f}" in page.said and f"{result.sensitivity.value:.3f}" in page.said
        assert said["auc"]["value"] == pytest.approx(result.auc.value)
        assert (said["part"], said["unit"], said["cases"]) == (result.part, result.unit, result.cases)
    assert read_manifest(models / "intensity_regression").version in page.said
    for curve in ("ROC", "Reliability", "Decision curve"):
        assert curve in page.said
    against = [row for row in told["above"] if (row["part"], row["unit"]) == ("test", "level")]
    assert [row["baseline"] for row in against] == ["majority class", "intensity regression"]
    assert against[1]["difference"]["difference"]["value"] == pytest.approx(0)  # it is its own baseline


def test_mistakes_are_shown_with_pictures_that_stay_out_of_the_figures(report: Path) -> None:
    """The majority class is always wrong about the others."""
    told = json.loads((report / "evaluation.json").read_text())["models"][1]
    mistakes = [shown for gallery in told["galleries"] for shown in gallery["false_positives"]]
    mistakes += [shown for gallery in told["galleries"] for shown in gallery["false_negatives"]]
    assert mistakes and "picture" not in mistakes[0]
    pictures = [r for r in Page(report / "evaluation.html").references if r.startswith("data:image/png")]
    assert len(pictures) >= len(mistakes)


def test_models_are_compared_by_folder_and_by_answers(
    models: Path, small_cohort: Path, tmp_path: Path
) -> None:
    answers = load_system("majority").family.answer(models / "majority", small_cohort).answers
    assert answers is not None
    write_answers(answers, tmp_path / "majority.json")
    words = ["compare", str(tmp_path / "majority.json"), str(models / "intensity_regression")]
    more = ["--cohort", str(small_cohort), "--out", str(tmp_path / "page.html"), "--margin", "0.1"]
    done = RUN.invoke(cli, [*words, *more], env={"COLUMNS": "160"})
    assert done.exit_code == 0, done.output
    assert "not worse" in done.output and "by 0.1" in done.output and "yes" in done.output
    told = json.loads((tmp_path / "page.json").read_text())
    assert told["margin"] == 0.1 and len(told["tables"]) == 4
    (pair,) = told["tables"][0]["pairs"]
    assert (pair["first"], pair["second"]) == ("majority", "intensity_regression")
    assert pair["differences"][0]["first"] == 0.5 and pair["differences"][0]["difference"]["low"] > 0
    page = Page(tmp_path / "page.html")
    assert not page.references and "intensity_regression" in page.said


def test_a_system_is_cross_validated(small_cohort: Path, tmp_path: Path) -> None:
    words = ["cross-validate", "intensity_regression", "--cohort", str(small_cohort), "--out", str(tmp_path)]
    done = RUN.invoke(cli, [*words, "--by-centre"])
    assert done.exit_code == 0, done.output
    assert "3 folds" in done.output
    cases = read_answers(tmp_path / "answers.json").cases
    assert {case.patient for case in cases} == {
        la.patient for la in StudyCache(small_cohort / "studies").labels
    }
    assert "Not for clinical use" in Page(tmp_path / "evaluation.html").said
    both = RUN.invoke(cli, [*words, "--by-centre", "--folds", "5"])
    assert isinstance(both.exception, InputError) and "leave one out" in str(both.exception)


def test_what_cannot_be_judged_says_what_to_do(models: Path, small_cohort: Path, tmp_path: Path) -> None:
    bundle, out = str(models / "majority"), ["--out", str(tmp_path / "out")]
    answers = load_system("majority").family.answer(models / "majority", small_cohort).answers
    assert answers is not None
    other = answers.model_copy(update={"cohort": "elsewhere"})
    write_answers(other, tmp_path / "other.json")
    unlike = answers.model_copy(update={"cohort": "small", "question": "altered_or_normal"})
    write_answers(unlike, tmp_path / "unlike.json")
    cohort = ["--cohort", str(small_cohort)]
    (tmp_path / "empty").mkdir()
    system = ["train", "system", "majority", *out]
    wrong = (
        (["evaluate", str(tmp_path / "empty"), *cohort, *out], "train system"),
        (["evaluate", bundle, "--cohort", str(tmp_path / "empty"), *out], "cohort simulate"),
        (["evaluate", str(tmp_path / "other.json"), *cohort, *out], "give that cohort"),
        (["compare", bundle, bundle], "--cohort"),
        (["compare", bundle], "another"),
        (["compare", bundle, str(tmp_path / "other.json"), *cohort], "elsewhere, not on small"),
        (["compare", bundle, str(tmp_path / "unlike.json"), *cohort], "--question"),
        ([*system, *cohort, "--set", "schedule.epochs=1"], "no setting schedule.epochs"),
        ([*system, *cohort, "--set", "questions=x"], "Did you mean question?"),
        ([*system, *cohort, "--set", "seed"], "KEY=VALUE"),
        ([*system, *cohort, "--set", "family=yolo"], "no setting family"),
        (["train", "system", "majority", *cohort, "--out", bundle], "give another --out"),
        ([*system, "--cohort", str(tmp_path / "empty")], "cohort simulate"),
        (["papers", "--results", str(tmp_path / "none"), *out], "benchmarks/comparison.py"),
    )
    for words, remedy in wrong:
        done = RUN.invoke(cli, words)
        assert isinstance(done.exception, InputError), (words, done.output, done.exception)
        assert remedy in str(done.exception), done.exception


def test_of_a_cohort_that_is_checked_which_the_system_reads(small_cohort: Path, tmp_path: Path) -> None:
    """Studies without a malignant level teach a model of radiographs no less."""
    cohort, console = tmp_path / "cohort", Console()
    chou, yeh, majority = (load_system(name) for name in ("chou_ap", "yeh2022", "majority"))
    with RadiographCacheWriter(cohort / "radiographs", "films") as writer:
        label = RadiographLabel(
            patient="p", centre="A", split=Split.TRAIN, diagnosis=Diagnosis.MALIGNANT, levels=((), ())
        )
        writer.add(label, np.zeros((2, 4, 4), np.uint8))
    with pytest.raises(InputError, match=r"has no studies, which yeh2022 reads: make .*cohort simulate`"):
        require_cohort(yeh, cohort, console)
    require_cohort(majority, cohort, console)
    cache = StudyCache(small_cohort / "studies")
    cache.relabel(cohort / "studies", "bare", [la.model_copy(update={"levels": ()}) for la in cache.labels])
    require_cohort(chou, cohort, console)
    for system in (yeh, majority):
        with pytest.raises(InsufficientEvidenceError, match="The cohort bare cannot teach"):
            require_cohort(system, cohort, console)
    with pytest.raises(InputError, match=r"no radiographs, which chou reads: make .*simulate-radiographs`"):
        require_cohort(chou, small_cohort, console)


def test_a_registered_model_goes_by_its_name(models: Path, small_cohort: Path) -> None:
    def registered(name: str) -> Path:
        if name == "mine-1":
            return models / "majority"
        raise NotFoundError(name)

    told: list[str | EpochLine] = []
    model = judged_model("mine-1", small_cohort, registered, told.append)
    assert (model.name, model.family, model.seeds, model.cohort) == ("majority", "majority", (3,), "small")
    assert len(told) == 1 and model.version in str(told[0])
    with pytest.raises(InputError, match="models list"):
        judged_model("no-such-model", small_cohort, registered, print)


def test_runs_of_one_entry_are_joined_over_seeds(small_cohort: Path, tmp_path: Path) -> None:
    system = load_system("intensity_regression")
    for seed in (2, 1):
        entry, folder = Entry(system=system.name, label="ours"), tmp_path / "ours" / str(seed)
        run = Run(entry, system, seed, "small", folder, CohortFolder.open(small_cohort))
        carry_out(run, tmp_path / "work", "here", print)
    model = judged_model(str(tmp_path / "ours"), small_cohort, lambda name: Path(name), print)
    assert (model.name, model.seeds) == ("ours", (1, 2))
    assert model.answers is not None and model.answers.system == "ours" and model.answers.cases
    filled = results_in(tmp_path)
    assert list(filled) == ["ours"] and filled["ours"].seeds == 2
    record = tmp_path / "ours" / "1" / "run.json"
    record.write_text(record.read_text().replace('"cohort_name": "small"', '"cohort_name": "small-2"'))
    with pytest.raises(InputError, match=r"runs of ours are of different cohorts.*small-2"):
        judged_model(str(tmp_path / "ours"), small_cohort, lambda name: Path(name), print)
    with pytest.raises(InputError, match="different cohorts"):
        results_in(tmp_path)


def test_a_model_is_not_judged_on_patients_who_taught_it(
    models: Path, small_cohort: Path, tmp_path: Path
) -> None:
    cache = StudyCache(small_cohort / "studies")
    turned = {Split.TRAIN: Split.TEST, Split.TEST: Split.TRAIN}
    labels = [
        label.model_copy(update={"split": turned.get(label.split, label.split), "external": False})
        for label in cache.labels
    ]
    cache.relabel(tmp_path / "studies", "turned", labels)
    with pytest.raises(InputError, match=r"learnt from 11 of the 16 test and external patients.*cohort"):
        judged_model(str(models / "majority"), tmp_path, lambda name: Path(name), print)
