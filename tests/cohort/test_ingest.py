"""Intake: whole studies go in once, everything else is listed, nothing identifying is kept."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_cohort import answer, ingested, series, write_study
from PIL import Image
from pydicom import dcmread
from sqlalchemy import func, select

from spine_fracture.anatomy import Level
from spine_fracture.cohort import tables
from spine_fracture.cohort.ingest import ingest
from spine_fracture.cohort.models import Instance, Patient, Read, Refused, Role, Series, Study, StudyLevel
from spine_fracture.cohort.outlines import draw_level
from spine_fracture.cohort.overview import reasons
from spine_fracture.cohort.project import Project
from spine_fracture.cohort.reads import DrawnBox, submit_read
from spine_fracture.cohort.records import AuditEvent
from spine_fracture.cohort.splits import split_of
from spine_fracture.cohort.studies import load_pair, note_refusal, read_volume
from spine_fracture.dicom.demographics import Sex
from spine_fracture.dicom.nifti import write_nifti
from spine_fracture.dicom.write import PatientTags, uid_from, write_series
from spine_fracture.errors import ConflictError, InputError, NotFoundError
from spine_fracture.geometry import PixelBox
from spine_fracture.imaging import FURTHER, Sequence, SpacingOrigin


def contents(project: Project) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table."""
    with project.engine.connect() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key))]
            for table in tables.METADATA.sorted_tables
        }


def test_a_study_goes_in_and_can_be_read(project: Project, pictures: Path) -> None:
    uid = ingested(project, "hospital-4711", pictures)
    with project.session() as session:
        study = session.scalars(select(Study)).one()
        assert (study.uid, study.patient.centre.name) == (uid, "Centre A")
        assert study.patient.split is split_of(study.patient.key)
        assert study.patient.field_strength == 1.5
        assert {(s.sequence, s.role, s.slices, s.usable) for s in study.series} == {
            (Sequence.T1, Role.T1, 3, True),
            (Sequence.T2, Role.T2, 3, True),
        }
        pair = load_pair(session, uid)
    assert pair.has_t1 and pair.has_t2
    assert pair.reference.series_uid == uid_from("series", "hospital-4711", Sequence.T2)


def test_doing_it_twice_changes_nothing(project: Project, pictures: Path) -> None:
    uid = ingested(project, "hospital-4711", pictures)
    (pictures / "hospital-4711" / "readme.txt").write_text("not a picture")
    ingest(pictures, "Centre A", project)
    before = contents(project)
    report = ingest(pictures, "Centre A", project)
    assert (report.added, report.unchanged) == ((), (uid,))
    assert contents(project) == before


def test_sex_and_age_are_kept_and_added_where_they_were_missing(project: Project, pictures: Path) -> None:
    uid = ingested(project, "hospital-4711", pictures)
    for path in pictures.rglob("*.dcm"):
        ds = dcmread(path)
        ds.PatientSex, ds.PatientBirthDate, ds.StudyDate = "F", "19500601", "20240531"
        ds.save_as(path)
    assert ingest(pictures, "Centre A", project).added == (uid,)
    assert ingest(pictures, "Centre A", project).unchanged == (uid,)
    with project.session() as session:
        study = session.scalars(select(Study)).one()
        assert (study.patient.sex, study.age) == (Sex.FEMALE, 73)
        events = session.scalars(select(AuditEvent.action).where(AuditEvent.subject == f"study:{study.id}"))
        assert events.all() == ["study.ingested", "study.described"]
    assert "1950" not in str(contents(project))


def test_nothing_that_identifies_is_stored(project: Project, pictures: Path) -> None:
    ingested(project, "hospital-4711", pictures)
    for path in pictures.rglob("*.dcm"):
        ds = dcmread(path)
        ds.PatientName, ds.PatientID = "Doe^Jane", "hospital-0815"
        ds.StudyInstanceUID = "1.2.3"
        ds.SeriesInstanceUID += ".1"
        ds.SOPInstanceUID += ".1"
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        ds.save_as(path)
    for path in sorted((pictures / "hospital-4711").iterdir()):
        path.rename(pictures / path.name)
    (pictures / "hospital-4711").rmdir()
    ingest(pictures, "Centre A", project)
    kept = {name: rows for name, rows in contents(project).items() if name != "study_folder"}
    assert "Doe" not in str(kept) and "hospital-" not in str(kept)
    assert (project.home / "secret.key").stat().st_mode & 0o777 == 0o600


def test_the_same_id_in_two_hospitals_is_two_patients(project: Project, pictures: Path) -> None:
    for centre, number in (("Centre A", 1), ("Centre B", 2)):
        tags = PatientTags("17", uid_from("study", number))
        write_series(series(Sequence.T2, str(number)), tags, pictures / centre)
        ingest(pictures / centre, centre, project)
    with project.session() as session:
        assert session.scalar(select(func.count(Patient.id))) == 2


def test_our_own_keys_stay_as_they_are(project: Project, pictures: Path) -> None:
    ingested(project, "phantom-000007", pictures)
    with project.session() as session:
        assert session.scalars(select(Patient.key)).one() == "phantom-000007"


def test_a_missing_t2_is_said_and_made_up_for_later(project: Project, pictures: Path) -> None:
    uid = write_study(pictures, "p1", sequences=(Sequence.T1,))
    assert ingest(pictures, "Centre A", project).incomplete == ((uid, "T2"),)
    with project.session() as session:
        assert not load_pair(session, uid).has_t2
    write_study(pictures, "p1", sequences=(Sequence.T2,))
    report = ingest(pictures / "T2", "Centre A", project)
    assert (report.added, report.incomplete) == ((uid,), ())
    with project.session() as session:
        assert load_pair(session, uid).has_t1 and load_pair(session, uid).has_t2


def test_slices_that_were_missing_are_added(project: Project, pictures: Path) -> None:
    uid = write_study(pictures, "p1")
    late = sorted((pictures / "T2").iterdir(), key=lambda p: float(dcmread(p).ImagePositionPatient[0]))[-1]
    held = late.rename(pictures.parent / late.name)
    ingest(pictures, "Centre A", project)
    held.rename(late)
    assert ingest(pictures, "Centre A", project).added == (uid,)
    with project.session() as session:
        assert load_pair(session, uid).pixels.shape[0] == 3


@pytest.mark.parametrize("late", [(0, 1), (1, 3, 5), (4, 5)])
def test_what_was_drawn_stays_on_its_picture_when_slices_come_in_later(
    project: Project, pictures: Path, late: tuple[int, ...]
) -> None:
    """Slices before, between and after those that a reader has seen; the read does not say on which UID."""
    study, level_id, whole = _drawn_while_slices_were_missing(project, pictures, late)
    with project.session() as session:
        seen = {part.sop_uid for part in session.get_one(StudyLevel, level_id).slices}
        version = session.get_one(StudyLevel, level_id).version
    with project.transaction() as session:
        drawn = DrawnBox(uid_from("series", "p1", Sequence.T2), 0, PixelBox(20, 30, 44, 50))
        submit_read(session, answer(level_id, box=drawn, level_version=version))
    for number in late:
        (pictures.parent / f"{number}.dcm").rename(pictures / f"{number}.dcm")
    assert ingest(pictures, "Centre A", project).added == (study,)
    with project.session() as session:
        read = session.scalars(select(Read)).one()
        assert read.series is not None and read.slice_index is not None
        uids = read_volume(read.series).slice_uids
        assert list(uids) == whole
        assert uids[read.slice_index] == next(uid for k, uid in enumerate(whole) if k not in late)
        parts = read.level.slices
        assert len(seen) == 2 and {part.sop_uid for part in parts} == seen
        assert all(uids[part.slice_index] == part.sop_uid for part in parts)
    if 0 in late:  # who had it open counted the slices as they were
        with pytest.raises(ConflictError, match="changed"), project.transaction() as session:
            submit_read(session, answer(level_id, "late", reader="reader-2", level_version=version))


def _drawn_while_slices_were_missing(
    project: Project, pictures: Path, late: tuple[int, ...]
) -> tuple[str, int, list[str]]:
    """A level drawn on the first slice there is of a series; those of ``late`` lie beside ``pictures``.

    Returns the study's UID, the level's id, and the UIDs of all six slices in the order of reading.
    """
    study = uid_from("study", "p1")
    written = write_series(series(Sequence.T2, "p1", (6, 96, 64)), PatientTags("p1", study), pictures)
    # From left to right, which is against the x of DICOM.
    for number, path in enumerate(sorted(written, key=lambda p: -float(dcmread(p).ImagePositionPatient[0]))):
        path.rename((pictures.parent if number in late else pictures) / f"{number}.dcm")
    folders = [pictures.parent if number in late else pictures for number in range(6)]
    whole = [str(dcmread(folder / f"{k}.dcm").SOPInstanceUID) for k, folder in enumerate(folders)]
    ingest(pictures, "Centre A", project)
    drawn = DrawnBox(uid_from("series", "p1", Sequence.T2), 0, PixelBox(20, 30, 44, 50))
    return study, draw_level(project, study, Level.L1, drawn, "reader-1"), whole


def test_what_cannot_be_used_is_listed_and_the_rest_goes_in(project: Project, pictures: Path) -> None:
    good = write_study(pictures / "good", "good")
    write_study(pictures / "ct", "ct")
    for path in (pictures / "ct").rglob("*.dcm"):
        ds = dcmread(path)
        ds.Modality = "CT"
        ds.save_as(path)
    write_study(pictures / "short", "short", sequences=(Sequence.T2,))
    for path in (pictures / "short").rglob("*.dcm"):
        path.write_bytes(path.read_bytes()[:900])
    (pictures / "notes.txt").write_text("x")
    report = ingest(pictures, "Centre A", project)
    assert report.added == (good,)
    reasons = {refusal.path.relative_to(pictures).parts[0]: refusal.reason for refusal in report.refused}
    assert set(reasons) == {"ct", "short", "notes.txt"}
    assert "not MR" in reasons["ct"]
    with project.session() as session:
        assert session.scalar(select(func.count(Refused.id))) == len(report.refused) == 6 + 3 + 1


def test_what_was_refused_and_is_mended_leaves_the_list(project: Project, pictures: Path) -> None:
    write_study(pictures, "p1")
    whole = {path: path.read_bytes() for path in (pictures / "T2").iterdir()}
    for path, data in whole.items():
        path.write_bytes(data[:900])
    assert len(ingest(pictures, "Centre A", project).refused) == 3
    for path, data in whole.items():
        path.write_bytes(data)
    assert ingest(pictures, "Centre A", project).refused == ()
    with project.session() as session:
        assert session.scalar(select(func.count(Refused.id))) == 0


def test_axial_only_is_refused(project: Project, pictures: Path) -> None:
    write_study(pictures, "p1", sequences=(Sequence.T2,))
    for index, path in enumerate(sorted(pictures.rglob("*.dcm"))):
        ds = dcmread(path)
        ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        ds.ImagePositionPatient = [0, 0, 4 * index]
        ds.save_as(path)
    report = ingest(pictures, "Centre A", project)
    assert report.added == () and "axial" in report.refused[0].reason
    with project.session() as session:
        assert session.scalar(select(func.count(Study.id))) == 0


@pytest.mark.parametrize("tag", ["PatientID", "StudyInstanceUID"])
def test_the_same_pictures_under_another_name_are_refused(project: Project, pictures: Path, tag: str) -> None:
    ingested(project, "p1", pictures)
    copy = shutil.copytree(pictures / "p1", pictures.parent / "copy")
    for path in copy.rglob("*.dcm"):
        ds = dcmread(path)
        setattr(ds, tag, "1.2.3.4")
        ds.save_as(path)
    before = contents(project)["instance"]
    report = ingest(copy, "Centre A", project)
    assert report.added == ()
    assert report.refused and all("in the catalogue already" in r.reason for r in report.refused)
    assert contents(project)["instance"] == before


def test_a_study_of_another_centre_is_refused(project: Project, pictures: Path) -> None:
    ingested(project, "p1", pictures)
    report = ingest(pictures, "Centre B", project)
    assert report.added == () and "another patient or centre" in report.refused[0].reason


def test_without_a_patient_id_nothing_goes_in(project: Project, pictures: Path) -> None:
    write_study(pictures, "p1")
    for path in pictures.rglob("*.dcm"):
        ds = dcmread(path)
        ds.PatientID = ""
        ds.save_as(path)
    report = ingest(pictures, "Centre A", project)
    assert report.added == () and "patient id" in report.refused[0].reason


def test_files_that_moved_are_found_again(project: Project, pictures: Path) -> None:
    uid = ingested(project, "p1", pictures)
    moved = (pictures / "p1").rename(pictures.parent / "elsewhere")
    with project.session() as session, pytest.raises(InputError, match="no longer where"):
        load_pair(session, uid)
    assert ingest(moved, "Centre A", project).unchanged == (uid,)
    with project.session() as session:
        assert load_pair(session, uid).has_t2


def test_a_pair_of_nifti_volumes(project: Project, pictures: Path) -> None:
    for sequence in (Sequence.T1, Sequence.T2):
        write_nifti(series(sequence, f"n{sequence}"), pictures / f"sub-01_{sequence}w.nii.gz")
    write_nifti(series(Sequence.T1, "nT1"), pictures / "sub-02_T1w.nii.gz")
    report = ingest(pictures, "Centre A", project)
    assert len(report.added) == 1 and report.incomplete == ()
    assert ["copy" in refusal.reason for refusal in report.refused] == [True]
    assert ingest(pictures, "Centre A", project).unchanged == report.added
    with project.session() as session:
        assert load_pair(session, report.added[0]).pixels.shape == (3, 2, 96, 64)


def write_nifti_pair(folder: Path, name: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for sequence in (Sequence.T1, Sequence.T2):
        write_nifti(series(sequence, f"{name}{sequence}"), folder / f"{name}_{sequence}w.nii.gz")


def test_what_is_linked_is_taken_in_by_the_names_of_its_links(project: Project, pictures: Path) -> None:
    """A patient's folder, NIfTI below one, and files whose targets, as of git-annex, tell nothing."""
    away, inside = pictures / "away", pictures / "in"
    inside.mkdir()
    write_study(away / "p1", "p1")
    write_nifti_pair(away / "p2", "n2")
    (away / "p2" / "readme.txt").write_text("not a picture")
    for patient in ("p1", "p2"):
        (inside / patient).symlink_to(away / patient)
    write_nifti_pair(away, "n3")
    (inside / ".git" / "annex").mkdir(parents=True)
    for number, path in enumerate(sorted(away.glob("n3_*"))):
        stored = path.rename(inside / ".git" / "annex" / f"MD5E-{number}")
        (inside / path.name).symlink_to(stored.relative_to(inside))
    report = ingest(inside, "Centre A", project)
    assert len(report.added) == 3 and report.incomplete == ()
    assert [r.path for r in report.refused] == [inside / "p2" / "readme.txt"]
    assert set(ingest(inside, "Centre A", project).unchanged) == set(report.added)
    with project.session() as session:
        kept = {Path(path).parts[0] for path in session.scalars(select(Instance.path))}
        assert kept == {"p1", "p2", "n3_T1w.nii.gz", "n3_T2w.nii.gz"}
        for uid in report.added:
            assert load_pair(session, uid).has_t1 and load_pair(session, uid).has_t2


def test_a_link_may_be_all_that_is_given(project: Project, pictures: Path) -> None:
    write_nifti_pair(pictures.parent / "away", "n1")
    (pictures / "n1_T1.nii.gz").symlink_to(pictures.parent / "away" / "n1_T1w.nii.gz")
    assert len(ingest(pictures / "n1_T1.nii.gz", "Centre A", project).added) == 1
    (pictures / "folder").symlink_to("folder")  # which is itself, and no folder
    with pytest.raises(InputError, match="cannot be opened"):
        ingest(pictures / "folder", "Centre A", project)


def test_what_is_refused_is_named_as_the_folder_was(
    project: Project, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (pictures / "p1").mkdir()
    (pictures / "p1" / "readme.txt").write_text("not a picture")
    monkeypatch.chdir(pictures)
    (refusal,) = ingest(Path("p1"), "Centre A", project).refused
    assert refusal.path == Path("p1/readme.txt")
    (pictures / "unnamed.png").touch()
    (refusal,) = ingest(Path("unnamed.png"), "Centre A", project).refused
    assert refusal.path == Path("unnamed.png")


def test_what_a_mac_keeps_beside_a_file_is_not_listed(project: Project, pictures: Path) -> None:
    write_nifti_pair(pictures, "n1")
    (pictures / "._n1_T1w.nii.gz").write_bytes(b"no volume")
    report = ingest(pictures, "Centre A", project)
    assert len(report.added) == 1 and report.refused == ()


def test_one_file_makes_nothing_of_its_folder_forgotten(project: Project, pictures: Path) -> None:
    for name in ("a_T1.png", "b_T1.png", "c_T1.png"):
        (pictures / name).write_bytes(b"no picture")
    assert len(ingest(pictures, "Centre A", project).refused) == 3
    Image.fromarray(np.arange(4096, dtype=np.uint8).reshape(64, 64)).save(pictures / "a_T1.png")
    assert len(ingest(pictures / "a_T1.png", "Centre A", project).added) == 1
    assert len(ingest(pictures / "b_T1.png", "Centre A", project).refused) == 1
    with project.session() as session:
        assert session.scalar(select(func.count(Refused.id))) == 2
    (pictures / "b_T1.png").unlink()
    ingest(pictures, "Centre A", project)
    with project.session() as session:
        assert session.scalar(select(func.count(Refused.id))) == 1


def test_a_pair_of_pictures_has_no_millimetres(project: Project, pictures: Path) -> None:
    rng = np.random.default_rng(3)
    for mark in ("T1", "T2"):
        Image.fromarray(rng.integers(0, 255, (80, 64), dtype=np.uint8)).save(pictures / f"a_{mark}.png")
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(pictures / "unnamed.png")
    (pictures / "broken_T1.jpg").write_bytes(b"\xff\xd8no")
    report = ingest(pictures, "Centre A", project)
    assert len(report.added) == 1
    assert {r.path.name for r in report.refused} == {"unnamed.png", "broken_T1.jpg"}
    with project.session() as session:
        origins = set(session.scalars(select(Series.spacing_origin)))
        assert origins == {SpacingOrigin.UNKNOWN}
        assert load_pair(session, report.added[0]).has_t1


def test_a_plain_file_that_changed_is_not_read(project: Project, pictures: Path) -> None:
    path = pictures / "a_T2.png"
    Image.fromarray(np.arange(4096, dtype=np.uint8).reshape(64, 64)).save(path)
    ingest(path, "Centre A", project)
    Image.fromarray(np.arange(4096, dtype=np.uint8).reshape(64, 64).T).save(path)
    with project.session() as session, pytest.raises(InputError, match="changed"):
        read_volume(session.scalars(select(Series)).one())


def test_folders_that_cannot_be_read_at_all(project: Project, pictures: Path) -> None:
    for path in (pictures, pictures / "missing"):
        with pytest.raises(InputError):
            ingest(path, "Centre A", project)
    with pytest.raises(InputError, match="centre"):
        ingest(pictures, " ", project)
    with project.session() as session, pytest.raises(NotFoundError, match="no study"):
        load_pair(session, "1.2.3")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_closed_folder(project: Project, pictures: Path) -> None:
    write_study(pictures / "open", "p1")
    closed = pictures / "closed"
    closed.mkdir(mode=0o000)
    try:
        report = ingest(pictures, "Centre A", project)
    finally:
        closed.chmod(0o700)
    assert len(report.added) == 1 and report.refused[0].path == closed


def test_what_went_in_is_on_record(project: Project, pictures: Path) -> None:
    ingested(project, "p1", pictures)
    with project.session() as session:
        event = session.scalars(select(AuditEvent)).one()
        assert event.action == "study.ingested" and event.code_version.startswith("spine-fracture ")
        assert session.scalar(select(func.count(Instance.id))) == 6


def test_stir_is_kept_beside_the_pair_and_nothing_is_held_against_it(
    project: Project, pictures: Path
) -> None:
    uid = write_study(pictures, "p1", sequences=(Sequence.T1, Sequence.T2, Sequence.T2_FAT_SAT))
    ingest(pictures, "Centre A", project)
    with project.session() as session:
        (stir,) = session.scalars(select(Series).where(Series.sequence == Sequence.T2_FAT_SAT))
        assert (stir.role, stir.usable, stir.reason) == (None, True, "")
        assert reasons(session) == ()
        (beside,) = load_pair(session, uid, FURTHER).further
    assert beside.sequence is Sequence.T2_FAT_SAT


def taken_for(project: Project, sequence: Sequence, once: Sequence, role: Role | None) -> None:
    """A series as a release left it that took it for another sequence and gave it this role."""
    with project.transaction() as session:
        (row,) = session.scalars(select(Series).where(Series.sequence == sequence))
        row.sequence, row.role, row.usable, row.reason = once, role, True, ""


def parts(project: Project) -> dict[str, tuple[Role | None, bool, str]]:
    with project.session() as session:
        return {s.sequence: (s.role, s.usable, s.reason) for s in session.scalars(select(Series))}


def test_a_series_that_is_recognised_otherwise_now_gives_up_its_role(
    project: Project, pictures: Path
) -> None:
    uid = write_study(pictures, "p1", sequences=(Sequence.T1, Sequence.T2, Sequence.T2_FAT_SAT))
    ingest(pictures, "Centre A", project)
    taken_for(project, Sequence.T2, Sequence.UNKNOWN, None)
    taken_for(project, Sequence.T2_FAT_SAT, Sequence.T2, Role.T2)
    with project.session() as session, pytest.raises(InputError, match="ingest the study again if"):
        load_pair(session, uid)
    assert ingest(pictures, "Centre A", project).added == (uid,)
    assert parts(project) == {
        Sequence.T1: (Role.T1, True, ""),
        Sequence.T2: (Role.T2, True, ""),
        Sequence.T2_FAT_SAT: (None, True, ""),
    }
    with project.session() as session:
        assert load_pair(session, uid, FURTHER).acquired == {*Sequence} - {Sequence.T1_CONTRAST, "unknown"}
    before = contents(project)
    assert ingest(pictures, "Centre A", project).unchanged == (uid,)
    assert contents(project) == before


def test_a_study_whose_only_t2_turns_out_to_be_stir_is_kept_and_says_so(
    project: Project, pictures: Path
) -> None:
    uid = write_study(pictures, "p1", sequences=(Sequence.T2,))
    ingest(pictures, "Centre A", project)
    for path in pictures.rglob("*.dcm"):
        ds = dcmread(path)
        ds.SeriesDescription = "STIR SAG"
        ds.save_as(path)
    with project.transaction() as session:
        note_refusal(session, uid, "A T2_FS series was given as T2")
    report = ingest(pictures, "Centre A", project)
    assert (report.added, report.refused) == ((uid,), ())
    ((_, why, count),) = told(project)
    assert "T2_FS" in why and "plain sagittal T1 or T2" in why and count == 1
    before = contents(project)
    assert ingest(pictures, "Centre A", project).unchanged == (uid,)
    assert contents(project) == before
    # Its plain T1 comes later.
    write_study(pictures, "p1", sequences=(Sequence.T1,))
    assert ingest(pictures, "Centre A", project).incomplete == ((uid, "T2"),)
    assert told(project) == ()


def test_series_beside_the_chosen_pair_say_why_they_are_not_read(project: Project, pictures: Path) -> None:
    uid = write_study(pictures, "p1")
    tags = PatientTags("p1", uid)
    write_series(series(Sequence.T2, "again"), tags, pictures / "again")
    ingest(pictures, "Centre A", project)
    assert told(project) == (("Centre A", "one more sagittal T2: another one of the study is read", 1),)
    elsewhere = write_study(pictures / "b", "p2", sequences=(Sequence.T2,))
    neck = series(Sequence.T1, "neck")
    matrix = neck.frame.matrix.copy()
    matrix[:3, 3] += (0, 0, 900)
    away = replace(neck, frame=replace(neck.frame, matrix=matrix))
    write_series(away, PatientTags("p2", elsewhere), pictures / "b" / "neck")
    assert ingest(pictures, "Centre A", project).incomplete == ((elsewhere, "T1"),)
    assert ("Centre A", "sagittal T1 of another region than the series that is read", 1) in told(project)


def told(project: Project) -> tuple[tuple[str, str, int], ...]:
    with project.session() as session:
        return reasons(session)


def test_the_models_are_not_given_axial_slices(project: Project, pictures: Path) -> None:
    """A study with both planes pairs the sagittal ones, and says why the other is not read."""
    uid = write_study(pictures, "p1")
    axial = series(Sequence.T2, "axial")
    matrix = axial.frame.matrix[:, [1, 0, 2, 3]].copy()
    matrix[:3, :3] = np.diag([0.9, 0.9, 4.0])
    frame = type(axial.frame)(matrix, axial.frame.shape)
    volume = type(axial)(**{**vars(axial), "frame": frame})
    write_series(volume, PatientTags("p1", uid), pictures / "axial")
    ingest(pictures, "Centre A", project)
    with project.session() as session:
        unused = session.scalars(select(Series).where(Series.usable.is_(False))).one()
        assert unused.role is None and "axial" in unused.reason
        assert load_pair(session, uid).has_t1
