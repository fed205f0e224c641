"""Regions drawn in VGG Image Annotator as studies to train on, and studies as regions to look at there."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from spine_fracture.anatomy import Diagnosis, Level, Primary
from spine_fracture.cohort.splits import split_of
from spine_fracture.dicom.pairing import scaled
from spine_fracture.errors import InputError
from spine_fracture.files import write_atomically
from spine_fracture.imaging import CHANNELS
from spine_fracture.imaging import Sequence as MrSequence
from spine_fracture.pictures import read_stored_grey
from spine_fracture.training.cohorts.naming import CohortNaming
from spine_fracture.training.cohorts.study_cache import (
    CachedStudy,
    Grey,
    LevelLabel,
    StudyCache,
    StudyCacheWriter,
    StudyLabel,
)
from spine_fracture.via import AnnotatedPicture, Rectangle, Region, write_via

#: Attributes of regions, and of pictures, that are understood.
DIAGNOSIS, LEVEL, SHOWN = "diagnosis", "level", "shown"
PATIENT, CENTRE, STUDY, SLICE = "patient", "centre", "study", "slice"
_NOT_SHOWN = "no"
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
    naming: CohortNaming,
    sequence: MrSequence,
    unnamed: Level | None = None,
) -> int:
    """Write a cohort of these pictures to ``out``; the number of studies.

    ``images`` is their folder; each is one of ``sequence``, its grey stretched as series are. Pictures of one
    patient that have the same attribute ``study`` are its slices, ordered by the number ``slice``; one
    without is a study of its own. A region needs the attribute ``diagnosis`` (see :func:`understood`); one
    without is passed over, and so is a study without any. ``level`` names the vertebra, ``unnamed`` those
    without a name; ``shown: no`` says that this slice shows the vertebra but not its finding. A picture may
    have the attributes ``patient`` (else the file's name without ending) and ``centre``; the patient decides
    on the split. No detector learns from these studies, for nobody says that all they show has a region.
    Raises :class:`InputError` naming picture and region; no cohort is there then.
    """
    if sequence not in CHANNELS:
        raise InputError(f"Pictures must be of one of {', '.join(CHANNELS)}, not {sequence}.")
    found = [(slices, levels) for slices in _studies(pictures) if (levels := _levels(slices, unnamed))]
    if not found:
        raise InputError(f"No region has the attribute {DIAGNOSIS}: add it in VGG Image Annotator.")
    stacks = [[_file_of(picture, images) for picture in slices] for slices, _ in found]
    with StudyCacheWriter(out / "studies", naming) as writer:
        for (slices, levels), files in zip(found, stacks, strict=True):
            patient = _patient_of(slices[0])
            label = StudyLabel(
                patient=patient,
                centre=slices[0].file_attributes.get(CENTRE, ""),
                split=split_of(patient),
                source=naming.recipe,
                sequences=(sequence,),
                levels=levels,
                only_regions=True,
            )
            writer.add(CachedStudy(label, _pixels(files, sequence)))
    return len(found)


def export_regions(cache: StudyCache, out: Path, sequence: MrSequence) -> int:
    """Write every slice of ``sequence`` as PNG, and ``regions.json`` that VIA opens beside them; the number
    of pictures. Validation, test and external studies stay where they are: they choose or judge what learns
    from these.
    """
    written: list[AnnotatedPicture] = []
    for at, label in enumerate(cache.labels):
        if label.part is not None or sequence not in label.sequences:
            continue
        for index, picture in enumerate(cache[at].pixels[:, CHANNELS.index(sequence)]):
            data = _png(picture)
            filename = f"{_ODD.sub('_', label.patient)}-{at:04d}-{index:02d}.png"
            write_atomically(out / filename, data)
            written.append(
                AnnotatedPicture(
                    filename=filename,
                    size=len(data),
                    regions=tuple(_regions(label, index)),
                    file_attributes={
                        PATIENT: label.patient, CENTRE: label.centre, STUDY: str(at), SLICE: str(index),
                    },
                )
            )  # fmt: skip
    if not written:
        raise InputError(f"No training study of {cache.name} has {sequence}: choose another sequence.")
    write_via(out / "regions.json", cache.name, written)
    return len(written)


def _studies(pictures: Sequence[AnnotatedPicture]) -> list[list[AnnotatedPicture]]:
    """The slices of each study, in order."""
    alone: list[list[AnnotatedPicture]] = []
    numbered: dict[tuple[str, str], dict[int, AnnotatedPicture]] = {}
    for picture in pictures:
        study = picture.file_attributes.get(STUDY, "").strip()
        if not study:
            alone.append([picture])
            continue
        number = picture.file_attributes.get(SLICE, "").strip()
        if not number.isdecimal():
            raise InputError(
                f"{picture.filename} is of study {study} and has {SLICE} {number!r}: give it a whole number."
            )
        slices = numbered.setdefault((_patient_of(picture), study), {})
        if other := slices.get(int(number)):
            raise InputError(f"{other.filename} and {picture.filename} are both {SLICE} {number} of {study}.")
        slices[int(number)] = picture
    return [*([slices[at] for at in sorted(slices)] for slices in numbered.values()), *alone]


def _patient_of(picture: AnnotatedPicture) -> str:
    return picture.file_attributes.get(PATIENT) or PurePosixPath(_base_name(picture)).stem


def _levels(slices: Sequence[AnnotatedPicture], unnamed: Level | None) -> tuple[LevelLabel, ...]:
    levels: dict[Level, LevelLabel] = {}
    for index, picture in enumerate(slices):
        for number, region in enumerate(picture.regions, 1):
            if not region.region_attributes.get(DIAGNOSIS, "").strip():
                continue
            try:
                level = _level(region, unnamed)
                levels[level] = _extended(levels.get(level), _labelled(level, region, index))
            except InputError as error:
                raise InputError(f"Region {number} of {picture.filename}: {error}") from error
    return tuple(levels[level] for level in Level if level in levels)


def _labelled(level: Level, region: Region, index: int) -> LevelLabel:
    """What one region says of a level."""
    diagnosis, primary = understood(region.region_attributes[DIAGNOSIS])
    return LevelLabel(
        level=level,
        diagnosis=diagnosis,
        primary=primary,
        slices=(index,),
        boxes=(region.box.as_tuple(),),
        shown=(region.region_attributes.get(SHOWN, "").strip().lower() != _NOT_SHOWN,),
    )


def _extended(known: LevelLabel | None, more: LevelLabel) -> LevelLabel:
    """What is known of a level of the slices before, and one slice more."""
    if known is None:
        return more
    if known.slices[-1] == more.slices[0]:
        raise InputError(f"{more.level} is there twice: give every region its own level.")
    if spoken(known) != spoken(more):
        raise InputError(f"{more.level} is {spoken(more)} here, on a slice before {spoken(known)}: decide.")
    joined = {name: getattr(known, name) + getattr(more, name) for name in ("slices", "boxes", "shown")}
    return known.model_copy(update=joined)


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


def _base_name(picture: AnnotatedPicture) -> str:
    """Its name alone, wherever the annotator had it: a file of VIA never leads out of the folder."""
    return PurePosixPath(picture.filename.replace("\\", "/")).name


def _file_of(picture: AnnotatedPicture, images: Path) -> Path:
    file = images / _base_name(picture)
    if not file.is_file():
        raise InputError(f"There is no {file.name} in {images}: give the folder of the annotated pictures.")
    return file


def _pixels(files: Sequence[Path], sequence: MrSequence) -> Grey:
    """(slices, 4, rows, columns), all channels but that of ``sequence`` zero."""
    pictures = [read_stored_grey(file) for file in files]
    sizes = {one.shape: file for file, one in zip(files, pictures, strict=True)}
    if len(sizes) > 1:
        names = " and ".join(file.name for file in sizes.values())
        raise InputError(f"{names} are of one study and not equally large: give one of them another study.")
    pixels = np.zeros((len(files), len(CHANNELS), *pictures[0].shape), np.uint8)
    pixels[:, CHANNELS.index(sequence)] = np.rint(scaled(np.stack(pictures).astype(np.float32)) * 255)
    return pixels


def _regions(label: StudyLabel, index: int) -> Iterator[Region]:
    """The bodies on a slice."""
    for level in label.levels:
        for (at, box), shown in zip(level.on_slices(), level.shown, strict=True):
            if at == index:
                said = {LEVEL: level.level.value, DIAGNOSIS: spoken(level)}
                yield Region(
                    shape_attributes=Rectangle(x=box.x0, y=box.y0, width=box.width, height=box.height),
                    region_attributes=said | {SHOWN: "yes" if shown else _NOT_SHOWN},
                )


def _png(picture: Grey) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(stream, format="PNG")
    return stream.getvalue()
