"""Reports to read: ours of a few statements, and copies of them changed as other programs write them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

from dicom.made_series import volume, written
from pydicom import dcmread
from pydicom.dataset import Dataset

from spine_fracture.anatomy import Basis, Diagnosis, Feature, Level
from spine_fracture.dicom.sr.images import SourceImage, open_images
from spine_fracture.dicom.sr.statements import Author, Form, Reader, Region, Statement, StudyReport
from spine_fracture.dicom.sr.writing import write_report
from spine_fracture.dicom.write import uid_from
from spine_fracture.geometry import PixelBox
from spine_fracture.imaging import Sequence

BOX = PixelBox(3.25, 4.0, 20.5, 18.75)


def pictures(folder: Path) -> tuple[SourceImage, ...]:
    """Five slices of T1, then five of T2, of one study."""
    t1 = written(folder / "t1", volume(sequence=Sequence.T1, name="t1"))
    t2 = written(folder / "t2", volume(sequence=Sequence.T2, name="t2"))
    return open_images([*t1, *t2])


def read_of(image: SourceImage, level: Level = Level.L3, **changes: object) -> Statement:
    given: dict[str, object] = {
        "tracking_uid": uid_from("tracked", level),
        "level": level,
        "diagnosis": Diagnosis.MALIGNANT,
        "region": Region(image.sop_uid, BOX),
        "features": frozenset({Feature.DARK_LINE, Feature.SOFT_TISSUE_MASS}),
        "confidence": 4,
        "basis": Basis.BIOPSY,
        "note": "pedicle on the left, größer als sonst",
    }
    return Statement(**(given | changes))  # type: ignore[arg-type]


def report(*statements: Statement, author: Author | None = None, number: int = 1) -> StudyReport:
    return StudyReport(
        author=author or Reader("reader-1"),
        statements=statements,
        series_uid=uid_from("report series"),
        sop_uid=uid_from("report", number),
        instance_number=number,
        replaces=uid_from("report", number - 1) if number > 1 else None,
    )


def changed(data: bytes, edit: Callable[[Dataset], object]) -> bytes:
    ds = dcmread(BytesIO(data))
    edit(ds)
    buffer = BytesIO()
    ds.save_as(buffer, write_like_original=False)
    return buffer.getvalue()


def groups(ds: Dataset) -> list[Dataset]:
    """The measurement groups of a report."""
    return [
        group
        for item in ds.ContentSequence
        if item.ConceptNameCodeSequence[0].CodeValue == "126010"
        for group in item.ContentSequence
    ]


def items(group: Dataset, code: str) -> list[Dataset]:
    return [item for item in group.ContentSequence if item.ConceptNameCodeSequence[0].CodeValue == code]


def without(group: Dataset, code: str) -> None:
    group.ContentSequence = [
        item for item in group.ContentSequence if item.ConceptNameCodeSequence[0].CodeValue != code
    ]


def one_form(folder: Path, form: Form = Form.VIEWER) -> bytes:
    images = pictures(folder)
    return write_report(report(read_of(images[2])), form, images)


def complaints(path: Path) -> list[str]:
    """What dciodvfy and dsrdump find wrong with a file."""
    checked = subprocess.run(["dciodvfy", path], capture_output=True, text=True, check=False)
    dumped = subprocess.run(["dsrdump", path], capture_output=True, text=True, check=False)
    found = [line for line in checked.stderr.splitlines() if line.startswith("Error")]
    return found + [line for line in dumped.stderr.splitlines() if line.startswith("E:")] * (
        dumped.returncode != 0
    )
