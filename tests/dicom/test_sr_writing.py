"""Reports as written: valid DICOM, two forms from one table, what viewers need where they look for it."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import highdicom
import numpy as np
import pytest
from dicom.made_reports import BOX, complaints, groups, items, pictures, read_of, report
from dicom.made_series import change, enhanced, volume, written
from pydicom import dcmread

from spine_fracture.anatomy import Diagnosis, Level
from spine_fracture.dicom.sr.images import open_images
from spine_fracture.dicom.sr.reading import read_report
from spine_fracture.dicom.sr.statements import Algorithm, Form, Region
from spine_fracture.dicom.sr.writing import write_report
from spine_fracture.errors import InputError

MODEL = Algorithm("spine_fracture", "det-3 cls-7")


@pytest.mark.parametrize("form", Form)
def test_a_reader_is_read_back_whole(tmp_path: Path, form: Form) -> None:
    images = pictures(tmp_path)
    said = (read_of(images[2]), read_of(images[7], Level.S1, confidence=1, note="", features=frozenset()))
    data = write_report(report(*said, number=2), form, images)
    found = read_report(data)
    assert (found.observer.name, found.observer.is_device) == ("reader-1^", False)
    assert found.replaces == (report(number=1).sop_uid,)
    for statement, back in zip(said, found.statements, strict=True):
        assert not back.problems
        assert back.region is not None and back.region.box is not None
        assert back.region.sop_uid == statement.region.sop_uid
        assert np.allclose(back.region.box.as_tuple(), BOX.as_tuple(), atol=1e-4)
        for name in ("level", "diagnosis", "features", "confidence", "basis"):
            assert getattr(back, name) == getattr(statement, name), name
    for statement, group in zip(said, groups(dcmread(BytesIO(data))), strict=True):
        assert statement.tracking_uid == items(group, "112040")[0].UID
        comments = [item.TextValue for item in items(group, "121106")]
        assert comments == [statement.label, *filter(None, [statement.note])]


@pytest.mark.parametrize("form", Form)
def test_the_checkers_find_no_error(tmp_path: Path, form: Form) -> None:
    images = pictures(tmp_path)
    model = read_of(images[3], Level.L6, confidence=None, basis=None, probability=0.83)
    documents = {
        "reads": report(read_of(images[2]), read_of(images[7], Level.T13), number=2),
        "model": report(model, author=MODEL),
        "all withdrawn": report(number=3),
    }
    for name, document in documents.items():
        path = tmp_path / f"{name}.dcm"
        path.write_bytes(write_report(document, form, images))
        assert complaints(path) == [], name


def test_the_checker_is_asked_in_earnest(tmp_path: Path) -> None:
    path = tmp_path / "broken.dcm"
    images = pictures(tmp_path)
    path.write_bytes(write_report(report(read_of(images[2])), Form.VIEWER, images))
    change(path, lambda ds: delattr(ds, "CompletionFlag"))
    assert complaints(path) != []


def test_the_viewer_form_hangs_the_outline_under_its_only_number(tmp_path: Path) -> None:
    images = pictures(tmp_path)
    data = write_report(report(read_of(images[2])), Form.VIEWER, images)
    (group,) = groups(dcmread(BytesIO(data)))
    (number,) = [item for item in group.ContentSequence if item.ValueType == "NUM"]
    (outline,) = number.ContentSequence
    assert (outline.ValueType, outline.GraphicType, len(outline.GraphicData)) == ("SCOORD", "POLYLINE", 10)
    assert list(outline.GraphicData[:4]) == [BOX.x0, BOX.y0, BOX.x1, BOX.y0]
    assert list(outline.GraphicData[:2]) == list(outline.GraphicData[-2:])
    assert items(group, "112039")[0].TextValue == "Cornerstone3DTools@^0.1.0:RectangleROI"
    assert items(group, "121106")[0].TextValue == "L3 malignant"
    assert not any(item.ValueType == "SCOORD" for item in group.ContentSequence)


def test_the_standard_form_is_what_slicer_looks_for(tmp_path: Path) -> None:
    images = pictures(tmp_path)
    data = write_report(report(read_of(images[2])), Form.STANDARD, images)
    document = highdicom.sr.ComprehensiveSR.from_dataset(dcmread(BytesIO(data)))
    (group,) = document.content.get_planar_roi_measurement_groups()
    assert group.roi.value.tolist()[0] == [BOX.x0, BOX.y0]
    assert not any(item.ValueType == "NUM" for item in group[0].ContentSequence)
    (purpose,) = items(group[0], "130400")
    assert purpose.ConceptCodeSequence[0].CodeValue == "75958009"


def test_a_model_is_a_device_with_its_versions(tmp_path: Path) -> None:
    images = pictures(tmp_path)
    said = read_of(images[2], confidence=None, basis=None, note="", probability=0.83)
    for form in Form:
        data = write_report(report(said, author=MODEL), form, images)
        found = read_report(data)
        assert (found.observer.name, found.observer.is_device) == ("spine_fracture", True)
        (group,) = groups(dcmread(BytesIO(data)))
        assert items(group, "111003")[0].TextValue == "det-3 cls-7"
        assert items(group, "121106")[0].TextValue == "L3 malignant 0.83"


def test_everybody_is_told_that_it_is_not_for_clinical_use(tmp_path: Path) -> None:
    images = pictures(tmp_path)
    author = Algorithm("a model with a name that is much longer than any description may be", "1")
    said = read_of(images[2], confidence=None, probability=0.5)
    ds = dcmread(BytesIO(write_report(report(said, author=author), Form.STANDARD, images)))
    assert ds.SeriesDescription.endswith("not for clinical use)") and len(ds.SeriesDescription) <= 64
    assert (ds.PreliminaryFlag, ds.VerificationFlag) == ("PRELIMINARY", "UNVERIFIED")


def test_patient_and_study_are_those_of_the_pictures(tmp_path: Path) -> None:
    files = written(tmp_path)
    for path in files:
        change(path, lambda ds: (setattr(ds, "PatientName", "Doe^Jane"), setattr(ds, "PatientSex", "F")))
    images = open_images(files)
    ds = dcmread(BytesIO(write_report(report(read_of(images[0])), Form.VIEWER, images)))
    assert (ds.PatientName, ds.PatientSex, ds.PatientID) == ("Doe^Jane", "F", "patient-a")
    assert ds.StudyInstanceUID == images[0].header.StudyInstanceUID


def test_headers_that_lack_what_may_be_empty_will_do(tmp_path: Path) -> None:
    def strip(ds: object) -> None:
        for name in ("PatientSex", "StudyID", "AccessionNumber", "SpacingBetweenSlices", "SliceThickness"):
            delattr(ds, name)
        ds.PatientBirthDate = ""  # type: ignore[attr-defined]

    images = open_images([change(path, strip) for path in written(tmp_path)])
    assert read_report(write_report(report(read_of(images[0])), Form.VIEWER, images)).statements


def test_a_slice_of_a_multi_frame_picture_is_named_by_its_frame(tmp_path: Path) -> None:
    path = enhanced(written(tmp_path / "single", volume()), tmp_path / "enhanced.dcm")
    images = open_images([path])
    said = read_of(images[0], region=Region(images[0].sop_uid, BOX, frame=4))
    for form in Form:
        (back,) = read_report(write_report(report(said), form, images)).statements
        assert back.region is not None and back.region.frame == 4


def test_what_cannot_be_written_is_refused_when_it_is_made(tmp_path: Path) -> None:
    images = pictures(tmp_path)
    said = read_of(images[2])
    with pytest.raises(InputError, match="confidence or a model"):
        read_of(images[2], probability=0.5)
    with pytest.raises(InputError, match="1 to 5"):
        read_of(images[2], confidence=6)
    with pytest.raises(InputError, match="one statement a level"):
        report(said, said)
    with pytest.raises(InputError, match="not given"):
        write_report(report(said), Form.VIEWER, images[3:])
    with pytest.raises(InputError, match="at least one"):
        write_report(report(said), Form.VIEWER, [])


def test_lost_pictures_are_named_without_their_path(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be opened") as error:
        open_images([tmp_path / "Doe Jane.dcm"])
    assert "Jane" not in str(error.value)


def test_a_report_names_every_class_and_level(tmp_path: Path) -> None:
    images = pictures(tmp_path)
    levels = [*Level][: len(Diagnosis)]
    said = [
        read_of(images[0], level, diagnosis=diagnosis)
        for level, diagnosis in zip(levels, Diagnosis, strict=True)
    ]
    for form in Form:
        found = read_report(write_report(report(*said), form, images)).statements
        assert [one.diagnosis for one in found] == list(Diagnosis)
    every = [read_of(images[0], level) for level in Level]
    found = read_report(write_report(report(*every), Form.STANDARD, images)).statements
    assert [one.level for one in found] == list(Level)
