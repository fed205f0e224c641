"""``spine-fracture evaluate-real``: the shipped models on a folder of real pictures."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

if TYPE_CHECKING:
    from spine_fracture.evaluation.detection.naming import PictureBoxes
    from spine_fracture.evaluation.detection.real import Json, PatientResult, RefusedPicture
    from spine_fracture.imaging import Volume
    from spine_fracture.levels import StudyReading
    from spine_fracture.lumbar_set import LumbarPatient
    from spine_fracture.pipeline import ReadingPipeline

WORST = 10


def register(cli: typer.Typer) -> None:
    cli.command("evaluate-real")(evaluate_real)


def evaluate_real(
    data: Annotated[Path, typer.Option(help="Folder with manifest.json and its pictures.")],
    json_file: Annotated[Path, typer.Option("--json", help="Where to write the figures.")] = Path(
        "evaluate-real.json"
    ),
) -> None:
    """Measure detection, naming and findings of the shipped models. Not for clinical use."""
    from spine_fracture.evaluation.detection.real import assess
    from spine_fracture.files import write_atomically
    from spine_fracture.lumbar_set import read_lumbar_set
    from spine_fracture.pipeline import ReadingPipeline

    patients = read_lumbar_set(data)
    pipeline = ReadingPipeline.shipped()
    known = _training_pictures()
    runs = [_run(pipeline, patient, known) for patient in track(patients, "Reading pictures")]
    figures = assess([run.result for run in runs])
    seconds = sum(run.seconds for run in runs) / max(sum(run.read for run in runs), 1)
    answer: Json = {
        "warning": "Not for clinical use. A check on simulated training, no clinical claim.",
        "models": {"detector": pipeline.detector.version, "classifier": pipeline.classifier.version},
        **figures,
        "seconds_per_picture": seconds,
        "refused": [refusal.__dict__ for run in runs for refusal in run.refused],
        "repaired_references": [p.patient for p in patients if p.repaired],
        "worst": _draw_worst([run.result for run in runs], json_file.with_name(f"{json_file.stem}-worst")),
    }
    write_atomically(json_file, (json.dumps(answer, indent=2) + "\n").encode())
    _print(answer, json_file)


@dataclass(frozen=True, eq=False)
class _Run:
    """One patient's result, seconds spent on it, the number of pictures read, and those refused."""

    result: PatientResult
    seconds: float
    read: int
    refused: tuple[RefusedPicture, ...]


def _run(pipeline: ReadingPipeline, patient: LumbarPatient, known: frozenset[str]) -> _Run:
    """Read and predict first; only then are the references looked at."""
    from spine_fracture.evaluation.detection.real import PatientResult

    started = time.perf_counter()
    volumes, refused = _volumes(patient)
    readings, unread = _read(pipeline, patient, volumes)
    refused += unread
    seconds = time.perf_counter() - started
    result = PatientResult(
        patient=patient,
        seen=_seen(patient, known),
        pictures=tuple(_pictures(patient, volumes, readings)),
        # Where T1 and T2 had to be read apart, T1 speaks for the levels that both show.
        probabilities={level.name: level.probabilities for r in reversed(readings) for level in r.levels},
    )
    return _Run(result, seconds, len(volumes), tuple(refused))


def _read(
    pipeline: ReadingPipeline, patient: LumbarPatient, volumes: dict[str, Volume]
) -> tuple[list[StudyReading], list[RefusedPicture]]:
    """The pair; if it is refused, each picture alone, and those that are refused alone too."""
    from spine_fracture.dicom.pairing import pair
    from spine_fracture.errors import SpineFractureError
    from spine_fracture.evaluation.detection.real import RefusedPicture

    if not volumes:
        return [], []
    try:
        return [pipeline.read(pair(volumes.get("T1"), volumes.get("T2")), patient.key)], []
    except SpineFractureError as error:
        if len(volumes) == 1:
            return [], [RefusedPicture(patient.patient, name, str(error)) for name in volumes]
    apart = [_read(pipeline, patient, {name: volume}) for name, volume in volumes.items()]
    return [r for readings, _ in apart for r in readings], [r for _, refused in apart for r in refused]


def _volumes(patient: LumbarPatient) -> tuple[dict[str, Volume], list[RefusedPicture]]:
    from spine_fracture.dicom.pictures import read_picture
    from spine_fracture.errors import SpineFractureError
    from spine_fracture.evaluation.detection.real import RefusedPicture
    from spine_fracture.imaging import Sequence

    volumes: dict[str, Volume] = {}
    refused: list[RefusedPicture] = []
    for path, sequence in ((patient.t1, Sequence.T1), (patient.t2, Sequence.T2)):
        try:
            volumes[sequence.value] = read_picture(path, sequence)
        except SpineFractureError as error:
            refused.append(RefusedPicture(patient.patient, sequence.value, str(error)))
    return volumes, refused


def _training_pictures() -> frozenset[str]:
    """Hashes of all pictures that a shipped model was trained or chosen on."""
    from spine_fracture.bundle import SHIPPED_WEIGHTS, read_manifest

    manifests = [read_manifest(SHIPPED_WEIGHTS / name) for name in ("detector", "classifier")]
    return frozenset(patient for manifest in manifests for patient in manifest.training_patients)


def _seen(patient: LumbarPatient, known: frozenset[str]) -> bool:
    from spine_fracture.errors import SpineFractureError
    from spine_fracture.evaluation.seen import is_seen
    from spine_fracture.lumbar_set import read_grey

    try:
        return is_seen(read_grey(patient.t1), read_grey(patient.t2), known)
    except SpineFractureError:
        return False


def _pictures(
    patient: LumbarPatient, volumes: dict[str, Volume], readings: list[StudyReading]
) -> Iterator[PictureBoxes]:
    """T1 and T2 with predicted and reference boxes, each in its own pixels."""
    from spine_fracture.evaluation.detection.naming import NamedBox, PictureBoxes

    levels = [level for reading in readings for level in reading.levels]
    for sequence, (dx, dy) in (("T1", (0.0, 0.0)), ("T2", patient.t1_to_t2)):
        uid = volumes[sequence].series_uid if sequence in volumes else ""
        yield PictureBoxes(
            f"{patient.patient}-{sequence}",
            predicted=tuple(
                NamedBox(level.name, part.box, part.score)
                for level in levels
                for part in level.slices
                if part.series_uid == uid
            ),
            reference=tuple(NamedBox(v.level, v.box.shifted(dx, dy)) for v in patient.vertebrae),
        )


def _draw_worst(results: list[PatientResult], folder: Path) -> list[str]:
    """Draw the pictures with the lowest mean overlap, beside the JSON; gives their names."""
    from PIL import Image

    from spine_fracture.errors import SpineFractureError
    from spine_fracture.evaluation.detection.real import mean_overlap
    from spine_fracture.evaluation.reports.drawing import REFERENCE, DrawnBox, draw
    from spine_fracture.lumbar_set import read_grey

    folder.mkdir(parents=True, exist_ok=True)
    paths = {
        f"{r.patient.patient}-{sequence}": path
        for r in results
        for sequence, path in (("T1", r.patient.t1), ("T2", r.patient.t2))
    }
    judged = (picture for result in results for picture in result.pictures if picture.reference)
    every = sorted(judged, key=mean_overlap)
    names = []
    for rank, picture in enumerate(every[:WORST], 1):
        try:
            image = Image.fromarray(read_grey(paths[picture.picture]))
        except SpineFractureError:
            continue  # it is among the refused
        boxes = [DrawnBox(b.box, "", REFERENCE) for b in picture.reference]
        boxes += [DrawnBox(b.box, f"{b.level} {b.score:.2f}") for b in picture.predicted]
        name = f"worst-{rank:02d}-{picture.picture}.png"
        draw(image, boxes).save(folder / name)
        names.append(name)
    return names


def _print(answer: Json, json_file: Path) -> None:
    table = Table(title="Shipped models on real pictures")
    for column in ("", "unseen", "seen"):
        table.add_column(column)
    rows = (
        ("patients", "patients", None),
        ("mAP50-95", "detection", "map50_95"),
        ("mAP50", "detection", "map50"),
        ("precision", "detection", "precision"),
        ("recall", "detection", "recall"),
        ("all levels named rightly", "naming", "all_levels_correct"),
        ("AUC of noted findings", "findings", "auc"),
    )
    for title, part, key in rows:
        table.add_row(title, *(_cell(answer.get(group), part, key) for group in ("unseen", "seen")))
    console = Console()
    console.print(table)
    console.print(
        f"{answer['seconds_per_picture']:.2f} s a picture. Figures in {json_file}, worst pictures beside it.",
        markup=False,
    )
    console.print("Not for clinical use.", style="dim")


def _cell(group: object, part: str, key: str | None) -> str:
    if not isinstance(group, dict):
        return "-"
    value = group[part] if key is None else group[part][key]
    return "-" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)
