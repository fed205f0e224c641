"""Regions drawn in VGG Image Annotator as studies to train on, and studies as regions to look at there."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from spine_fracture.anatomy import Diagnosis, Level
from spine_fracture.cohort.splits import split_of
from spine_fracture.dicom.pairing import scaled
from spine_fracture.errors import InputError
from spine_fracture.files import write_atomically
from spine_fracture.imaging import CHANNELS
from spine_fracture.imaging import Sequence as MrSequence
from spine_fracture.pictures import read_stored_grey
from spine_fracture.simulation.findings import Primary
from spine_fracture.training.study_cache import (
    CachedStudy,
    Grey,
    LevelLabel,
    StudyCache,
    StudyCacheWriter,
    StudyLabel,
)
from spine_fracture.via import AnnotatedPicture, Rectangle, Region, write_via

#: Attributes of regions and of pictures that are understood.
DIAGNOSIS, LEVEL, PATIENT, CENTRE = "diagnosis", "level", "patient", "centre"
_METASTASIS = "metastasis"
_ODD = re.compile(r"[^A-Za-z0-9._-]+")


def spoken(level: LevelLabel) -> str:
    """A diagnosis as regions bear it, e.g. ``hemangioma`` or ``metastasis:breast``."""
    if level.diagnosis is not Diagnosis.MALIGNANT:
        return level.diagnosis.value
    return f"{_METASTASIS}:{level.primary}" if level.primary else _METASTASIS


def understood(text: str) -> tuple[Diagnosis, str]:
    """Diagnosis and primary tumour, empty where none is named, of what :func:`spoken` gives.

    Raises :class:`InputError` for other words.
    """
    word, _, tumour = (part.strip().lower() for part in text.partition(":"))
    diagnosis = Diagnosis.MALIGNANT if word == _METASTASIS else Diagnosis.parse(word)
    if tumour and (diagnosis is not Diagnosis.MALIGNANT or tumour not in tuple(Primary)):
        raise InputError(f"{text!r} names no tumour: write {_METASTASIS}:, then one of {', '.join(Primary)}.")
    return diagnosis, tumour


def import_regions(
    pictures: Sequence[AnnotatedPicture],
    images: Path,
    out: Path,
    name: str,
    sequence: MrSequence,
    unnamed: Level | None = None,
) -> int:
    """Write a cohort of these pictures to ``out``, one study of one slice each; the number of studies.

    ``images`` is their folder; each is one of ``sequence``, its grey stretched as series are. A region needs
    the attribute ``diagnosis`` (see :func:`understood`); one without is passed over, and so is a picture
    without any. ``level`` names the vertebra, ``unnamed`` those without a name. A picture may have the
    attributes ``patient`` (else the file's name without ending) and ``centre``; the patient decides on the
    split. Raises :class:`InputError`, before anything is written, naming picture and region.
    """
    if sequence not in CHANNELS:
        raise InputError(f"Pictures must be of one of {', '.join(CHANNELS)}, not {sequence}.")
    found = [(picture, levels) for picture in pictures if (levels := _levels(picture, unnamed))]
    if not found:
        raise InputError(f"No region has the attribute {DIAGNOSIS}: add it in VGG Image Annotator.")
    files = [_file_of(picture, images) for picture, _ in found]
    with StudyCacheWriter(out / "studies", name) as writer:
        for (picture, levels), file in zip(found, files, strict=True):
            patient = picture.file_attributes.get(PATIENT) or file.stem
            label = StudyLabel(
                patient=patient,
                centre=picture.file_attributes.get(CENTRE, ""),
                split=split_of(patient),
                source=name,
                sequences=(sequence,),
                levels=levels,
            )
            writer.add(CachedStudy(label, _pixels(file, sequence)))
    return len(found)


def export_regions(cache: StudyCache, out: Path, sequence: MrSequence) -> int:
    """Write every slice of ``sequence`` that shows a labelled level as PNG, and ``regions.json`` that VIA
    opens beside them; the number of pictures. Test and external studies stay where they are: their labels
    are locked.
    """
    written: list[AnnotatedPicture] = []
    for at, label in enumerate(cache.labels):
        if label.part is not None or sequence not in label.sequences:
            continue
        pixels = cache[at].pixels[:, CHANNELS.index(sequence)]
        for index, regions in _by_slice(label):
            data = _png(pixels[index])
            filename = f"{_ODD.sub('_', label.patient)}-{at:04d}-{index:02d}.png"
            write_atomically(out / filename, data)
            attributes = {PATIENT: label.patient, CENTRE: label.centre}
            written.append(
                AnnotatedPicture(
                    filename=filename, size=len(data), regions=regions, file_attributes=attributes
                )
            )
    if not written:
        raise InputError(f"No training study of {cache.name} has {sequence}: choose another sequence.")
    write_via(out / "regions.json", cache.name, written)
    return len(written)


def _levels(picture: AnnotatedPicture, unnamed: Level | None) -> tuple[LevelLabel, ...]:
    levels: dict[Level, LevelLabel] = {}
    for number, region in enumerate(picture.regions, 1):
        said = region.region_attributes.get(DIAGNOSIS, "").strip()
        if not said:
            continue
        try:
            level = _level(region, unnamed)
            if level in levels:
                raise InputError(f"{level} is there twice: give every region its own level.")
            diagnosis, primary = understood(said)
            levels[level] = LevelLabel(
                level=level, diagnosis=diagnosis, primary=primary, slices=(0,),
                boxes=(region.box.as_tuple(),), shown=(True,),
            )  # fmt: skip
        except InputError as error:
            raise InputError(f"Region {number} of {picture.filename}: {error}") from error
    return tuple(levels[level] for level in Level if level in levels)


def _level(region: Region, unnamed: Level | None) -> Level:
    named = region.region_attributes.get(LEVEL, "").strip()
    if named:
        return Level.parse(named)
    if unnamed is None:
        raise InputError(
            f"it names no vertebra: add the attribute {LEVEL} in VGG Image Annotator, or say with --level "
            "what all such regions are."
        )
    return unnamed


def _file_of(picture: AnnotatedPicture, images: Path) -> Path:
    """By its name alone, wherever the annotator had it: a file of VIA never leads out of the folder."""
    file = images / PurePosixPath(picture.filename.replace("\\", "/")).name
    if not file.is_file():
        raise InputError(f"There is no {file.name} in {images}: give the folder of the annotated pictures.")
    return file


def _pixels(file: Path, sequence: MrSequence) -> Grey:
    """(1, 4, rows, columns), all channels but that of ``sequence`` zero."""
    picture = read_stored_grey(file)
    pixels = np.zeros((1, len(CHANNELS), *picture.shape), np.uint8)
    pixels[0, CHANNELS.index(sequence)] = np.rint(scaled(picture[None].astype(np.float32))[0] * 255)
    return pixels


def _by_slice(label: StudyLabel) -> Iterator[tuple[int, tuple[Region, ...]]]:
    """Every slice that shows a level, with the level's regions on it."""
    found: dict[int, list[Region]] = {}
    for level in label.levels:
        attributes = {LEVEL: level.level.value, DIAGNOSIS: spoken(level)}
        for index, box in level.shown_on_slices():
            shape = Rectangle(x=box.x0, y=box.y0, width=box.width, height=box.height)
            found.setdefault(index, []).append(Region(shape_attributes=shape, region_attributes=attributes))
    yield from ((index, tuple(found[index])) for index in sorted(found))


def _png(picture: Grey) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(stream, format="PNG")
    return stream.getvalue()
