"""The page of a comparison, from made-up runs: who is counted, what is shown, what skip lesions are worth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from spine_fracture.anatomy import MODEL_CLASSES, Diagnosis, Level
from spine_fracture.evaluation.answers import Answers, Case, Cost, Part
from spine_fracture.evaluation.boxes import BoxAnswer, BoxAnswers, PictureAnswer
from spine_fracture.evaluation.cases.scores import Unit
from spine_fracture.evaluation.cases.seeds import over_seeds
from spine_fracture.evaluation.statistics.intervals import Resampling
from spine_fracture.training.comparisons.comparison import Comparison, Entry, RunRecord, RunResult
from spine_fracture.training.comparisons.comparison_table import comparison_page

BENIGN, MALIGNANT = Diagnosis.BENIGN_FRACTURE, Diagnosis.MALIGNANT
SICK = (Diagnosis.NORMAL, MALIGNANT)
FRACTURES = (BENIGN, MALIGNANT)
#: One level of each patient has what is asked for; the other one is normal.
_SPINE = (Level.L1, Level.L2)


def answers(
    system: str,
    skill: float,
    *,
    classes: tuple[Diagnosis, ...] = MODEL_CLASSES,
    question: str = "malignant_or_benign",
    cohort: str = "main",
    alone: float | None = None,
    patients: int = 120,
    seed: int = 1,
) -> Answers:
    """About patients of whom every second has a metastasis, the others a fracture, in L1; L2 is normal.
    Logits of the truth are ``skill`` above the others, with noise; ``alone`` where the level is alone.
    """
    noise = np.random.default_rng([seed, *f"{system} {cohort}".encode()])

    def probabilities(truth: Diagnosis, above: float) -> tuple[float, ...]:
        logits = above * np.array([kind is truth for kind in classes]) + noise.normal(0, 1, len(classes))
        return tuple((np.exp(logits) / np.exp(logits).sum()).tolist())

    cases = []
    for number in range(patients):
        for level in _SPINE:
            truth = Diagnosis.NORMAL if level is Level.L2 else FRACTURES[number % 2]
            if truth in classes:
                given, apart = probabilities(truth, skill), probabilities(truth, alone or 0.0)
                cases.append(
                    Case(
                        part=list(Part)[number // 2 % 3], patient=f"patient-{number}", level=level,
                        truth=truth, probabilities=given, alone=() if alone is None else apart,
                    )
                )  # fmt: skip
    cost = Cost(seconds=60, pictures=600, waited=6, device="CPU", epochs=3, best_epoch=2, stopped="done")
    return Answers(
        system=system, version=f"{system}-{seed}", seed=seed, cohort=cohort, question=question,
        classes=classes, cases=tuple(cases), cost=cost,
    )  # fmt: skip


def run(
    entry: str, family: str, given: Answers | None, boxes: BoxAnswers | None = None, teaching: int = 300
) -> RunResult:
    one = given or boxes
    assert one is not None
    record = RunRecord(
        entry=entry, system=one.system, family=family, kind="classifier", paper="", seed=one.seed,
        cohort=one.cohort, cohort_name=f"{one.cohort}-1", teaching=teaching, recipe="", version=one.version,
        parameters=2_000_000, machine="a machine",
    )  # fmt: skip
    return RunResult(record, given, boxes)


def page(results: Sequence[RunResult], draws: int = 300, planned: Sequence[str] = ()) -> str:
    names = dict.fromkeys((result.record.entry, result.record.system) for result in results)
    comparison = Comparison(
        name="made-up",
        cohort="main",
        seeds=(1, 2),
        entries=(
            *(Entry(system=system, label=entry) for entry, system in names),
            *(Entry(system=name) for name in planned),
        ),
    )
    return comparison_page(comparison, results, Resampling(draws=draws)).text


def rows(text: str, heading: str) -> list[dict[str, str]]:
    """The first table below ``heading``, a line each; of columns of one name the second is ``external``."""
    after = text[text.index(heading) :].splitlines()
    start = next(at for at, line in enumerate(after) if line.startswith("|"))
    table = []
    for line in after[start:]:
        if not line.startswith("|"):
            break
        table.append([cell.strip() for cell in line.strip("|").split("|")])
    names: list[str] = []
    for name in table[0]:
        names.append(f"external {name}" if name in names else name)
    return [dict(zip(names, cells, strict=True)) for cells in table[2:]]


@pytest.fixture(scope="module")
def text() -> str:
    intensity = answers("intensity_regression", 0.5, classes=FRACTURES)
    results = [
        run("intensity", "intensity_regression", intensity),
        run("yeh", "yeh2022", answers("yeh2022", 0.6, classes=FRACTURES), teaching=200),
        run("few", "yeh2022", answers("yeh2022_few", 1.5, classes=FRACTURES, patients=60), teaching=200),
        *(
            run(
                "whole", "whole_study", answers("whole_study", 4.0, alone=0.6, seed=seed), teaching=280 + seed
            )
            for seed in (1, 2)
        ),
        run("sick", "lumbar_pathology", answers("lp", 1.0, classes=SICK, question="sick_or_healthy")),
        run("yeh_equal", "yeh2022", answers("yeh2022", 1.6, classes=FRACTURES, cohort="equal")),
        run("whole_equal", "whole_study", answers("whole_study", 1.6, alone=1.6, cohort="equal")),
    ]
    return page(results)


def test_every_row_counts_its_own_cases_and_who_taught(text: str) -> None:
    _, yeh, few, whole = rows(text, "malignant, or benign? Cohort `main`")
    assert [row["model"] for row in (yeh, few, whole)] == ["yeh", "few", "whole"]
    for row, count in ((yeh, 40), (few, 20)):
        assert (row["cases"], row["positive"], row["patients"]) == (
            f"{count} levels",
            f"{count // 2}",
            f"{count}",
        )
        assert row["external cases"] == f"{count} levels" and row["external positive"] == f"{count // 2}"
    assert (yeh["taught"], whole["taught"], whole["seeds"]) == ("200", "281, 282", "2")
    assert whole["above intensity"].endswith(": better")


def test_a_model_of_all_classes_is_judged_under_the_questions_of_others(text: str) -> None:
    sick, whole = rows(text, "or healthy? Cohort `main`")
    assert (sick["model"], whole["model"]) == ("sick", "whole (trained for malignant_or_benign)")
    assert sick["cases"] == whole["cases"] == "60 levels"  # 20 metastases and 40 normal levels
    below = text[text.index("or healthy? Cohort `main`") :]
    other, alone = rows(below, "whole (trained for malignant_or_benign) less each other model")
    assert (other["other"], other["cases of both"], other[""]) == ("sick", "60", "better")
    assert alone["other"] == "whole, each level alone"


def test_ours_is_held_against_itself_without_the_other_levels(text: str) -> None:
    found = {row["other"]: row for row in rows(text, "whole less each other model")}
    assert set(found) == {"yeh", "few", "whole, each level alone"}  # no baseline, and none that cannot answer
    alone = found["whole, each level alone"]
    assert float(alone["AUC, ours"]) > float(alone["AUC, other"]) + 0.05 and alone[""] == "better"


def test_a_verdict_is_what_holm_leaves() -> None:
    """A model that is a little better alone is not shown to be so among many that are not."""
    intensity = run(
        "intensity", "intensity_regression", answers("intensity_regression", 0.8, classes=FRACTURES)
    )
    better = run("yeh", "yeh2022", answers("yeh2022", 1.55, classes=FRACTURES))
    same = [
        run(f"rival{n}", "yeh2022", answers(f"rival{n}", 0.8, classes=FRACTURES, seed=n)) for n in range(8)
    ]

    def verdict(results: Sequence[RunResult]) -> dict[str, str]:
        found = page(results, draws=1200)
        assert f"over the {2 * (len(results) - 1)} verdicts of this table" in found
        return next(row for row in rows(found, "Cohort `main`") if row["model"] == "yeh")

    few, many = verdict([intensity, better]), verdict([intensity, better, *same])
    (interval, told), (again, left) = (row["above intensity"].split(": ") for row in (few, many))
    assert (told, left) == ("better", "not shown") and interval == again


def test_the_gain_must_shrink_where_skip_lesions_tell_nothing(text: str) -> None:
    usual, equal = rows(text, "What skip lesions are worth")
    assert [row["cohort"] for row in (usual, equal)] == ["`main`", "`equal`"]
    assert {row["rival"] for row in (usual, equal)} == {"yeh2022"}  # the other one is on one cohort alone
    assert (usual["shrinks"], equal["shrinks"]) == ("", "yes")
    assert usual["not worse by 0.05"] == "yes"
    assert (usual["patients of both"], equal["patients of both"]) == ("", equal["patients"])
    gains = [float(row["gain (95 %)"].split()[0]) for row in (usual, equal)]
    assert float(equal["change of the gain (95 %)"].split()[0]) == pytest.approx(
        gains[1] - gains[0], abs=0.002
    )
    apart = [float(row["gain over each level alone (95 %)"].split()[0]) for row in (usual, equal)]
    assert apart[0] > 0.05 > abs(apart[1])


def test_detectors_of_levels_and_of_lesions_have_tables_of_their_own() -> None:
    def boxes(system: str, task: str, patients: int) -> BoxAnswers:
        there = BoxAnswer(label="a", box=(0, 0, 10, 10))
        pictures = tuple(
            PictureAnswer(
                picture=f"{part}-{n}",
                part=part,
                patient=f"{part}-{n}",
                predicted=(there,),
                reference=(there,),
            )
            for part in Part
            for n in range(patients)
        )
        return BoxAnswers(
            system=system, version="v", seed=1, cohort="main", task=task, labels=("a",), pictures=pictures
        )

    found = page(
        [
            run("finder", "yolo", None, boxes("finder", "lesions", 6), teaching=11),
            run("smaller", "yolo", None, boxes("smaller", "lesions", 4)),
            run("namer", "yolo", None, boxes("namer", "levels", 5)),
        ]
    )
    finder, smaller = rows(found, "Boxes of lesions. Cohort `main`")
    (namer,) = rows(found, "Boxes of levels. Cohort `main`")
    assert [row["patients"] for row in (finder, smaller, namer)] == ["6", "4", "5"]
    assert (finder["taught"], finder["boxes"], finder["external patients"]) == ("11", "6", "6")
    assert (finder["all levels right"], namer["all levels right"][:5]) == ("", "1.000")


def test_what_training_took_is_said(text: str) -> None:
    found = {row["model"]: row for row in rows(text, "What training took")}
    assert found["whole"]["epochs (best)"] == "3 (2), 3 (2)"
    assert found["yeh"]["minutes a seed"] == "1.0" and found["yeh"]["waiting for data"] == "10%"
    assert found["yeh"]["pictures/s"] == "10"
    assert float(found["yeh"]["stored numbers (M)"]) >= 0 and "running means" in text


def knowing(given: Answers, *known: Diagnosis) -> Answers:
    """A model that answers with all classes, and gives nothing to those that it does not know."""
    cases = []
    for case in given.cases:
        kept = [
            p if name in known else 0.0 for name, p in zip(given.classes, case.probabilities, strict=True)
        ]
        cases.append(case.model_copy(update={"probabilities": tuple(p / sum(kept) for p in kept)}))
    return given.model_copy(update={"cases": tuple(cases)})


def test_a_question_that_a_model_cannot_answer_has_no_row_of_it() -> None:
    """Whatever classes it answers with, and in results that were kept before."""
    two_sided = knowing(answers("lp", 1.0, question="sick_or_healthy"), *SICK)
    detector = knowing(answers("yolo", 1.0), Diagnosis.NORMAL, *FRACTURES)
    finds_nothing = knowing(answers("blind", 1.0), Diagnosis.NORMAL)
    found = page(
        [
            run("whole", "whole_study", answers("whole_study", 2.0)),
            run("sick", "lumbar_pathology", two_sided),
            run("finder", "yolo", detector),
            run("blind", "yolo", finds_nothing),
        ]
    )
    assert [row["model"] for row in rows(found, "malignant, or benign?")] == ["whole", "finder", "blind"]
    other = " (trained for malignant_or_benign)"
    assert [row["model"] for row in rows(found, "or healthy?")] == ["sick", f"whole{other}", f"finder{other}"]
    assert "over the 3 verdicts of this table" in found[found.index("or healthy?") :]


def test_what_single_seeds_have_stands_beside_their_ensemble() -> None:
    runs = [answers("yeh2022", 1.0, classes=FRACTURES, seed=seed) for seed in (1, 2, 3)]
    (row,) = rows(page([run("yeh", "yeh2022", one) for one in runs]), "malignant, or benign?")
    spread = over_seeds(runs, unit=Unit.LEVEL)
    assert spread is not None and spread.sd is not None
    assert (row["mean of single seeds"], row["sd over seeds"]) == (f"{spread.mean:.3f}", f"{spread.sd:.3f}")
    assert float(row["AUC (95 %)"].split()[0]) > spread.mean + 0.01  # the mean of three is surer than one


def test_of_two_seeds_the_worse_detector_is_shown() -> None:
    there, beside = BoxAnswer(label="a", box=(0, 0, 10, 10)), BoxAnswer(label="a", box=(20, 20, 30, 30))

    def boxes(seed: int, missed: int) -> BoxAnswers:
        pictures = tuple(
            PictureAnswer(
                picture=f"{part}-{n}", part=part, patient=f"{part}-{n}",
                predicted=(beside if n < missed else there,), reference=(there,),
            )
            for part in Part for n in range(6)
        )  # fmt: skip
        return BoxAnswers(
            system="d",
            version="v",
            seed=seed,
            cohort="main",
            task="lesions",
            labels=("a",),
            pictures=pictures,
        )

    found = page([run("d", "yolo", None, boxes(1, 0)), run("d", "yolo", None, boxes(2, 4))])
    (row,) = rows(found, "Boxes of lesions")
    assert row["mAP50-95 (95 %)"].startswith("0.") and row["recall"].startswith("0.333")


def test_what_does_not_count_as_finished_is_named() -> None:
    def runs(entry: str, seeds: int, stopped: str, teaching: int = 300) -> list[RunResult]:
        given = [answers("yeh2022", 1.0, classes=FRACTURES, seed=seed) for seed in range(seeds)]
        cost = Cost(seconds=1, pictures=1, waited=0, device="CPU", stopped=stopped)
        return [
            run(entry, "yeh2022", one.model_copy(update={"cost": cost}), teaching=teaching) for one in given
        ]

    stopped = "no lower validation loss in 5 epochs"
    finished = runs("finished", 3, stopped)
    found = page([*finished, *runs("few", 2, stopped), *runs("small", 3, f"{stopped}; all epochs done", 299)])
    lines = [line for line in found.splitlines() if line.startswith("- ")]
    assert lines[0] == "- Fewer than 3 seeds: few."
    assert lines[1] == "- Fewer than 300 patients who taught: small."
    assert lines[2].startswith("- Ended at the last epoch") and lines[2].endswith(": small (3 of 3).")
    assert "count as finished" not in page(finished)
    assert "- Not run yet: chou_ap, detr." in page(finished, planned=["chou_ap", "detr"])


def test_a_long_list_of_what_was_not_run_is_counted_and_names_all() -> None:
    names = [f"planned{n}" for n in range(13)]
    given = answers("yeh2022", 1.0, classes=FRACTURES)
    (line,) = (
        row for row in page([run("one", "yeh2022", given)], planned=names).splitlines() if "Not run" in row
    )
    assert line.startswith("- Not run yet: 13 entries. <details>") and all(name in line for name in names)
