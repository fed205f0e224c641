"""Readers beside a model: the counts of Table 2 of Yeh et al. 2022 with made-up pairs."""

from __future__ import annotations

import pytest
from made_up import answers_of, case

from spine_fracture.anatomy import Diagnosis, Level
from spine_fracture.errors import InputError
from spine_fracture.evaluation.answers import MALIGNANT_OR_BENIGN, Part
from spine_fracture.evaluation.readers import Measure, ReaderAnswer, ReaderTable, judge_readers
from spine_fracture.evaluation.scores import Scores, Unit, unit_scores
from spine_fracture.evaluation.statistics import Resampling
from spine_fracture.evaluation.thresholds import Threshold

HALF = Threshold(0.5, "as told")
MALIGNANT, BENIGN = Diagnosis.MALIGNANT, Diagnosis.BENIGN_FRACTURE


def _model(sensitive: int, specific: int) -> Scores:
    cases = [case(f"m{n}", Level.L1, 0.9 if n < sensitive else 0.1, True) for n in range(50)]
    cases += [case(f"b{n}", Level.L1, 0.1 if n < specific else 0.9, False) for n in range(140)]
    return unit_scores(answers_of(cases), Part.TEST, Unit.PATIENT)


def _reads(reader: str, sensitive: int, specific: int) -> list[ReaderAnswer]:
    reads = [
        ReaderAnswer(reader, f"m{n}", Level.L1, MALIGNANT, MALIGNANT if n < sensitive else BENIGN)
        for n in range(50)
    ]
    return reads + [
        ReaderAnswer(reader, f"b{n}", Level.L1, BENIGN, BENIGN if n < specific else MALIGNANT)
        for n in range(140)
    ]


@pytest.fixture(scope="module")
def table() -> ReaderTable:
    reads = [*_reads("MSK", 47, 139), *_reads("R4", 47, 135), *_reads("R1", 39, 86)]
    return judge_readers(
        reads, _model(47, 128), HALF, MALIGNANT_OR_BENIGN, name="ResNet50", resampling=Resampling(draws=300)
    )


def test_everybodys_figures_are_those_of_the_table(table: ReaderTable) -> None:
    figures = {
        r.name: tuple(round(100 * e.value) for e in (r.sensitivity, r.specificity, r.accuracy) if e)
        for r in table.results
    }
    assert figures == {"MSK": (94, 99, 98), "R4": (94, 96, 96), "R1": (78, 61, 66), "ResNet50": (94, 91, 92)}
    assert (table.cases, table.patients) == (190, 190)


def test_pairs_are_tested_within_their_side(table: ReaderTable) -> None:
    tests = {(p.first, p.second, p.measure): p for p in table.pairs}
    assert len(tests) == 6 * 3
    r1 = tests["R1", "ResNet50", Measure.SENSITIVITY]
    assert (r1.test.only_first, r1.test.only_second) == (0, 8)
    assert r1.test.p_exact == pytest.approx(2 / 2**8) and r1.p_holm > r1.test.p_exact
    overall = tests["R1", "ResNet50", Measure.ACCURACY]
    assert (overall.test.only_first, overall.test.only_second) == (0, 50)


def test_agreement_is_of_the_readers_alone(table: ReaderTable) -> None:
    assert [a.readers for a in table.agreement] == [
        ("MSK", "R4"),
        ("MSK", "R1"),
        ("R4", "R1"),
        ("MSK", "R4", "R1"),
    ]
    assert table.agreement[0].kappa.value > 0.9 > table.agreement[1].kappa.value


def test_an_undecided_read_is_never_right_and_a_patient_is_its_gravest_level() -> None:
    cases = [
        case("a", Level.L1, 0.9, True),
        case("a", Level.L2, 0.1, False),
        case("b", Level.L1, 0.2, False),
        case("c", Level.L1, 0.2, False),
    ]
    scores = unit_scores(answers_of(cases), Part.TEST, Unit.PATIENT)
    undecided = Diagnosis.INDETERMINATE
    reads = [
        ReaderAnswer("r", "a", Level.L2, BENIGN, BENIGN),
        ReaderAnswer("r", "a", Level.L1, MALIGNANT, MALIGNANT),
        ReaderAnswer("r", "b", Level.L1, BENIGN, undecided),
        ReaderAnswer("r", "somebody else", Level.L1, BENIGN, BENIGN),
    ]
    found = judge_readers(reads, scores, HALF, MALIGNANT_OR_BENIGN)
    assert found.cases == 2  # c was not read
    reader = found.results[0]
    assert reader.sensitivity is not None and reader.specificity is not None
    assert (reader.sensitivity.value, reader.specificity.value) == (1.0, 0.0)
    assert found.agreement == ()


def test_nothing_in_common_is_said() -> None:
    with pytest.raises(InputError, match="two patients"):
        judge_readers([], _model(47, 128), HALF, MALIGNANT_OR_BENIGN)
