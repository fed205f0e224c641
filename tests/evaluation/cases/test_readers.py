"""Readers beside a model: the counts of Table 2 of Yeh et al. 2022 with made-up pairs."""

from __future__ import annotations

import pytest
from made_up import answers_of, case

from spine_fracture.anatomy import Diagnosis, Level
from spine_fracture.evaluation.answers import MALIGNANT_OR_BENIGN, Part
from spine_fracture.evaluation.cases.readers import Measure, ReaderAnswer, ReaderTable, judge_readers
from spine_fracture.evaluation.cases.scores import Scores, Unit, unit_scores
from spine_fracture.evaluation.cases.thresholds import Threshold
from spine_fracture.evaluation.statistics.intervals import Resampling

HALF = Threshold(0.5, "as told")
QUICK = Resampling(draws=200)
#: The levels of the patients of :func:`_model`.
ALL = [*((f"m{n}", Level.L1) for n in range(50)), *((f"b{n}", Level.L1) for n in range(140))]
MALIGNANT, BENIGN = Diagnosis.MALIGNANT, Diagnosis.BENIGN_FRACTURE


def _model(sensitive: int, specific: int) -> Scores:
    cases = [case(f"m{n}", Level.L1, 0.9 if n < sensitive else 0.1, True) for n in range(50)]
    cases += [case(f"b{n}", Level.L1, 0.1 if n < specific else 0.9, False) for n in range(140)]
    return unit_scores(answers_of(cases), Part.TEST, Unit.PATIENT)


def _reads(reader: str, sensitive: int, specific: int) -> list[ReaderAnswer]:
    reads = [
        ReaderAnswer(reader, f"m{n}", Level.L1, MALIGNANT if n < sensitive else BENIGN) for n in range(50)
    ]
    return reads + [
        ReaderAnswer(reader, f"b{n}", Level.L1, BENIGN if n < specific else MALIGNANT) for n in range(140)
    ]


@pytest.fixture(scope="module")
def table() -> ReaderTable:
    reads = [*_reads("MSK", 47, 139), *_reads("R4", 47, 135), *_reads("R1", 39, 86)]
    return judge_readers(reads, _model(47, 128), HALF, MALIGNANT_OR_BENIGN, ALL, QUICK)


def test_everybodys_figures_are_those_of_the_table(table: ReaderTable) -> None:
    figures = {
        row.reader: [(round(100 * f.reader.value), round(100 * f.model.value)) for f in row.figures]
        for row in table.rows
    }
    assert figures == {
        "MSK": [(94, 94), (99, 91), (98, 92)],
        "R4": [(94, 94), (96, 91), (96, 92)],
        "R1": [(78, 94), (61, 91), (66, 92)],
    }
    assert {(row.cases, row.patients) for row in table.rows} == {(190, 190)}


def test_each_reader_is_tested_against_the_model_within_a_side(table: ReaderTable) -> None:
    r1 = table.rows[2].of(Measure.SENSITIVITY)
    assert r1 is not None and (r1.test.only_first, r1.test.only_second) == (0, 8)
    assert r1.test.p_exact == pytest.approx(2 / 2**8) and r1.p_holm > r1.test.p_exact
    overall = table.rows[2].of(Measure.ACCURACY)
    assert overall is not None and (overall.test.only_first, overall.test.only_second) == (0, 50)


def test_each_reader_is_judged_on_what_that_reader_read() -> None:
    reads = [*_reads("all", 47, 139), *(read for read in _reads("some", 5, 5) if read.patient[1:] < "5")]
    everything, some = judge_readers(reads, _model(47, 128), HALF, MALIGNANT_OR_BENIGN, ALL, QUICK).rows
    assert everything.cases == 190 > some.cases
    sensitivity = some.of(Measure.SENSITIVITY)
    assert sensitivity is not None
    known = [n for n in range(50) if str(n) < "5"]
    assert sensitivity.reader.value == pytest.approx(5 / len(known))
    assert sensitivity.model.value == pytest.approx(sum(n < 47 for n in known) / len(known))


def test_of_a_reader_of_few_patients_no_p_is_told() -> None:
    """Which counts for nothing in those of the others."""
    alone, of_two = (
        judge_readers(reads, _model(47, 128), HALF, MALIGNANT_OR_BENIGN, ALL, QUICK).rows
        for reads in (_reads("all", 39, 86), [*_reads("all", 39, 86), *_reads("few", 0, 0)[45:54]])
    )
    assert [figure.p_holm for figure in of_two[1].figures] == [None] * len(Measure)
    assert of_two[0] == alone[0]


def test_agreement_is_of_the_readers_alone(table: ReaderTable) -> None:
    assert [a.readers for a in table.agreement] == [
        ("MSK", "R4"),
        ("MSK", "R1"),
        ("R4", "R1"),
        ("MSK", "R4", "R1"),
    ]
    first, second = (agreement.kappa for agreement in table.agreement[:2])
    assert first is not None and second is not None and first.value > 0.9 > second.value


def test_where_chance_agrees_too_there_is_no_kappa_but_all_else() -> None:
    reads = [ReaderAnswer(who, f"b{n}", Level.L1, BENIGN) for who in ("one", "other") for n in range(20)]
    table = judge_readers(reads, _model(47, 128), HALF, MALIGNANT_OR_BENIGN, ALL, QUICK)
    (agreement,) = table.agreement
    assert agreement.kappa is None and "say the same" in agreement.reason and agreement.cases == 20
    assert [f.measure for f in table.rows[0].figures] == [Measure.SPECIFICITY, Measure.ACCURACY]


def test_an_undecided_read_is_never_right_and_a_patient_is_its_gravest_level() -> None:
    cases = [
        case("a", Level.L1, 0.9, True),
        case("a", Level.L2, 0.1, False),
        case("b", Level.L1, 0.2, False),
        case("c", Level.L1, 0.2, False),
    ]
    scores = unit_scores(answers_of(cases), Part.TEST, Unit.PATIENT)
    reads = [
        ReaderAnswer("r", "a", Level.L2, BENIGN),
        ReaderAnswer("r", "a", Level.L1, MALIGNANT),
        ReaderAnswer("r", "b", Level.L1, Diagnosis.INDETERMINATE),
        ReaderAnswer("r", "somebody else", Level.L1, BENIGN),
    ]
    asked = [(one.patient, one.level or "") for one in cases]
    found = judge_readers(reads, scores, HALF, MALIGNANT_OR_BENIGN, asked, QUICK)
    (row,) = found.rows
    assert row.cases == 2  # c was not read
    sensitivity, specificity = row.of(Measure.SENSITIVITY), row.of(Measure.SPECIFICITY)
    assert sensitivity is not None and specificity is not None
    assert (sensitivity.reader.value, specificity.reader.value) == (1.0, 0.0)
    assert found.agreement == ()


def test_who_did_not_read_all_that_is_asked_of_a_patient_is_not_judged_by_that_patient() -> None:
    scores = _model(47, 128)
    reads = [*_reads("whole", 47, 139), *_reads("part", 47, 139)]
    reads.append(ReaderAnswer("whole", "m0", Level.L2, MALIGNANT))
    whole, part = judge_readers(
        reads, scores, HALF, MALIGNANT_OR_BENIGN, [*ALL, ("m0", Level.L2)], QUICK
    ).rows
    assert (whole.cases, part.cases) == (190, 189)


def test_what_is_said_of_levels_that_are_not_asked_about_plays_no_part_by_patient() -> None:
    """Normal is neither malignant nor benign, and a level in dispute has no truth yet."""
    reads = _reads("r", 50, 140)
    for other, said in ((Level.L2, Diagnosis.NORMAL), (Level.L3, MALIGNANT)):
        reads += [ReaderAnswer("r", f"b{n}", other, said) for n in range(140)]
    (row,) = judge_readers(reads, _model(47, 128), HALF, MALIGNANT_OR_BENIGN, ALL, QUICK).rows
    assert row.cases == 190 and [figure.reader.value for figure in row.figures] == [1.0] * 3


def test_without_two_patients_in_common_there_are_no_figures() -> None:
    reads = [ReaderAnswer("r", "m0", Level.L1, MALIGNANT), ReaderAnswer("s", "somebody", Level.L1, BENIGN)]
    table = judge_readers(reads, _model(47, 128), HALF, MALIGNANT_OR_BENIGN, ALL, QUICK)
    assert [(row.reader, row.cases, row.figures) for row in table.rows] == [("r", 1, ()), ("s", 0, ())]
    assert table.agreement[0].kappa is None
