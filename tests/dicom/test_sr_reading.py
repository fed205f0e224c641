"""Reports of any program: what is understood, what is a problem in words, and never an error of ours."""

from __future__ import annotations

import random
from io import BytesIO
from pathlib import Path

import pytest
from dicom.made_reports import BOX, changed, groups, items, one_form, pictures, read_of, report, without
from pydicom import dcmread
from pydicom.dataset import Dataset

from spine_fracture.anatomy import Diagnosis, Level
from spine_fracture.dicom.sr.found import FoundStatement
from spine_fracture.dicom.sr.reading import read_report
from spine_fracture.dicom.sr.statements import Form
from spine_fracture.dicom.sr.writing import write_report
from spine_fracture.errors import InputError

#: Drawn in stock OHIF 3.12.10 on the picture of tests/server/studies.py, labelled there and stored.
OHIF = Path(__file__).parents[1] / "server" / "ohif-3.12-report.dcm"


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return one_form(tmp_path_factory.mktemp("ours"))


def edited(data: bytes, edit: object) -> FoundStatement:
    """The one statement of ``data`` after its group was changed."""
    (statement,) = read_report(changed(data, lambda ds: edit(groups(ds)[0]))).statements  # type: ignore[operator]
    return statement


def outline(group: Dataset) -> Dataset:
    return items(group, "CONFIDENCE")[0].ContentSequence[0]


def test_what_ohif_stores_is_understood() -> None:
    found = read_report(OHIF.read_bytes())
    (statement,) = found.statements
    assert (statement.level, statement.diagnosis) == (Level.L3, Diagnosis.MALIGNANT)
    assert statement.region is not None and statement.region.box is not None
    drawn = statement.region.box.as_tuple()
    assert max(abs(a - b) for a, b in zip(drawn, (20, 40, 44, 54), strict=True)) < 0.5
    assert not statement.problems and not found.problems
    assert found.observer.name == "unknown^unknown"


def test_a_label_of_cornerstones_older_kind_is_a_finding_site(ours: bytes) -> None:
    def older(group: Dataset) -> None:
        for code in ("121106", "121071"):
            without(group, code)
        site = items(group, "363698007")[0].ConceptCodeSequence[0]
        site.CodeValue, site.CodingSchemeDesignator = "CORNERSTONEFREETEXT", "CST4"
        site.CodeMeaning = "T12: haemangioma"

    statement = edited(ours, older)
    assert (statement.level, statement.diagnosis) == (Level.T12, Diagnosis.HEMANGIOMA)


def test_a_known_foreign_code_stands_for_its_class(ours: bytes) -> None:
    def metastasis(group: Dataset) -> None:
        items(group, "121071")[0].ConceptCodeSequence[0].CodeValue = "128462008"

    assert edited(ours, metastasis).diagnosis is Diagnosis.MALIGNANT


def test_unknown_codes_are_named_without_their_words(ours: bytes) -> None:
    def foreign(group: Dataset) -> None:
        without(group, "121106")
        for name, code in (("121071", "X-FINDING"), ("363698007", "X-SITE")):
            coded = items(group, name)[0].ConceptCodeSequence[0]
            coded.CodeValue, coded.CodingSchemeDesignator, coded.CodeMeaning = code, "99ELSEWHERE", "Doe^Jane"

    statement = edited(ours, foreign)
    assert (statement.level, statement.diagnosis) == (None, None)
    assert "X-FINDING (99ELSEWHERE)" in " ".join(statement.problems)
    assert "X-SITE" in " ".join(statement.problems) and "Jane" not in " ".join(statement.problems)


def test_a_code_that_is_not_known_leaves_the_label(ours: bytes) -> None:
    def foreign(group: Dataset) -> None:
        items(group, "121071")[0].ConceptCodeSequence[0].CodeValue = "X-FINDING"

    assert edited(ours, foreign).diagnosis is Diagnosis.MALIGNANT


def test_three_points_are_a_place_and_no_box(ours: bytes) -> None:
    def triangle(group: Dataset) -> None:
        outline(group).GraphicData = [4.0, 4.0, 10.0, 4.0, 7.0, 10.0]

    statement = edited(ours, triangle)
    assert statement.region is not None and statement.region.box is None
    assert statement.region.centre == (7.0, 6.0)
    assert "four corners" in " ".join(statement.problems)


@pytest.mark.parametrize(
    ("points", "graphic"),
    [
        ([5.0, 5.0] * 5, "POLYLINE"),  # no area
        ([5.0, 5.0, 9.0, 5.0] * 2, "POLYLINE"),
        ([7.0, 6.0], "POINT"),
    ],
)
def test_what_has_no_area_is_no_box(ours: bytes, points: list[float], graphic: str) -> None:
    def flat(group: Dataset) -> None:
        outline(group).GraphicType, outline(group).GraphicData = graphic, points

    region = edited(ours, flat).region
    assert region is not None and region.box is None


@pytest.mark.parametrize("points", [[], [4.0], [4.0, 4.0, 9.0], [float("nan"), 2.0] * 5])
def test_positions_that_are_none_are_a_problem(ours: bytes, points: list[float]) -> None:
    def broken(group: Dataset) -> None:
        outline(group).GraphicData = points

    statement = edited(ours, broken)
    assert statement.region is None
    assert "draw the box again" in " ".join(statement.problems)


def test_circles_and_ellipses_have_boxes(ours: bytes) -> None:
    def circle(group: Dataset) -> None:
        outline(group).GraphicType, outline(group).GraphicData = "CIRCLE", [10.0, 12.0, 13.0, 16.0]

    def ellipse(group: Dataset) -> None:
        outline(group).GraphicType = "ELLIPSE"
        outline(group).GraphicData = [5.0, 12.0, 15.0, 12.0, 10.0, 10.0, 10.0, 14.0]

    for edit, box in ((circle, (5.0, 7.0, 15.0, 17.0)), (ellipse, (5.0, 10.0, 15.0, 14.0))):
        region = edited(ours, edit).region
        assert region is not None and region.box is not None and region.box.as_tuple() == box


def test_what_is_drawn_in_space_is_said_to_be(ours: bytes) -> None:
    def space(group: Dataset) -> None:
        outline(group).ValueType = "SCOORD3D"

    statement = edited(ours, space)
    assert statement.region is None and "in space" in " ".join(statement.problems)


def test_the_place_of_a_text_is_not_the_outline(ours: bytes) -> None:
    def moved_text(group: Dataset) -> None:
        text = Dataset()
        text.update(outline(group))
        text.GraphicType, text.GraphicData = "POINT", [1.0, 1.0]
        name = Dataset()
        name.CodeValue, name.CodingSchemeDesignator = "TextPosition", "99CS3D"
        name.CodeMeaning = "Text Annotation Position"
        text.ConceptNameCodeSequence = [name]
        group.ContentSequence = [text, *group.ContentSequence]

    region = edited(ours, moved_text).region
    assert region is not None and region.box is not None
    assert region.box.x0 == pytest.approx(BOX.x0)


def test_no_image_library_no_evidence_no_observer(ours: bytes) -> None:
    def bare(ds: Dataset) -> None:
        ds.ContentSequence = [
            item for item in ds.ContentSequence if item.ConceptNameCodeSequence[0].CodeValue == "126010"
        ]
        del ds.CurrentRequestedProcedureEvidenceSequence

    found = read_report(changed(ours, bare))
    assert found.observer.name == ""
    assert found.statements[0].diagnosis is Diagnosis.MALIGNANT


def test_another_kind_of_report_says_nothing_of_levels(ours: bytes) -> None:
    def other(ds: Dataset) -> None:
        ds.ConceptNameCodeSequence[0].CodeValue = "11528-7"
        ds.ContentSequence = ds.ContentSequence[:1]

    found = read_report(changed(ours, other))
    assert found.statements == () and "another kind" in found.problems[0]


def test_groups_without_anything_are_read(ours: bytes) -> None:
    def empty(ds: Dataset) -> None:
        del groups(ds)[0].ContentSequence

    (statement,) = read_report(changed(ours, empty)).statements
    assert (statement.region, statement.diagnosis) == (None, None)


def test_what_is_no_report_is_refused_in_words(ours: bytes, tmp_path: Path) -> None:
    def picture(ds: Dataset) -> None:
        ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.4"

    def nameless(ds: Dataset) -> None:
        del ds.StudyInstanceUID

    for data, words in (
        (b"", "not a readable"),
        (b"nothing of the kind", "not a readable"),
        (changed(ours, picture), "not a structured report"),
        (changed(ours, nameless), "UIDs"),
    ):
        with pytest.raises(InputError, match=words):
            read_report(data)


def test_damage_anywhere_never_surprises_us(ours: bytes) -> None:
    rng = random.Random(7)
    understood = 0
    for _ in range(150):
        data = bytearray(ours)
        for _ in range(rng.randint(1, 20)):
            data[rng.randrange(132, len(data))] = rng.randrange(256)
        if rng.random() < 0.3:
            del data[rng.randrange(132, len(data)) :]
        try:
            read_report(bytes(data))
            understood += 1
        except InputError:
            continue
    assert understood  # most bytes are text


def test_attributes_taken_out_one_by_one(ours: bytes) -> None:
    whole = dcmread(BytesIO(ours))
    for element in list(whole):
        try:
            read_report(changed(ours, lambda ds, tag=element.tag: ds.__delitem__(tag)))
        except InputError:
            assert element.keyword.endswith("UID")


def test_several_classes_in_one_group_are_not_guessed(tmp_path: Path) -> None:
    images = pictures(tmp_path)
    data = write_report(report(read_of(images[0])), Form.STANDARD, images)

    def twice(group: Dataset) -> None:
        again(group, "121071", "17621005", "Normal")

    # Its label says 'L3 malignant' all the same: codes that contradict each other leave it no word.
    statement = edited(data, twice)
    assert statement.level is Level.L3
    assert statement.diagnosis is None and "more than one class" in " ".join(statement.problems)


def test_several_levels_in_one_group_are_not_guessed(tmp_path: Path) -> None:
    images = pictures(tmp_path)
    data = write_report(report(read_of(images[0])), Form.STANDARD, images)
    statement = edited(data, lambda group: again(group, "363698007", "66794005", "L1 vertebra"))
    assert statement.diagnosis is Diagnosis.MALIGNANT
    assert statement.level is None and "more than one level" in " ".join(statement.problems)


def again(group: Dataset, name: str, value: str, meaning: str) -> None:
    """Another item of the same name, with another SNOMED code."""
    second, code = Dataset(), Dataset()
    second.update(items(group, name)[0])
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "SCT", meaning
    second.ConceptCodeSequence = [code]
    group.ContentSequence.append(second)
