"""The open lumbar pairs come in as DICOM through ordinary intake, with their outlines as reference."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from sqlalchemy import func, select

from spine_fracture.anatomy import Level
from spine_fracture.cohort.lumbar import ASSUMED_SPACING_MM, import_lumbar
from spine_fracture.cohort.models import LevelSource, NotedFinding, Series, Study, StudyLevel
from spine_fracture.cohort.project import Project
from spine_fracture.cohort.records import AuditEvent
from spine_fracture.cohort.splits import split_of
from spine_fracture.cohort.studies import load_pair
from spine_fracture.geometry import PixelBox
from spine_fracture.imaging import Sequence, SpacingOrigin

NAMES = ("L1", "L2", "L3", "L4", "L5", "S1")


def _entry(
    patient: str, names: tuple[str, ...] = NAMES, shift: tuple[int, int] = (0, 0)
) -> dict[str, object]:
    boxes = [[40.0, 10.0 + 24 * i, 70.0, 28.0 + 24 * i] for i in range(len(names))]
    return {
        "patient": patient,
        "T1": {"file": f"images/{patient}_T1.png"},
        "T2": {"file": f"images/{patient}_T2.png"},
        "vertebrae": [{"level": n, "box": b} for n, b in zip(names, boxes, strict=True)],
        "t1_t2_shift_px": list(shift),
        "radiologist_note": "Mrs. Doe has a fracture of L1.",
        "finding_from_note": [["fracture", "L1", "old"]],
    }


@pytest.fixture
def lumbar_set(tmp_path: Path) -> Path:
    folder = tmp_path / "set"
    (folder / "images").mkdir(parents=True)
    entries = [_entry("0001", shift=(3, -2)), _entry("0002", ("L1", "L2", "L2", "L4", "L5", "S1"))]
    rng = np.random.default_rng(5)
    for patient in ("0001", "0002", "0003"):
        for mark in ("T1", "T2"):
            picture = rng.integers(0, 255, (160, 120), dtype=np.uint8)
            Image.fromarray(picture).save(folder / "images" / f"{patient}_{mark}.png")
    (folder / "images" / "0003_T1.png").write_bytes(b"cut")
    (folder / "manifest.json").write_text(json.dumps([*entries, _entry("0003")]))
    return folder


def test_pairs_outlines_and_categories_come_in(project: Project, lumbar_set: Path) -> None:
    report = import_lumbar(lumbar_set, "Lumbar", project)
    assert len(report.ingest.added) == 2
    assert [refusal.path.name for refusal in report.ingest.refused] == ["0003_T1.png"]
    assert report.repaired == ("lumbar-t1t2-0002",)
    with project.session() as session:
        study = next(s for s in session.scalars(select(Study)) if s.patient.key == "lumbar-t1t2-0001")
        assert study.patient.split is split_of("lumbar-t1t2-0001")
        assert [level.name for level in study.levels] == list(NAMES)
        assert {level.source for level in study.levels} == {LevelSource.REFERENCE}
        boxes = {s.series.sequence: s.box for s in study.levels[0].slices}
        assert boxes[Sequence.T1] == PixelBox(40, 10, 70, 28)
        # Three rows and minus two columns are taken off a T1 position to find it in T2.
        assert boxes[Sequence.T2] == PixelBox(42, 7, 72, 25)
        x, y, _ = ASSUMED_SPACING_MM
        assert study.levels[0].box.size[:2] == pytest.approx([30 * x, 18 * y])
        assert [(f.kind, f.level_text, f.wording) for f in study.findings] == [("fracture", "L1", "old")]
        assert {s.spacing_origin for s in study.series} == {SpacingOrigin.ASSUMED}
        pixels = load_pair(session, study.uid).reference.pixels[0]
        assert np.array_equal(pixels, np.asarray(Image.open(lumbar_set / "images" / "0001_T2.png")))
    written = [dcmread(path) for path in project.imported_folder.rglob("*.dcm")]
    assert all(ds.PatientID.startswith("lumbar-t1t2-") and "Doe" not in str(ds) for ds in written)


def test_a_level_named_twice_is_repaired_by_order(project: Project, lumbar_set: Path) -> None:
    import_lumbar(lumbar_set, "Lumbar", project)
    with project.session() as session:
        study = next(s for s in session.scalars(select(Study)) if s.patient.key == "lumbar-t1t2-0002")
        assert [level.name for level in study.levels] == [Level(name) for name in NAMES]
        assert not any(level.numbering_sure for level in study.levels)


def test_importing_twice_changes_nothing(project: Project, lumbar_set: Path) -> None:
    def counts() -> list[int | None]:
        with project.session() as session:
            return [
                session.scalar(select(func.count(table.id)))
                for table in (Study, Series, StudyLevel, NotedFinding, AuditEvent)
            ]

    added = import_lumbar(lumbar_set, "Lumbar", project).ingest.added
    before = counts()
    files = {path: path.stat().st_mtime_ns for path in project.imported_folder.rglob("*.dcm")}
    report = import_lumbar(lumbar_set, "Lumbar", project)
    assert (report.ingest.added, report.ingest.unchanged) == ((), added)
    assert counts() == before
    assert {path: path.stat().st_mtime_ns for path in project.imported_folder.rglob("*.dcm")} == files
    with project.session() as session:
        assert {level.version for level in session.scalars(select(StudyLevel))} == {1}


def test_a_real_patient(project: Project, real_data: Path, tmp_path: Path) -> None:
    source = real_data / "lumbar_t1t2"
    entries = json.loads((source / "manifest.json").read_text())[:1]
    (tmp_path / "manifest.json").write_text(json.dumps(entries))
    (tmp_path / "images").symlink_to(source / "images")
    report = import_lumbar(tmp_path, "Lumbar", project)
    assert len(report.ingest.added) == 1 and report.ingest.refused == ()
    with project.session() as session:
        assert load_pair(session, report.ingest.added[0]).pixels.shape == (1, 2, 384, 384)
        assert session.scalar(select(func.count(StudyLevel.id))) == 6
