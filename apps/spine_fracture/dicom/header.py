"""What one DICOM file says of its slices, before any pixel is decoded.

An enhanced (multi-frame) object gives one header a frame, so that everything after this module
sees single slices only.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from struct import unpack
from typing import BinaryIO, TypeGuard

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from spine_fracture.dicom.demographics import Demographics, demographics_of
from spine_fracture.dicom.write import ASSUMED_CALIBRATION, ASSUMED_SUFFIX
from spine_fracture.errors import OffDomainError, SpineFractureError, UnreadablePictureError
from spine_fracture.geometry import FloatArray
from spine_fracture.imaging import Acquisition, SpacingOrigin

_PIXEL_DATA = (0x7FE0, 0x0010)
#: Body parts that cannot show a spine worth reading. Others pass: the attribute is often left at a default.
OTHER_BODY_PARTS = frozenset(
    """HEAD BRAIN SKULL FACE ORBIT EYE JAW TMJ EAR IAC BREAST HEART LIVER KIDNEY PROSTATE UTERUS BLADDER
    SHOULDER ARM ELBOW HAND WRIST FINGER HIP LEG KNEE FOOT ANKLE TOE FEMUR TIBIA CALF THIGH
    EXTREMITY""".split()  # noqa: SIM905
)


@dataclass(frozen=True, eq=False)
class SliceHeader:
    """One slice of one file.

    ``position`` (3,) and ``orientation`` (6,) in LPS; ``spacing`` (row, column) and ``thickness``
    (the distance between slices where the file says it) in mm. ``pixel_offset`` is where in the
    file the slice's uncompressed stored values begin, None when they need a decoder.
    """

    path: Path
    frame: int
    sop_uid: str
    series_uid: str
    study_uid: str
    patient_id: str
    demographics: Demographics
    frame_of_reference_uid: str
    rows: int
    columns: int
    position: FloatArray
    orientation: FloatArray
    spacing: tuple[float, float]
    spacing_origin: SpacingOrigin
    thickness: float
    stored_type: np.dtype[np.generic]
    slope: float
    intercept: float
    inverted: bool
    pixel_offset: int | None
    acquisition: Acquisition


@contextmanager
def reading_dicom() -> Iterator[None]:
    """Around all that touches a file's header: a value is decoded when it is asked for.

    Whatever goes wrong is an :class:`UnreadablePictureError`; other errors of ours pass.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except InvalidDicomError:
        raise UnreadablePictureError("It is not a DICOM file: give pictures in DICOM.") from None
    except OSError as error:
        raise UnreadablePictureError(f"It cannot be opened ({error.strerror}): check the rights.") from error
    except SpineFractureError:
        raise
    except Exception as error:  # pydicom has no common error for a damaged file
        raise UnreadablePictureError("Its header is damaged or cut short: export it again.") from error


def read_headers(path: Path, acquisitions: dict[str, Acquisition] | None = None) -> tuple[SliceHeader, ...]:
    """The slices of one file, in file order, pixels not read.

    ``acquisitions`` by series UID is filled in as series are met over several calls: how a series was
    acquired is then read from its first file only.
    Raises :class:`UnreadablePictureError` for what is not a whole DICOM picture with a geometry,
    :class:`OffDomainError` for a picture that is not MR, or of another part of the body.
    """
    with reading_dicom(), path.open("rb") as stream:
        ds = dcmread(stream, stop_before_pixels=True)
        _require_spine_mr(ds)
        offset = _pixel_offset(ds, stream)
        return tuple(_headers(ds, path, offset, {} if acquisitions is None else acquisitions))


def _require_spine_mr(ds: Dataset) -> None:
    modality = _required(ds, "Modality")
    if modality != "MR":
        raise OffDomainError(f"It is {modality}, not MR: only MR of the spine is read.")
    if "Rows" not in ds:
        raise UnreadablePictureError("It holds no picture: only MR images are read.")
    if int(ds.get("SamplesPerPixel", 1)) != 1:
        raise UnreadablePictureError(
            "It is a colour picture, such as a screenshot: export the original images."
        )
    part = (_text(ds, "BodyPartExamined") or "").upper()
    if part in OTHER_BODY_PARTS:
        raise OffDomainError(f"It shows another part of the body ({part}): only MR of the spine is read.")


def _pixel_offset(ds: Dataset, stream: BinaryIO) -> int | None:
    """Where the stored values begin; None when the transfer syntax needs a decoder."""
    syntax = ds.file_meta.TransferSyntaxUID
    if syntax not in (ImplicitVRLittleEndian, ExplicitVRLittleEndian):
        return None
    head_size = 8 if syntax == ImplicitVRLittleEndian else 12
    head = stream.read(head_size)
    if len(head) < head_size or unpack("<HH", head[:4]) != _PIXEL_DATA:
        raise UnreadablePictureError("It has no pixel data: export it again with its images.")
    begin = stream.tell()
    size = (
        int(ds.Rows) * int(ds.Columns) * int(ds.BitsAllocated) // 8 * int(ds.get("NumberOfFrames", None) or 1)
    )
    if stream.seek(0, 2) - begin < size:
        raise UnreadablePictureError("It is truncated: pixels are missing at its end. Export it again.")
    return begin


def _headers(
    ds: Dataset, path: Path, offset: int | None, acquisitions: dict[str, Acquisition]
) -> Iterator[SliceHeader]:
    frames = ds.get("PerFrameFunctionalGroupsSequence")
    shared = (ds.get("SharedFunctionalGroupsSequence") or [Dataset()])[0]
    bits = int(ds.BitsAllocated)
    if bits not in (8, 16, 32):
        raise UnreadablePictureError(f"Its pixels have {bits} bits: 8, 16 or 32 can be read.")
    stored_type = np.dtype(f"<{'i' if ds.get('PixelRepresentation', 0) else 'u'}{bits // 8}")
    rows, columns = int(ds.Rows), int(ds.Columns)
    series_uid = _required(ds, "SeriesInstanceUID")
    if series_uid not in acquisitions:
        acquisitions[series_uid] = _acquisition(ds, _Groups(ds, shared, frames[0] if frames else Dataset()))
    assumed = _text(ds, "PixelSpacingCalibrationDescription") == ASSUMED_CALIBRATION
    demographics = demographics_of(ds)
    for index, frame in enumerate(frames or [Dataset()]):
        groups = _Groups(ds, shared, frame)
        position = groups.numbers("PlanePositionSequence", "ImagePositionPatient", 3)
        orientation = groups.numbers("PlaneOrientationSequence", "ImageOrientationPatient", 6)
        spacing = groups.numbers("PixelMeasuresSequence", "PixelSpacing", 2)
        if position is None or not _is_square(orientation) or spacing is None or min(spacing) <= 0:
            raise UnreadablePictureError(
                "It has no usable position, orientation or pixel spacing: export the original images."
            )
        between = groups.number("PixelMeasuresSequence", "SpacingBetweenSlices")
        thickness = groups.number("PixelMeasuresSequence", "SliceThickness")
        values = "PixelValueTransformationSequence"
        yield SliceHeader(
            path=path,
            frame=index,
            sop_uid=_required(ds, "SOPInstanceUID"),
            series_uid=series_uid,
            study_uid=_required(ds, "StudyInstanceUID"),
            patient_id=_text(ds, "PatientID") or "",
            demographics=demographics,
            frame_of_reference_uid=_text(ds, "FrameOfReferenceUID") or "",
            rows=rows,
            columns=columns,
            position=position,
            orientation=orientation,
            spacing=(float(spacing[0]), float(spacing[1])),
            spacing_origin=SpacingOrigin.ASSUMED if assumed else SpacingOrigin.MEASURED,
            thickness=abs(between or thickness or 0.0),
            stored_type=stored_type,
            slope=groups.number(values, "RescaleSlope") or 1.0,
            intercept=groups.number(values, "RescaleIntercept") or 0.0,
            inverted=_text(ds, "PhotometricInterpretation") == "MONOCHROME1",
            pixel_offset=None if offset is None else offset + index * rows * columns * bits // 8,
            acquisition=acquisitions[series_uid],
        )


def _is_square(orientation: FloatArray | None) -> TypeGuard[FloatArray]:
    """Whether the six direction cosines are two unit vectors at right angles."""
    if orientation is None:
        return False
    axes = orientation.reshape(2, 3)
    return bool(np.allclose(axes @ axes.T, np.eye(2), atol=0.01))


@dataclass(frozen=True)
class _Groups:
    """An attribute of a slice, wherever it is: the frame's group, the shared one, or the top level."""

    top: Dataset
    shared: Dataset
    frame: Dataset

    def value(self, sequence: str, name: str) -> object | None:
        for groups in (self.frame, self.shared) if sequence else ():
            if not groups:
                continue
            items = groups.get(sequence)
            if items and items[0].get(name) is not None:
                found: object = items[0].get(name)
                return found
        top: object | None = self.top.get(name)
        return None if top == "" else top

    def numbers(self, sequence: str, name: str, count: int) -> FloatArray | None:
        try:
            found = np.asarray(self.value(sequence, name), dtype=np.float64)
        except (TypeError, ValueError):
            return None
        return found if found.shape == (count,) and bool(np.isfinite(found).all()) else None

    def number(self, sequence: str, name: str) -> float | None:
        try:
            found = float(np.ravel(np.asarray(self.value(sequence, name), dtype=np.float64))[0])
        except (TypeError, ValueError, IndexError):
            return None
        return found if np.isfinite(found) else None


def _acquisition(ds: Dataset, groups: _Groups) -> Acquisition:
    timing = "MRTimingAndRelatedParametersSequence"
    echo = groups.number("MREchoSequence", "EffectiveEchoTime")
    inversion = groups.number("MRModifierSequence", "InversionTimes")
    description = _text(ds, "SeriesDescription")
    agents = ds.get("ContrastBolusAgentSequence")
    agent = _text(ds, "ContrastBolusAgent") or (_text(agents[0], "CodeMeaning") if agents else None)
    contrast = groups.value("MRImageFrameTypeSequence", "AcquisitionContrast")
    return Acquisition(
        modality=_required(ds, "Modality"),
        repetition_time=groups.number(timing, "RepetitionTime"),
        echo_time=echo if echo is not None else groups.number("", "EchoTime"),
        inversion_time=inversion if inversion is not None else groups.number("", "InversionTime"),
        flip_angle=groups.number(timing, "FlipAngle"),
        field_strength=groups.number("", "MagneticFieldStrength"),
        contrast_agent=agent,
        scanning_sequence=_texts(ds, "ScanningSequence") or _pulse_sequence(ds, groups),
        sequence_variant=_texts(ds, "SequenceVariant"),
        scan_options=_texts(ds, "ScanOptions") + _fat_suppression(groups),
        sequence_name=_text(ds, "SequenceName") or _text(ds, "PulseSequenceName"),
        acquisition_contrast=str(contrast) if contrast else None,
        image_type=_texts(ds, "ImageType")[2:],
        description=description.removesuffix(ASSUMED_SUFFIX) if description else None,
        body_part=_text(ds, "BodyPartExamined"),
    )


def _pulse_sequence(ds: Dataset, groups: _Groups) -> tuple[str, ...]:
    """Scanning Sequence in the words of single-frame MR, from the attributes of enhanced MR."""
    names = {"SPIN": ("SE",), "GRADIENT": ("GR",), "BOTH": ("SE", "GR")}.get(
        _text(ds, "EchoPulseSequence") or "", ()
    )
    inverted = ("IR",) if groups.value("MRModifierSequence", "InversionRecovery") == "YES" else ()
    planar = ("EP",) if _text(ds, "EchoPlanarPulseSequence") == "YES" else ()
    return names + inverted + planar


def _fat_suppression(groups: _Groups) -> tuple[str, ...]:
    suppressed = groups.value("MRModifierSequence", "SpectrallySelectedSuppression")
    return ("FS",) if suppressed in ("FAT", "FAT_AND_WATER") else ()


def _text(ds: Dataset, name: str) -> str | None:
    value = ds.get(name)
    return (str(value).strip() or None) if value is not None else None


def _texts(ds: Dataset, name: str) -> tuple[str, ...]:
    value = ds.get(name)
    if value is None or value == "":
        return ()
    return (value,) if isinstance(value, str) else tuple(str(item) for item in value)


def _required(ds: Dataset, name: str) -> str:
    value = _text(ds, name)
    if value is None:
        raise UnreadablePictureError(
            f"Its header has no {name}: it is damaged or cut short. Export it again."
        )
    return value
