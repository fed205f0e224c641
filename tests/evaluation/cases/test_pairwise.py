"""Models against each other and against baselines, over seeds and subgroups; their worst mistakes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, replace
from typing import Any

import numpy as np
import pytest
from made_up import answers_of, case

from spine_fracture.anatomy import Level
from spine_fracture.errors import InputError
from spine_fracture.evaluation.answers import Answers, Case, Part
from spine_fracture.evaluation.cases import pairwise
from spine_fracture.evaluation.cases.baselines import above_baseline, above_majority
from spine_fracture.evaluation.cases.binary import Metric, drawn_metrics
from spine_fracture.evaluation.cases.differences import Verdict, with_holm
from spine_fracture.evaluation.cases.gallery import gallery
from spine_fracture.evaluation.cases.pairwise import PairwiseTable, compare
from spine_fracture.evaluation.cases.scores import Scores, Unit, unit_scores
from spine_fracture.evaluation.cases.seeds import joined, over_seeds
from spine_fracture.evaluation.cases.subgroups import age_band, subgroups
from spine_fracture.evaluation.statistics.delong import delong_difference
from spine_fracture.evaluation.statistics.intervals import Resampling
from spine_fracture.evaluation.statistics.paired import holm

QUICK = Resampling(draws=400)
Model = Callable[..., Answers]


@pytest.fixture(scope="module")
def rivals(model: Model) -> tuple[Answers, ...]:
    return tuple(
        model(skill, seed=n, system=name)
        for n, (name, skill) in enumerate((("good", 2.0), ("fair", 0.7), ("poor", 0.1)))
    )


@pytest.fixture(scope="module")
def table(rivals: tuple[Answers, ...]) -> PairwiseTable:
    return compare(rivals, resampling=QUICK)


def test_every_pair_is_tested_on_the_same_patients(rivals: tuple[Answers, ...], table: PairwiseTable) -> None:
    assert [(p.first, p.second) for p in table.pairs] == [
        ("good", "fair"),
        ("good", "poor"),
        ("fair", "poor"),
    ]
    one, other = (unit_scores(a, Part.TEST, Unit.PATIENT) for a in rivals[::2])
    expected = delong_difference(one.score, other.score, one.positive)
    pair = table.pairs[1]
    assert pair.delong is not None and pair.patients == 40
    assert pair.delong.p_value == pytest.approx(expected.p_value)
    assert astuple(pair.delong.difference) == pytest.approx(astuple(expected.difference))
    by_draws = pair.of(Metric.AUC)
    assert by_draws is not None
    assert (by_draws.first, by_draws.second) == pytest.approx((expected.first, expected.second))
    assert by_draws.difference.high < 0 and by_draws.p_value < 0.05
    assert by_draws.difference.low == pytest.approx(expected.difference.low, abs=0.06)


def test_each_model_is_drawn_once_for_the_same_cases(
    rivals: tuple[Answers, ...], table: PairwiseTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[int] = []

    def counted(scores: Scores, *others: Any) -> Any:
        drawn.append(len(scores))
        return drawn_metrics(scores, *others)

    monkeypatch.setattr(pairwise, "drawn_metrics", counted)
    assert compare(rivals, resampling=QUICK) == table
    assert drawn == [40, 40, 40]
    drawn.clear()
    left = next(case.patient for case in rivals[0].cases if case.part is Part.TEST)
    kept = tuple(case for case in rivals[0].cases if case.patient != left)
    fewer = rivals[0].model_copy(update={"system": "fewer", "cases": kept})
    mixed = compare([fewer, *reversed(rivals)], resampling=QUICK)
    assert sorted(drawn) == [39] * 3 + [40] * 3  # beside the model of fewer patients, and beside each other
    assert mixed.pairs[-1].differences[0].difference.low == pytest.approx(
        -table.pairs[0].differences[0].difference.high
    )


def test_holm_is_over_all_pairs_and_each_test_apart(table: PairwiseTable) -> None:
    delongs = [pair.delong.p_value for pair in table.pairs if pair.delong]
    assert [pair.delong_holm for pair in table.pairs] == pytest.approx(list(holm(delongs)))
    chances = [pair.mcnemar.p_exact for pair in table.pairs if pair.mcnemar]
    assert [pair.mcnemar_holm for pair in table.pairs] == pytest.approx(list(holm(chances)))
    for metric in (Metric.AUC, Metric.MACRO_F1):
        found = [d for pair in table.pairs if (d := pair.of(metric))]
        assert [d.p_holm for d in found] == pytest.approx(list(holm([d.p_value for d in found])))


def test_of_many_models_one_can_still_be_found_better(model: Model) -> None:
    """Of twelve models there are 66 pairs, and the least p of 400 draws times 66 is a third."""
    rivals = [model(0.1, seed=n, system=f"poor {n}") for n in range(11)]
    table = compare([*rivals, model(4.0, seed=11, system="good")], resampling=QUICK)
    found = [
        area for pair in table.pairs if pair.second == "good" and (area := pair.of(Metric.AUC)) is not None
    ]
    assert len(table.pairs) == 66 and any(area.verdict is Verdict.BETTER for area in found)


def test_levels_get_no_test_that_takes_them_for_independent(rivals: tuple[Answers, ...]) -> None:
    pair = compare(rivals[:2], unit=Unit.LEVEL, resampling=QUICK).pairs[0]
    assert pair.delong is None and pair.mcnemar is None and pair.mcnemar_holm is None
    assert pair.cases > pair.patients and pair.of(Metric.ACCURACY) is not None


def test_a_model_does_not_differ_from_itself(rivals: tuple[Answers, ...]) -> None:
    pair = compare([rivals[0], rivals[0].model_copy(update={"seed": 7})], resampling=QUICK).pairs[0]
    assert (pair.first, pair.second) == ("good, seed 0", "good, seed 7")
    assert pair.mcnemar is not None and pair.mcnemar.p_exact == 1.0
    for difference in pair.differences:
        interval = difference.difference
        assert (interval.value, interval.low, interval.high) == (0.0, 0.0, 0.0)
        assert difference.p_value == 1.0


def test_models_of_folds_are_compared_on_pairs_of_cases_that_one_model_judged(
    rivals: tuple[Answers, ...],
) -> None:
    """Half of the patients have another model, on another scale, that puts them in the same order."""

    def other_scale(case: Case) -> Case:
        if int(case.patient[1:]) % 2:
            return case
        _, _, score, _ = case.probabilities
        return case.model_copy(
            update={"fold": "fold-2", "probabilities": (0.0, 1 - score / 9, score / 9, 0.0)}
        )

    folded = rivals[0].model_copy(update={"cases": tuple(map(other_scale, rivals[0].cases))})
    pair = compare([rivals[0], folded], resampling=QUICK).pairs[0]
    area = pair.of(Metric.AUC)
    assert area is not None and (area.difference.low, area.difference.high) == (0, 0)
    assert pair.delong is None


def test_turned_round_a_pair_turns_its_sign(rivals: tuple[Answers, ...], table: PairwiseTable) -> None:
    there, back = (
        table.pairs[0].of(Metric.MACRO_F1),
        compare(rivals[1::-1], resampling=QUICK).pairs[0].of(Metric.MACRO_F1),
    )
    assert there is not None and back is not None
    assert back.difference.value == pytest.approx(-there.difference.value)
    assert (back.difference.low, back.difference.high) == pytest.approx(
        (-there.difference.high, -there.difference.low)
    )


def test_models_that_share_no_patients_have_nothing_to_compare() -> None:
    one, other = (
        answers_of([case(f"{who}{n}", Level.L1, 0.1 * n, n > 3) for n in range(8)], system=who)
        for who in "ab"
    )
    pair = compare([one, other], resampling=QUICK).pairs[0]
    assert (pair.cases, pair.differences, pair.delong, pair.mcnemar) == (0, (), None, None)


def test_different_truths_about_a_patient_are_refused() -> None:
    one, other = (answers_of([case("p", Level.L1, 0.5, yes)]) for yes in (True, False))
    with pytest.raises(InputError, match="different truths"):
        compare([one, other])


def test_a_verdict_is_what_is_left_of_a_table_after_holm(table: PairwiseTable) -> None:
    found = table.pairs[1].of(Metric.AUC)
    assert found is not None and found.verdict is Verdict.WORSE
    barely = replace(found, p_value=0.03, p_holm=0.03)
    first, missing, second = with_holm([barely, None, barely])
    assert missing is None and first is not None and first == second
    assert (barely.verdict, first.p_holm, first.verdict) == (Verdict.WORSE, 0.06, Verdict.NOT_SHOWN)
    assert first.difference == barely.difference  # intervals are as they were
    # A p that is not told costs the others nothing.
    few, alone = with_holm([replace(barely, patients=9), barely])
    assert few is not None and few.p_told is None
    assert alone is not None and alone.p_holm == barely.p_value


def test_so_few_patients_get_no_verdict_however_well_they_are_told_apart() -> None:
    def told(patients: int) -> tuple[Verdict, bool | None]:
        right, guess = (
            answers_of([case(f"p{n}", Level.L1, 0.5 + sure * (n % 2), bool(n % 2)) for n in range(patients)])
            for sure in (0.4, 0.0)
        )
        found = above_baseline(right, guess, resampling=QUICK)
        assert found is not None and found.difference.value == 0.5 and not found.difference.has_interval
        return found.verdict, found.not_worse(0.05)

    assert told(9) == (Verdict.TOO_FEW, None)
    assert told(10) == (Verdict.BETTER, True)


def test_two_perfect_models_show_nothing_of_which_is_worse() -> None:
    one, other = (
        answers_of([case(f"p{n}", Level.L1, 0.5 + sure * (n % 2), bool(n % 2)) for n in range(40)])
        for sure in (0.2, 0.4)
    )
    found = above_baseline(one, other, resampling=QUICK)
    assert found is not None and (found.first, found.second) == (1, 1)
    assert found.verdict is Verdict.NOT_SHOWN and found.not_worse(0.05) is None


def test_a_model_is_above_the_baseline_and_a_guess_is_not(rivals: tuple[Answers, ...]) -> None:
    good, _, poor = rivals
    above, below = above_baseline(good, poor, resampling=QUICK), above_baseline(poor, good, resampling=QUICK)
    assert above is not None and below is not None
    assert above.difference.low > 0 > below.difference.high
    assert (above.verdict, above.cases, above.patients) == (Verdict.BETTER, 40, 40)
    beats, guesses = above_majority(good, resampling=QUICK), above_majority(poor, resampling=QUICK)
    assert beats is not None and guesses is not None
    assert beats.difference.low > 0 > guesses.difference.low
    assert (beats.verdict, guesses.verdict) == (Verdict.BETTER, Verdict.NOT_SHOWN)
    assert above_majority(answers_of([case(p, Level.L1, 0.5, True) for p in "ab"])) is None


def test_seeds_are_joined_by_the_mean_and_spread(model: Model) -> None:
    runs = [model(0.8, seed=seed) for seed in range(3)]
    spread = over_seeds(runs)
    assert spread is not None and spread.sd is not None
    assert spread.seeds == (0, 1, 2)
    assert spread.sd == pytest.approx(np.std(spread.aucs, ddof=1))
    together = joined(runs)
    means = np.mean([[c.probabilities for c in run.cases] for run in runs], axis=0)
    assert np.allclose([c.probabilities for c in together.cases], means)
    alone = over_seeds([together])
    assert alone is not None and alone.sd is None
    assert alone.mean > spread.mean  # noise of the seeds averages out
    with pytest.raises(InputError, match="one system"):
        joined([runs[0], model(0.8, system="another")])
    with pytest.raises(InputError, match="different cases"):
        joined([runs[0], model(0.8, patients=20)])


def test_subgroups_cover_all_cases_and_small_ones_get_no_number(model: Model) -> None:
    answers = model(1.5, patients=150)
    groups = subgroups(answers, unit=Unit.LEVEL, resampling=Resampling(draws=50))
    whole = len(unit_scores(answers, Part.TEST, Unit.LEVEL))
    for dimension in ("centre", "scanner", "sequences", "region", "sex", "age"):
        members = [g for g in groups if g.part is Part.TEST and g.dimension == dimension]
        assert sum(g.cases for g in members) == whole, dimension
    assert [g.name for g in groups if g.part is Part.TEST and g.dimension == "region"] == ["C", "T", "L"]
    assert {g.name for g in groups if g.dimension == "scanner"} == {"not stated"}
    for group in groups:
        assert (group.result is None) == bool(group.reason)
    lung = next(g for g in groups if g.dimension == "note")
    everybody = unit_scores(answers, Part.TEST, Unit.LEVEL)
    assert 0 < lung.positives < everybody.positives
    assert lung.cases - lung.positives == len(everybody) - everybody.positives
    few = subgroups(model(1.5, patients=30), resampling=QUICK)
    assert {g.result for g in few if g.dimension == "age"} == {None}
    assert "needs 5 positive and 5 negative patients, has" in few[0].reason
    assert all(g.dimension != "region" for g in few)


def test_a_patient_is_noted_by_the_positive_level_whichever_scores_best() -> None:
    """Of every sick patient the model takes the sound level above for the metastasis of the lung tumour."""
    cases = []
    for n in range(12):
        sick = n % 2 == 1
        cases.append(case(f"p{n}", Level.T12, 0.9, False))
        cases.append(case(f"p{n}", Level.L1, 0.4, sick, note="lung" if sick else ""))
    groups = subgroups(answers_of(cases), unit=Unit.PATIENT, resampling=QUICK)
    (lung,) = (group for group in groups if group.dimension == "note")
    assert (lung.name, lung.patients, lung.positives) == ("lung", 12, 6) and lung.result is not None


@pytest.mark.parametrize(
    ("age", "band"),
    [(None, "not stated"), (23, "0 to 49"), (50, "50 to 59"), (69.9, "60 to 69"), (80, "80 and over")],
)
def test_age_bands(age: float | None, band: str) -> None:
    assert age_band(age) == band


def test_the_gallery_has_the_surest_mistakes_first() -> None:
    cases = [case(f"b{n}", Level.L1, s, False) for n, s in enumerate((0.1, 0.6, 0.95, 0.7))]
    cases += [case(f"m{n}", Level.L1, s, True) for n, s in enumerate((0.9, 0.3, 0.05))]
    found = gallery(answers_of(cases), count=2)
    assert [(m.case.patient, m.score) for m in found.false_positives] == [("b2", 0.95), ("b3", 0.7)]
    assert [(m.case.patient, m.score) for m in found.false_negatives] == [("m2", 0.05), ("m1", 0.3)]


def test_of_few_patients_no_p_is_told(model: Callable[..., Answers]) -> None:
    """All draws of two patients may say the same, which proves nothing."""
    for patients, told in ((4, False), (40, True)):
        (pair,) = compare([model(1.0, patients=patients), model(0.2, seed=1, patients=patients)]).pairs
        assert all((one.p_told is not None) is told for one in pair.differences)
        assert (pair.mcnemar is not None) is told and (pair.delong is not None) is told
