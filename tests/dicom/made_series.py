"""Small real files for the tests of intake: volumes with a texture, and DICOM files changed after writing."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset, FileDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import EnhancedMRImageStorage
from scipy import ndimage

from spine_fracture.dicom.write import PatientTags, uid_from, write_series
from spine_fracture.geometry import VolumeFrame
from spine_fracture.imaging import Acquisition, Plane, Sequence, SpacingOrigin, Volume

_PER_FRAME = """ImagePositionPatient ImageOrientationPatient PixelSpacing SliceThickness
SpacingBetweenSlices RepetitionTime EchoTime InversionTime FlipAngle ScanningSequence SequenceVariant
ScanOptions InstanceNumber""".split()  # noqa: SIM905
PATIENT = PatientTags("patient-a", uid_from("study", "a"))
SAGITTAL = np.array([[0.0, 0.0, -1.0], [1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
AXIAL = np.eye(3)
T1 = Acquisition(repetition_time=550.0, echo_time=11.0, scanning_sequence=("SE",), body_part="LSPINE")
T2 = Acquisition(repetition_time=3500.0, echo_time=105.0, scanning_sequence=("SE",), body_part="LSPINE")


def frame(
    shape: tuple[int, int, int],
    axes: np.ndarray = SAGITTAL,
    spacing: tuple[float, float, float] = (0.7, 0.8, 4.0),
    origin: tuple[float, float, float] = (25.0, -60.0, 90.0),
) -> VolumeFrame:
    """Axes (3, 3) by column: x, y and slices."""
    matrix = np.eye(4)
    matrix[:3, :3] = axes * spacing
    matrix[:3, 3] = origin
    return VolumeFrame(matrix, shape)


def volume(
    shape: tuple[int, int, int] = (5, 40, 32),
    *,
    sequence: Sequence = Sequence.T2,
    where: VolumeFrame | None = None,
    name: object = "a",
    spacing_origin: SpacingOrigin = SpacingOrigin.MEASURED,
) -> Volume:
    """Whole-number texture of a few pixels' grain, the same for the same ``name`` whatever the sequence."""
    noise = np.random.default_rng(zlib.crc32(str(name).encode())).normal(size=shape)
    smooth = ndimage.gaussian_filter(noise, (0.5, 2, 2))
    smooth = (smooth - smooth.min()) / np.ptp(smooth)
    pixels = np.rint(900 * (smooth if sequence is Sequence.T2 else 1 - 0.6 * smooth**2)).astype(np.float32)
    return Volume(
        series_uid=uid_from("series", sequence, name),
        pixels=pixels,
        frame=where or frame(shape),
        sequence=sequence,
        plane=Plane.SAGITTAL,
        spacing_origin=spacing_origin,
        frame_of_reference_uid=uid_from("frame of reference"),
        acquisition=replace(T1 if sequence is Sequence.T1 else T2, description=f"sag {sequence}"),
    )


def written(folder: Path, made: Volume | None = None) -> tuple[Path, ...]:
    return write_series(made or volume(), PATIENT, folder)


def change(path: Path, edit: Callable[[FileDataset], None]) -> Path:
    """Apply ``edit`` to the data set of a file and save it in place."""
    ds = dcmread(path)
    edit(ds)
    ds.save_as(path, write_like_original=False)
    return path


def set_all(files: tuple[Path, ...], **attributes: object) -> None:
    for path in files:
        change(path, lambda ds: [setattr(ds, name, value) for name, value in attributes.items()])


def enhanced(files: tuple[Path, ...], target: Path, order: list[int] | None = None) -> Path:
    """The slices of ``files`` as one Enhanced MR object (PS3.3 A.36), frames in ``order``."""
    slices = [dcmread(files[i]) for i in order or range(len(files))]
    ds = slices[0]
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = EnhancedMRImageStorage
    ds.NumberOfFrames = len(slices)
    ds.PixelData = b"".join(one.PixelData for one in slices)
    ds.SharedFunctionalGroupsSequence = Items([_shared_groups(ds)])
    ds.PerFrameFunctionalGroupsSequence = Items([_frame_groups(one) for one in slices])
    for name in _PER_FRAME:
        delattr(ds, name)
    ds.EchoPulseSequence = "SPIN"
    ds.save_as(target, write_like_original=False)
    return target


def _shared_groups(ds: FileDataset) -> Dataset:
    groups = Dataset()
    groups.PixelMeasuresSequence = Items(
        [_part(ds, "PixelSpacing", "SliceThickness", "SpacingBetweenSlices")]
    )
    groups.PlaneOrientationSequence = Items([_part(ds, "ImageOrientationPatient")])
    groups.MRTimingAndRelatedParametersSequence = Items([_part(ds, "RepetitionTime")])
    echo = Dataset()
    echo.EffectiveEchoTime = float(ds.EchoTime)
    groups.MREchoSequence = Items([echo])
    return groups


def _frame_groups(ds: FileDataset) -> Dataset:
    groups = Dataset()
    groups.PlanePositionSequence = Items([_part(ds, "ImagePositionPatient")])
    return groups


def _part(ds: FileDataset, *names: str) -> Dataset:
    part = Dataset()
    for name in names:
        setattr(part, name, getattr(ds, name))
    return part
