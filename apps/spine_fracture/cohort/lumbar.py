"""The open lumbar pairs as DICOM studies, through the same path as any other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from spine_fracture.cohort.ingest import IngestReport, ingest
from spine_fracture.cohort.levels import new_level, outline
from spine_fracture.cohort.models import LevelSource, NotedFinding, Role, Study
from spine_fracture.cohort.project import Project
from spine_fracture.cohort.studies import find_study, read_volume
from spine_fracture.dicom.pictures import read_picture
from spine_fracture.dicom.scan import Refusal
from spine_fracture.dicom.write import PatientTags, assume_spacing, uid_from, write_series
from spine_fracture.errors import InputError
from spine_fracture.geometry import PixelBox
from spine_fracture.imaging import Sequence, Volume
from spine_fracture.levels import SliceBox
from spine_fracture.lumbar_set import LumbarPatient, read_lumbar_set

#: The set does not say its millimetres. A 300 mm field of view over 384 pixels is a usual lumbar
#: protocol, and makes the bodies of L3 about 30 mm high with their discs; 4 mm is a usual slice.
ASSUMED_SPACING_MM = (0.78, 0.78, 4.0)


@dataclass(frozen=True)
class LumbarReport:
    """``repaired`` are the patients in whom a level was named twice and put right by the order."""

    ingest: IngestReport
    repaired: tuple[str, ...]


def import_lumbar(
    folder: Path, centre: str, project: Project, *, progress: Callable[[int, int], None] | None = None
) -> LumbarReport:
    """Take in a folder laid out like ``lumbar_t1t2``; doing it twice changes nothing.

    Each pair is written as DICOM under the project's ``imported`` folder, its spacing marked as
    assumed (:data:`ASSUMED_SPACING_MM`), and ingested from there. The outlines become levels with
    source ``reference``, which no model reads, and of the notes only the categories are kept.
    """
    patients = read_lumbar_set(folder)
    target = project.imported_folder / "lumbar"
    refused: list[Refusal] = []
    written: list[LumbarPatient] = []
    for number, patient in enumerate(patients, start=1):
        try:
            _wrap(patient, target / patient.key)
            written.append(patient)
        except InputError as error:
            refused.append(Refusal(patient.t1, str(error)))
        if progress:
            progress(number, len(patients))
    report = ingest(target, centre, project)
    for patient in written:
        if study_uid(patient) in (*report.added, *report.unchanged):
            with project.transaction() as session:
                _keep_reference(session, patient)
    joined = IngestReport(report.added, report.unchanged, (*refused, *report.refused), report.incomplete)
    return LumbarReport(joined, tuple(patient.key for patient in patients if patient.repaired))


def study_uid(patient: LumbarPatient) -> str:
    return uid_from("lumbar-t1t2", patient.key)


def _wrap(patient: LumbarPatient, folder: Path) -> None:
    """Write the pair as two series, unless they are there."""
    tags = PatientTags(patient.key, study_uid(patient), study_description="Lumbar spine, open data")
    for number, (sequence, path) in enumerate(
        ((Sequence.T1, patient.t1), (Sequence.T2, patient.t2)), start=1
    ):
        volume = assume_spacing(read_picture(path, sequence), ASSUMED_SPACING_MM)
        if not (folder / f"{volume.slice_uids[0]}.dcm").is_file():
            write_series(volume, tags, folder, series_number=number)


def _keep_reference(session: Session, patient: LumbarPatient) -> None:
    study = find_study(session, study_uid(patient))
    volumes = {s.role: read_volume(s) for s in study.series if s.role}
    t1, t2 = volumes[Role.T1], volumes[Role.T2]
    known = {level.name: level for level in study.levels if level.source is LevelSource.REFERENCE}
    for vertebra in patient.vertebrae:
        box = t1.frame.box_to_patient(vertebra.box, 0, 0)
        row = known.get(vertebra.level) or new_level(study, vertebra.level, box, LevelSource.REFERENCE)
        slices = (_on(t1, vertebra.box), _on(t2, vertebra.box.shifted(*patient.t1_to_t2)))
        outline(row, vertebra.level, box, slices, numbering_sure=not patient.repaired)
    _keep_findings(study, patient)


def _on(volume: Volume, box: PixelBox) -> SliceBox:
    _, rows, columns = volume.pixels.shape
    return SliceBox(volume.series_uid, 0, volume.slice_uids[0], box.inside(rows, columns), 1.0)


def _keep_findings(study: Study, patient: LumbarPatient) -> None:
    known = {(f.kind, f.level_text, f.wording) for f in study.findings}
    for finding in patient.findings:
        noted = (finding.kind[:64], finding.level_text[:64], finding.wording[:200])
        if noted not in known:
            study.findings.append(NotedFinding(kind=noted[0], level_text=noted[1], wording=noted[2]))
            known.add(noted)
