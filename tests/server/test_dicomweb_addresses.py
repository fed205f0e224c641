"""Which DICOMweb addresses exist here, and how queries match."""

from __future__ import annotations

import pytest
from starlette.datastructures import QueryParams

from spine_fracture.errors import InputError, NotFoundError
from spine_fracture.server.dicomweb import multipart
from spine_fracture.server.dicomweb.addresses import Address, What, parse
from spine_fracture.server.dicomweb.attributes import Attributes, of
from spine_fracture.server.dicomweb.listed import listed_query, listed_rows
from spine_fracture.server.dicomweb.matching import Query

ROW: Attributes = {
    "00080020": of("DA", "20240131"),
    "00080061": of("CS", "MR", "SR"),
    "00100010": of("PN", {"Alphabetic": "phantom-000001"}),
    "0020000D": of("UI", "1.2.3"),
    "00081030": of("LO", "Lumbar spine"),
}


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("studies", Address(What.STUDIES, "studies")),
        ("series", Address(What.SERIES, "series")),
        ("studies/1.2/series", Address(What.SERIES, "studies/1.2/series", "1.2")),
        ("studies/1.2/instances", Address(What.INSTANCES, "studies/1.2/instances", "1.2")),
        ("studies/1.2/metadata", Address(What.METADATA, "studies/1.2/metadata", "1.2")),
        ("studies/1.2/series/3", Address(What.SERIES_FILES, "studies/1.2/series/3", "1.2", "3")),
        (
            "studies/1.2/series/3/instances/4.5/frames/1,12",
            Address(
                What.FRAMES, "studies/1.2/series/3/instances/4.5/frames/1,12", "1.2", "3", "4.5", (1, 12)
            ),
        ),
        (
            "studies/1.2/series/3/instances/4/bulk/0040A730/1/00420011",
            Address(What.BULK, "studies/1.2/series/3/instances/4/bulk/0040A730/1/00420011", "1.2", "3", "4"),
        ),
    ],
)
def test_an_address_says_what_it_asks_for(path: str, address: Address) -> None:
    assert parse(path) == address


@pytest.mark.parametrize(
    "path",
    [
        "",
        "studies/",
        "/studies",
        "studies/1.2",
        "studies/../instances",
        "studies/1.2/../../system",
        "studies/1.2/series/3/instances/4/frames/0x1",
        "studies/1.2/series/3/instances/4/frames/" + ",".join(["1"] * 200),
        "studies/1.2/series/abc/metadata",
        "studies/1.2./metadata",
        "studies/" + "1" * 65 + "/metadata",
        "studies/1.2/series/3/instances/4/bulk/../../x",
        "studies/1.2/series/3/instances/4/bulk/http:",
        "servers/other/studies",
        "studies\n",
        "studies?a=b",
        "studies/1.2%2fseries",
    ],
)
def test_no_other_address_exists(path: str) -> None:
    with pytest.raises(NotFoundError):
        parse(path)


@pytest.mark.parametrize(
    ("query", "fits"),
    [
        ("", True),
        ("PatientName=*", True),
        ("PatientName=phantom*", True),
        ("PatientName=*0001*", True),
        ("PatientName=PHANTOM-000001", True),
        ("PatientName=phantom", False),
        ("PatientName=phantom&fuzzymatching=true", True),
        ("PatientName=0000&fuzzymatching=true", True),
        ("PatientName=(.*", False),
        ("00100010=phantom-00000?", True),
        ("StudyDate=20240131", True),
        ("StudyDate=20240101-20240131", True),
        ("StudyDate=20240101-", True),
        ("StudyDate=-20240130", False),
        ("StudyDate=20240201-20240301", False),
        ("ModalitiesInStudy=SR", True),
        ("ModalitiesInStudy=CT", False),
        ("ModalitiesInStudy=CT,MR", True),
        ("StudyInstanceUID=9.9,1.2.3", True),
        ("StudyInstanceUID=9.9%5C1.2.3", True),
        ("StudyInstanceUID=1.2", False),
        ("StudyDescription=*spine", True),
        ("AccessionNumber=7", False),
        ("NoSuchAttribute=7", True),
    ],
)
def test_queries_match_as_the_standard_says(query: str, fits: bool) -> None:
    assert Query.of(QueryParams(query)).matches(ROW) is fits


def test_a_page_is_cut_out_of_what_matches() -> None:
    rows = [{"00200013": of("IS", number)} for number in range(7)]
    assert list(Query.of(QueryParams("limit=2&offset=3")).page(rows)) == rows[3:5]
    assert list(Query.of(QueryParams("")).page(rows)) == rows
    for wrong in ("limit=-1", "limit=a", "offset=1.5", "limit=99999999999"):
        with pytest.raises(InputError):
            Query.of(QueryParams(wrong))


@pytest.mark.parametrize(
    ("query", "passed_on"),
    [
        ("PatientName=p*&limit=5&fuzzymatching=true", "PatientName=p*&limit=5&fuzzymatching=true"),
        ("0020000D=1.2&ModalitiesInStudy=SR", "0020000D=1.2&ModalitiesInStudy=SR"),
        ("includefield=00081030,0040A730,SeriesDescription", "includefield=00081030,SeriesDescription"),
        ("includefield=0040A730&includefield=00080060", "includefield=00080060"),
        ("includefield=all&IncludeField=ContentSequence", ""),
        ("0040A730.0040A160=malignant*&TextValue=malignant*", ""),
        ("ContentSequence.SeriesInstanceUID=1&includefield=0040A730.00080018", ""),
        ("ReferencedSeriesSequence=&NoSuchAttribute=7&00400254=x", ""),
    ],
)
def test_a_search_asks_for_no_content(query: str, passed_on: str) -> None:
    assert listed_query(QueryParams(query).multi_items()) == QueryParams(passed_on).multi_items()


def test_a_list_tells_no_content() -> None:
    content = {"0040A730": of("SQ", {"0040A160": of("UT", "malignant")})}
    assert listed_rows([ROW | content, ROW]) == [ROW, ROW]


def test_what_was_joined_is_split_again() -> None:
    parts = (b"one", b"", b"two\r\n--with lines\r\n\r\n", bytes(range(256)))
    message = multipart.join(parts, "application/dicom")
    assert multipart.split(message.content_type, message.body, "application/dicom") == parts


@pytest.mark.parametrize("cut", [0, 3, 40, -3])
def test_a_message_that_was_cut_short_is_refused(cut: int) -> None:
    message = multipart.join([b"one", b"two"], "application/dicom")
    with pytest.raises(InputError):
        multipart.split(message.content_type, message.body[:cut], "application/dicom")
    with pytest.raises(InputError):
        multipart.split("application/dicom", message.body, "application/dicom")
    with pytest.raises(InputError):
        multipart.split(message.content_type, message.body, "application/pdf")
