"""A centre's list of its patients: kept where the patient is known, refused whole where a line is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_cohort import answer, ingested, reading, write_study
from sqlalchemy import select
from typer.testing import CliRunner

from spine_fracture.anatomy import Primary
from spine_fracture.cli import cli
from spine_fracture.cohort.ingest import ingest
from spine_fracture.cohort.levels import store_reading
from spine_fracture.cohort.models import Patient
from spine_fracture.cohort.patient_list import Described, describe_patients, read_patient_list
from spine_fracture.cohort.project import Project
from spine_fracture.cohort.reads import submit_read
from spine_fracture.cohort.records import AuditEvent
from spine_fracture.dicom.demographics import Sex
from spine_fracture.errors import InputError, NotFoundError
from spine_fracture.settings import settings


def listed(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "patients.csv"
    path.write_text(text, encoding="utf-8-sig")
    return path


def known(project: Project) -> set[tuple[Sex | None, Primary | None]]:
    with project.session() as session:
        return {(one.sex, one.primary_tumour) for one in session.scalars(select(Patient))}


def test_patients_are_found_by_what_the_hospital_calls_them(
    project: Project, pictures: Path, tmp_path: Path
) -> None:
    ingested(project, "hospital-4711", pictures)
    entries = read_patient_list(
        listed(tmp_path, "Patient;Sex;primary_tumour\nhospital-4711;f;Breast\n\nhospital-9;M;\n")
    )
    assert describe_patients(project, "Centre A", entries) == Described(1, 0, (4,))
    assert known(project) == {(Sex.FEMALE, Primary.BREAST)}
    assert describe_patients(project, "Centre A", entries) == Described(0, 1, (4,))
    with project.session() as session:
        events = session.scalars(select(AuditEvent).where(AuditEvent.action == "patient.described")).all()
        assert [event.details for event in events] == [{"sex": "F", "primary_tumour": "breast"}]
        assert "4711" not in str([vars(event) for event in events]) + repr(entries)


def test_an_empty_cell_leaves_what_is_known_and_a_key_will_do(
    project: Project, pictures: Path, tmp_path: Path
) -> None:
    ingested(project, "hospital-4711", pictures)
    with project.session() as session:
        key = session.scalars(select(Patient.key)).one()
    for text in ("hospital-4711,lung,M", f"{key},,F"):
        entries = read_patient_list(listed(tmp_path, f"patient,primary_tumour,sex\n{text}\n"))
        assert describe_patients(project, "Centre A", entries).changed == 1
    assert known(project) == {(Sex.FEMALE, Primary.LUNG)}


def test_another_centres_patient_is_not_described(project: Project, pictures: Path, tmp_path: Path) -> None:
    ingested(project, "phantom-000000", pictures / "a")
    entries = read_patient_list(listed(tmp_path, "patient,sex\nphantom-000000,F\n"))
    with pytest.raises(NotFoundError, match="no centre Centre B"):
        describe_patients(project, "Centre B", entries)
    write_study(pictures / "b", "phantom-000001")
    ingest(pictures / "b", "Centre B", project)
    assert describe_patients(project, "Centre B", entries) == Described(0, 0, (2,))
    assert known(project) == {(None, None)}
    assert describe_patients(project, " Centre A ", entries).changed == 1


def test_one_patient_on_two_lines_refuses_the_list(project: Project, pictures: Path, tmp_path: Path) -> None:
    ingested(project, "hospital-4711", pictures)
    with project.session() as session:
        key = session.scalars(select(Patient.key)).one()
    for other in (key, "hospital-4711"):
        entries = read_patient_list(listed(tmp_path, f"patient,sex\nhospital-4711,F\n{other},M\n"))
        with pytest.raises(InputError, match="Lines 2 and 3 are of the same patient"):
            describe_patients(project, "Centre A", entries)
    assert known(project) == {(None, None)}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "begins with other columns"),
        ("patient\nx\n", "sex or primary_tumour"),
        ("sex\nF\n", "begins with other columns"),
        ("patient,sex,name\nx,F,Doe\n", "begins with other columns"),
        ("patient,sex,sex\nx,F,F\n", "each once"),
        ("patient,sex\nx,F\ny,female\n", "Line 3: write one of F, M, O"),
        ("patient,primary_tumour\nx,liver\n", "Line 2: write one of breast"),
        ("patient,sex\n,F\n", "Line 2 names no patient"),
        ("patient,sex\nx\n", "Line 2 has 1 cells"),
        ('sex,patient\nF,"x\nM,y\n', "open quote"),
    ],
)
def test_a_wrong_line_refuses_the_list(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        read_patient_list(listed(tmp_path, text))
    assert "Doe" not in str(caught.value)


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "patients.csv").write_bytes(b"\xff\xfe\x00p")
    with pytest.raises(InputError, match="CSV in UTF-8"):
        read_patient_list(tmp_path / "patients.csv")
    with pytest.raises(InputError, match="No such file"):
        read_patient_list(tmp_path / "patient.csv")


def test_the_command_describes_and_counts(
    project: Project, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPINE_FRACTURE_HOME", str(project.home))
    monkeypatch.setenv("COLUMNS", "200")
    settings.cache_clear()
    uid = ingested(project, "phantom-000000", pictures)
    with project.transaction() as session:
        submit_read(session, answer(store_reading(session, reading(session, uid))[0].id))
    path = listed(tmp_path, "patient\tprimary_tumour\nphantom-000000\trenal\nother\tlung\n")
    told = CliRunner().invoke(cli, ["cohort", "describe", str(path), "--centre", "Centre A"])
    assert told.exit_code == 0, told.output
    assert "1 patients with something new" in told.output and "lines: 3." in told.output
    for primary, levels in (("renal", "1 level."), ("lung", "0 levels.")):
        assert levels in CliRunner().invoke(cli, ["cohort", "--primary", primary]).output
