"""Pictures of the catalogue: what cannot be read is told without the names of its files."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_cohort import write_study
from pydicom import dcmread

from spine_fracture.cohort.ingest import ingest
from spine_fracture.cohort.project import Project
from spine_fracture.cohort.studies import load_pair
from spine_fracture.errors import UnreadablePictureError


def test_a_refusal_names_no_file(project: Project, pictures: Path) -> None:
    uid = write_study(pictures, "p1")
    for path in sorted(pictures.rglob("*.dcm")):
        path.rename(path.with_name(f"DOE^JOHN_{path.name}"))
    ingest(pictures, "Centre A", project)
    for path in pictures.rglob("*.dcm"):
        ds = dcmread(path)
        del ds.Modality
        ds.save_as(path)
    with project.session() as session, pytest.raises(UnreadablePictureError) as refusal:
        load_pair(session, uid)
    assert str(refusal.value).startswith("the file: Its header has no Modality")
