"""Headers and files as viewers get them: whatever is odd in them, and without the people they name."""

from __future__ import annotations

import json
from io import BytesIO
from math import nan
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from server.studies import write_study
from server.viewer_objects import misspelt, report

from spine_fracture.dicom.sr.codes import MANUFACTURER
from spine_fracture.errors import UnreadablePictureError
from spine_fracture.server.dicomweb.headers import read_file, read_frames, read_header, under_key

KEY = "patient-key"
SECRET = "Doe"


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    return write_study(tmp_path, "phantom-000001")[0]


def items(**said: object) -> list[Dataset]:
    """One item of a sequence."""
    item = Dataset()
    for name, value in said.items():
        setattr(item, name, value)
    return [item]


def person() -> list[Dataset]:
    """Who somebody is, as the standard has it said."""
    return items(
        PersonIdentificationCodeSequence=items(CodeValue=SECRET, CodeMeaning=SECRET),
        PersonAddress=SECRET,
        PersonTelephoneNumbers=SECRET,
        InstitutionName=SECRET,
        InstitutionAddress=SECRET,
        InstitutionCodeSequence=items(CodeMeaning=SECRET),
    )


def test_a_value_that_cannot_be_read_is_left_out(picture: Path) -> None:
    misspelt(picture, "PatientWeight", b"70,5")
    attributes = read_header(picture, KEY).attributes
    assert "00101030" not in attributes and "00200032" in attributes
    assert dcmread(BytesIO(read_file(picture, KEY))).PixelData == dcmread(picture).PixelData


def test_json_has_no_word_for_what_is_not_finite(picture: Path) -> None:
    misspelt(picture, "EchoTime", b"NaN ")
    ds = dcmread(picture)
    ds.MRTimingAndRelatedParametersSequence = items(GradientEchoTrainLength=3, FlipAngle=90)
    ds.MRTimingAndRelatedParametersSequence[0].add_new("SpecificAbsorptionRateValue", "FD", nan)
    ds.save_as(picture)
    attributes = read_header(picture, KEY).attributes
    json.dumps(attributes, allow_nan=False)
    assert "00180081" not in attributes
    (item,) = attributes["00189112"]["Value"]
    assert item["00181314"]["Value"] == [90] and "00189181" not in item


@pytest.mark.parametrize("kept", [132, 141, 152, 200, 300])
def test_a_file_that_was_cut_off_is_an_unreadable_picture(picture: Path, kept: int) -> None:
    picture.write_bytes(picture.read_bytes()[:kept])
    with pytest.raises(UnreadablePictureError):
        read_header(picture, KEY)
    with pytest.raises(UnreadablePictureError):
        read_frames(picture, [1])


def test_what_names_people_is_left_out_by_its_kind(picture: Path) -> None:
    ds = dcmread(picture)
    for name in ("OperatorsName", "ContentCreatorName", "ReviewerName", "NameOfPhysiciansReadingStudy"):
        setattr(ds, name, SECRET)
    for role in ("Operator", "PerformingPhysician", "ReferringPhysician", "PhysiciansOfRecord"):
        setattr(ds, f"{role}IdentificationSequence", person())
    for name in ("SubjectID", "SiteName", "SponsorName"):
        setattr(ds, f"ClinicalTrial{name}", SECRET)
    ds.InstitutionName = ds.InstitutionAddress = ds.ReferringPhysicianTelephoneNumbers = SECRET
    ds.InstitutionCodeSequence = items(CodeMeaning=SECRET)
    ds.add_new("ConsultingPhysicianName", "LO", SECRET)  # a name by the standard, though not by the file
    ds.ReferencedImageSequence = items(ReferencedSOPInstanceUID="1.2.3", PersonName=SECRET, PatientID=SECRET)
    ds.ReferencedImageSequence[0].add_new(0x00091001, "LO", SECRET)
    ds.DimensionOrganizationSequence = items(DimensionOrganizationUID="1.2.4")
    ds.save_as(picture)
    header, whole = read_header(picture, KEY), read_file(picture, KEY)
    assert SECRET not in json.dumps(header.attributes)
    assert SECRET.encode() not in whole
    kept = dcmread(BytesIO(whole))
    assert kept.ReferencedImageSequence[0].ReferencedSOPInstanceUID == "1.2.3"
    assert kept.DimensionOrganizationSequence[0].DimensionOrganizationUID == "1.2.4"
    assert (kept.PatientID, str(kept.PatientName), kept.PixelData) == (KEY, KEY, ds.PixelData)


@pytest.mark.parametrize(("maker", "keeps"), [(MANUFACTURER, True), ("Vendor", False)])
def test_only_our_own_reports_keep_their_observers(maker: str, keeps: bool) -> None:
    data = report(
        "phantom-000001",
        Manufacturer=maker,
        AuthorObserverSequence=items(PersonName=SECRET, InstitutionName=SECRET),
        VerifyingObserverSequence=items(VerifyingObserverName=SECRET, VerifyingOrganization=SECRET),
        CodingSchemeIdentificationSequence=items(CodingSchemeDesignator="99SPINEFX"),
        ContentSequence=items(ValueType="PNAME", PersonName="reader-a^"),
    )
    kept = under_key(data, KEY)
    ds = dcmread(BytesIO(kept))
    assert SECRET.encode() not in kept
    assert ("PersonName" in ds.ContentSequence[0]) is keeps
    assert ds.ContentSequence[0].ValueType == "PNAME"
    assert ds.CodingSchemeIdentificationSequence[0].CodingSchemeDesignator == "99SPINEFX"
