"""What is a picture, also while the folder of the pictures is away."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from server.made_desk import Desk, desk
from sqlalchemy import update

from spine_fracture.cohort.models import Series
from spine_fracture.cohort.shown import was_shown
from spine_fracture.cohort.studies import find_study
from spine_fracture.dicom.sr.images import open_images
from spine_fracture.server.dicomweb.addresses import Address, parse
from spine_fracture.server.dicomweb.attributes import SERIES_UID, SOP_UID, of
from spine_fracture.server.dicomweb.pictures import Pictures
from spine_fracture.server.dicomweb.seen import note_opinions


@pytest.fixture
def one(tmp_path: Path) -> Desk:
    """A study whose series are none of those that the models read, such as STIR."""
    made = desk(tmp_path)
    with made.project.transaction() as session:
        session.execute(update(Series).values(role=None))
    return made


def _sent(at: Desk, pictures: Pictures, address: Address, series: str, sop: str) -> bool:
    """Whether a reader who was sent this is blinded no more."""
    rows = [{SERIES_UID: of("UI", series), SOP_UID: of("UI", sop)}]
    note_opinions(pictures, address, json.dumps(rows).encode(), "reader-1")
    with at.project.session() as session:
        return was_shown(session, find_study(session, at.study).levels[0], "reader-1")


def test_a_folder_that_is_away_for_a_moment_hides_nothing_for_ever(one: Desk, tmp_path: Path) -> None:
    first = open_images(one.files[:1])[0]
    series, sop = str(first.header.SeriesInstanceUID), first.sop_uid
    pictures = Pictures(one.project)
    away = (tmp_path / "pictures").rename(tmp_path / "away")
    assert not pictures.shows(one.study, series, sop)
    assert not pictures.of([one.study])
    at = f"studies/{one.study}/series/{series}"
    for path in (at, f"{at}/metadata", f"{at}/instances/{sop}", f"studies/{one.study}/metadata"):
        assert not _sent(one, pictures, parse(path), series, sop), path
    away.rename(tmp_path / "pictures")
    assert pictures.shows(one.study, series, sop)
    assert series in pictures.of_study(one.study).series


def test_a_damaged_picture_says_nothing_and_is_hidden(one: Desk) -> None:
    first = open_images(one.files[:1])[0]
    series = str(first.header.SeriesInstanceUID)
    for file in one.files:
        file.write_bytes(b"damaged")
    pictures = Pictures(one.project)
    assert pictures.shows(one.study, series) is False
    assert _sent(one, pictures, parse(f"studies/{one.study}/series/{series}"), series, first.sop_uid)
