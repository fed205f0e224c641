"""Plain radiographs in: DICOM DX and CR, PNG and JPEG, refused with a reason where they show no spine."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import dcmread
from pydicom.dataset import FileDataset
from pydicom.errors import InvalidDicomError
from pydicom.pixel_data_handlers.util import apply_modality_lut, apply_voi_lut

from spine_fracture.dicom.demographics import Demographics, demographics_of
from spine_fracture.dicom.header import OTHER_BODY_PARTS
from spine_fracture.errors import InputError, OffDomainError, UnreadablePictureError
from spine_fracture.pictures import read_uncoloured
from spine_fracture.radiography import Picture, Radiograph, View

MODALITIES = ("DX", "CR", "RG")
#: Values of View Position (0018,5101), and what vendors write there.
_VIEWS = {
    **dict.fromkeys(("AP", "PA", "FRONTAL"), View.AP),
    **dict.fromkeys(("LL", "RL", "LLD", "RLD", "LAT", "LATERAL"), View.LATERAL),
}
_NO_SPINE = OTHER_BODY_PARTS | {"CHEST", "CSPINE", "RIB", "CLAVICLE", "STERNUM", "SCAPULA"}
_LEAST_SIDE = 96  # px: smaller ones show no vertebra well enough
_LOOK = (0.5, 99.5)  # percentiles that are black and white where the file names no window
_NAMES = {".png", ".jpg", ".jpeg"}
_Stored = npt.NDArray[Any]


@dataclass(frozen=True)
class RadiographHeader:
    """Whose radiograph a DICOM file is. ``patient_id`` is as in the file: it is never stored as it is."""

    path: Path
    sop_uid: str
    series_uid: str
    study_uid: str
    patient_id: str = field(repr=False)
    demographics: Demographics
    rows: int
    columns: int


def read_radiograph_header(path: Path) -> RadiographHeader | None:
    """What a DICOM file says before its pixels are decoded; None when it is no radiograph.

    Raises as :func:`read_radiograph` does for a radiograph that could not be read.
    """
    with _reading():
        ds = dcmread(path, stop_before_pixels=True)
        if _text(ds, "Modality") not in MODALITIES:
            return None
        _require_spine(ds)
        names = ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")
        sop, series, study = (str(ds.get(name) or "") for name in names)
        if not (sop and series and study):
            raise UnreadablePictureError("It does not say which study it is of: export it again.")
        patient = str(ds.get("PatientID") or "").strip()
        size = int(ds.Rows), int(ds.Columns)
        return RadiographHeader(path, sop, series, study, patient, demographics_of(ds), *size)


def read_radiograph(path: Path, view: View | None = None) -> Radiograph:
    """One file as a radiograph, bone bright, upright, as one faces the patient, or with the front left.

    ``view`` says which it is where the file does not. A DICOM file is windowed as it says and turned by its
    Patient Orientation; PNG and JPEG are taken as they are. Raises :class:`UnreadablePictureError` for what
    is damaged or in colour, :class:`OffDomainError` for another modality or part of the body, and
    :class:`InputError` where the view is unknown or contradicted.
    """
    try:
        found = _picture(path, view) if path.suffix.lower() in _NAMES else _dicom(path, view)
    except InputError as error:
        said = str(error)
        raise (error if path.name in said else type(error)(f"{path.name}: {said}")) from None
    rows, columns = found.pixels.shape
    if min(rows, columns) < _LEAST_SIDE:
        raise OffDomainError(
            f"{path.name} has {columns} x {rows} pixels, too few to see vertebrae: export it at full size."
        )
    return found


def _picture(path: Path, view: View | None) -> Radiograph:
    pixels = read_uncoloured(path)
    if view is None:
        raise InputError("A picture does not say its view: give it with --ap or --lateral.")
    grey = pixels if pixels.dtype == np.uint8 else _stretched(pixels.astype(np.float64), _LOOK)
    if grey.min() == grey.max():
        raise UnreadablePictureError("It is blank: export it again.")
    return Radiograph(view, grey)


def _dicom(path: Path, view: View | None) -> Radiograph:
    with _reading():
        ds = dcmread(path)
        modality = _text(ds, "Modality")
        if modality not in MODALITIES:
            raise OffDomainError(
                f"It is {modality or 'of no modality'}, not a plain radiograph: give "
                f"{' or '.join(MODALITIES)}."
            )
        if "PixelData" not in ds:
            raise UnreadablePictureError("It holds no picture: export it again with its pixels.")
        _require_spine(ds)
        found = _view(ds, view)
        return Radiograph(found, _upright(_grey(ds), ds, found), _aspect(ds))


@contextmanager
def _reading() -> Iterator[None]:
    """Whatever goes wrong with a file is told in our words."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except InputError:
        raise
    except InvalidDicomError:
        raise UnreadablePictureError("It is no DICOM file, PNG or JPEG: give one of these.") from None
    except OSError as error:
        raise UnreadablePictureError(f"It cannot be opened ({error.strerror}): check the rights.") from error
    except Exception as error:  # pydicom and the decoders have no common error
        raise UnreadablePictureError(
            "It is damaged, or compressed in a way that cannot be decoded: export it again, uncompressed."
        ) from error


def _require_spine(ds: FileDataset) -> None:
    """Refuse by the header what is a radiograph, and yet none that a model could read."""
    if int(ds.get("SamplesPerPixel", 1)) != 1:
        raise UnreadablePictureError("It is a colour picture, such as a screenshot: export the original.")
    if int(ds.get("NumberOfFrames", None) or 1) != 1:
        raise OffDomainError("It holds several frames: give one plain radiograph a file.")
    part = _text(ds, "BodyPartExamined").replace(" ", "").replace("-", "")
    if part in _NO_SPINE:
        raise OffDomainError(
            f"It shows another part of the body ({part}): only radiographs of the thoracic and lumbar spine "
            "are read."
        )


def _view(ds: FileDataset, given: View | None) -> View:
    stated = _VIEWS.get(_text(ds, "ViewPosition"))
    if stated is None:
        towards = _orientation(ds)[0][:1]
        stated = {"L": View.AP, "R": View.AP, "A": View.LATERAL, "P": View.LATERAL}.get(towards)
    if given is not None and stated is not None and given is not stated:
        raise InputError(f"It was given as {given}, but says that it is {stated}: check which it is.")
    found = given or stated
    if found is None:
        raise InputError("Its header does not say its view: give it with --ap or --lateral.")
    return found


def _grey(ds: FileDataset) -> Picture:
    """Windowed by its own VOI LUT or window, else by percentiles; bone bright."""
    values = apply_modality_lut(ds.pixel_array, ds)
    seen = apply_voi_lut(values, ds)
    windowed = seen is not values  # an element of the window may be there and empty
    shown = np.asarray(seen, dtype=np.float64)
    if not np.isfinite(shown).all() or shown.min() == shown.max():
        raise UnreadablePictureError("It is blank: export it again.")
    grey = _stretched(shown, (0, 100) if windowed else _LOOK)
    inverse = _text(ds, "PhotometricInterpretation") == "MONOCHROME1"
    return np.asarray(255 - grey if inverse else grey, dtype=np.uint8)


def _stretched(values: _Stored, percentiles: tuple[float, float]) -> Picture:
    low, high = np.percentile(values, percentiles)
    share = np.clip((values - low) / max(high - low, 1e-9), 0, 1)
    return np.asarray(np.rint(255 * share), dtype=np.uint8)


def _upright(pixels: Picture, ds: FileDataset, view: View) -> Picture:
    """Head up; the patient's right, or front, on the left: by Patient Orientation, where it says so."""
    along, down = _orientation(ds)
    if down[:1] == "H":
        pixels = pixels[::-1]
    elif down and down[:1] != "F":
        raise OffDomainError("The patient lies across the picture: turn it so that the head is up.")
    if along[:1] == ("R" if view is View.AP else "A"):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def _orientation(ds: FileDataset) -> tuple[str, str]:
    """Where rows and columns run to, by the first letters of Patient Orientation (0020,0020); or blanks."""
    stated = ds.get("PatientOrientation") or ()
    letters = [str(value).upper() for value in stated]
    return (letters[0], letters[1]) if len(letters) == 2 else ("", "")


def _aspect(ds: FileDataset) -> float:
    for name in ("PixelSpacing", "ImagerPixelSpacing", "PixelAspectRatio"):
        stated = ds.get(name)
        if stated and len(stated) == 2 and min(float(value) for value in stated) > 0:
            return float(stated[0]) / float(stated[1])
    return 1.0


def _text(ds: FileDataset, name: str) -> str:
    return str(ds.get(name) or "").strip().upper()
