"""The templates of the five studies, with and without runs of ours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from spine_fracture.cli import cli
from spine_fracture.errors import InputError
from spine_fracture.evaluation.answers import Answers, Part
from spine_fracture.evaluation.boxes import BoxAnswer, BoxAnswers, PictureAnswer
from spine_fracture.evaluation.cases.judging import judge
from spine_fracture.evaluation.cases.scores import Unit
from spine_fracture.evaluation.cases.thresholds import Threshold
from spine_fracture.evaluation.detection.overlap import mean_overlap
from spine_fracture.evaluation.papers.page import filled_papers, render_papers
from spine_fracture.evaluation.papers.printed import PAPERS, load_paper
from spine_fracture.evaluation.papers.tables import EntryRuns, Figure, PaperTable, TableRow, fill
from spine_fracture.evaluation.statistics.intervals import Resampling

HOW = Resampling(draws=50)


def test_every_study_has_its_printed_figures() -> None:
    printed = {
        (name, row.label, figure): text
        for name in PAPERS
        for table in load_paper(name).tables
        for row in table.rows
        for figure, text in row.theirs.items()
    }
    assert printed["joonghyun2026", "YOLO11 on ResNet-101", Figure.MAP50_95] == "80.2"
    assert printed["joonghyun2026", "YOLOv8", Figure.RECALL] == "93.3"
    assert printed["chou", "Ensemble, AP", Figure.AUC] == "0.8559"
    assert printed["chou", "No visible sign", Figure.SENSITIVITY] == "0.8037"
    assert printed["hemangioma", "T1, myeloma", Figure.AUC] == "0.93"
    assert printed["yeh2022", "ResNet50", Figure.ACCURACY] == "92"
    assert printed["lumbar_pathology", "ConvNeXt with LightGBM", Figure.F1] == "89.66"
    assert printed["lumbar_pathology", "RetinaNet on ResNet18", Figure.OVERLAP] == "0.67"


def test_entries_are_systems_or_their_variants() -> None:
    from spine_fracture.training.systems.families import system_names

    names = system_names()
    for name in PAPERS:
        for table in load_paper(name).tables:
            for row in table.rows:
                assert row.entry == "" or any(row.entry.startswith(system) for system in names), row.entry


def test_a_row_shows_what_judging_gives(model: Callable[..., Answers]) -> None:
    runs = tuple(model(1.0, seed=seed) for seed in (1, 2))
    told = runs[0].model_copy(update={"figures": {"with a sign": 0.25}})
    table = PaperTable(
        title="", columns=(Figure.AUC, Figure.RECALL, Figure.SENSITIVITY),
        rows=(
            TableRow(label="run", entry="a", part=Part.EXTERNAL, unit=Unit.LEVEL),
            TableRow(label="told", entry="b", kept={Figure.SENSITIVITY: "with a sign"}),
            TableRow(label="absent", entry="c"),
        ),
    )  # fmt: skip
    results = {"a": EntryRuns("made-up", runs[:1], ()), "b": EntryRuns("made-up", (told, runs[1]), ())}
    run, kept, absent = fill(table, results, HOW).rows
    judged = next(
        r for r in judge(runs[0], resampling=HOW) if (r.part, r.unit) == (Part.EXTERNAL, Unit.LEVEL)
    )
    assert run.ours[Figure.AUC] == judged.auc and run.ours[Figure.RECALL] == judged.sensitivity
    assert kept.ours[Figure.SENSITIVITY].value == 0.25 and kept.runs is not None and kept.runs.seeds == 2
    assert (run.taken, kept.taken, kept.judged) == (
        "1 seed",
        "mean of 2 seeds",
        "as each model told of itself",
    )
    assert not kept.ours[Figure.SENSITIVITY].has_interval and set(kept.ours) == {Figure.SENSITIVITY}
    assert absent.runs is None and not absent.ours


def test_the_page_says_what_was_not_run(model: Callable[..., Answers]) -> None:
    empty = render_papers(filled_papers({}, HOW))
    assert all(name in empty for name in PAPERS)
    assert empty.count("not run") == 63 and empty.count("a reader of theirs") == 3
    assert "theirs, on their data" in empty
    assert "http" not in empty and "Not for clinical use" in empty
    run = {"yeh2022": EntryRuns("made-up", (model(1.0),), ())}
    filled = render_papers(filled_papers(run, HOW))
    assert filled.count("not run") == 62 and "1 seed, 40 patients, test of made-up" in filled


def test_the_command_needs_a_folder_of_results(tmp_path: Path) -> None:
    run = CliRunner()
    out = tmp_path / "papers.html"
    wrong = run.invoke(cli, ["papers", "--results", str(tmp_path / "none"), "--out", str(out)])
    assert isinstance(wrong.exception, InputError) and "benchmarks/comparison.py" in str(wrong.exception)
    done = run.invoke(cli, ["papers", "--results", str(tmp_path), "--out", str(out)])
    assert done.exit_code == 0 and "0 of 48 rows are filled" in done.output, done.output
    assert "not run" in out.read_text()


def _picture(patient: str, found: float) -> PictureAnswer:
    """L1 of which a share is covered, and L2 that nothing covers."""
    return PictureAnswer(
        picture=f"{patient}/0", part=Part.TEST, patient=patient,
        predicted=(BoxAnswer(label="L3", box=(0, 0, 10 * found, 10), score=0.9),
                   BoxAnswer(label="L1", box=(0, 0, 10, 10), score=0.1)),
        reference=(BoxAnswer(label="L1", box=(0, 0, 10, 10)), BoxAnswer(label="L2", box=(0, 20, 10, 30))),
    )  # fmt: skip


def test_overlap_is_of_the_wanted_whatever_they_are_called() -> None:
    pictures = [_picture("p", 0.5), _picture("q", 0.7)]
    cut = Threshold(0.5, "")
    found = mean_overlap(pictures, {("p", "L1"), ("q", "L1")}, cut, HOW)
    assert found is not None and found.value == pytest.approx(0.6)
    with_missed = mean_overlap(pictures, {("p", "L1"), ("q", "L2")}, cut, HOW)
    assert with_missed is not None and with_missed.value == pytest.approx(0.25)
    assert mean_overlap(pictures, {("p", "L1")}, cut, HOW) is None


def test_overlap_fills_a_row_from_another_entrys_truths(model: Callable[..., Answers]) -> None:
    answers = model(1.0)
    positives = [c for c in answers.asked(Part.TEST) if c.truth in ("malignant",) and c.level]
    pictures = [
        PictureAnswer(
            picture=f"{case.patient}/0", part=part, patient=case.patient,
            predicted=(BoxAnswer(label=str(case.level), box=(0, 0, 8, 10), score=0.9),),
            reference=(BoxAnswer(label=str(case.level), box=(0, 0, 10, 10)),),
        )
        for case in positives[:4]
        for part in (Part.VALIDATION, Part.TEST)
    ]  # fmt: skip
    boxes = BoxAnswers(
        system="d",
        version="d-1",
        seed=1,
        cohort="made-up",
        task="levels",
        labels=("L1",),
        pictures=tuple(pictures),
    )
    row = TableRow(label="d", entry="d", diseased_by="c")
    table = PaperTable(title="", boxes=True, columns=(Figure.OVERLAP, Figure.RECALL), rows=(row,))
    results = {"d": EntryRuns("made-up", (), (boxes,)), "c": EntryRuns("made-up", (answers,), ())}
    (filled,) = fill(table, results, HOW).rows
    assert filled.ours[Figure.OVERLAP].value == pytest.approx(0.8)
    assert filled.ours[Figure.RECALL].value == 1


def test_of_an_even_number_of_seeds_the_worse_of_the_middle_fills_a_row() -> None:
    def boxes(seed: int, width: float) -> BoxAnswers:
        pictures = tuple(
            PictureAnswer(
                picture=f"{part}-{n}", part=part, patient=f"{part}-{n}",
                predicted=(BoxAnswer(label="a", box=(0, 0, width, 10)),),
                reference=(BoxAnswer(label="a", box=(0, 0, 10, 10)),),
            )
            for part in (Part.VALIDATION, Part.TEST) for n in range(2)
        )  # fmt: skip
        return BoxAnswers(
            system="d",
            version=f"d-{seed}",
            seed=seed,
            cohort="c",
            task="lesions",
            labels=("a",),
            pictures=pictures,
        )

    runs = EntryRuns("c", (), (boxes(1, 10), boxes(2, 7.2), boxes(3, 9.2), boxes(4, 6.2)))
    table = PaperTable(
        title="", boxes=True, columns=(Figure.MAP50_95,), rows=(TableRow(label="d", entry="d"),)
    )
    (filled,) = fill(table, {"d": runs}, HOW).rows
    assert filled.ours[Figure.MAP50_95].value == pytest.approx(0.5)  # 0.3, 0.5, 0.9 and 1
    assert filled.taken == "median of 4 seeds"
