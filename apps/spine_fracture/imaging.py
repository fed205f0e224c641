"""Pictures as the models see them: typed, frozen, free of any file format."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from spine_fracture.errors import InputError
from spine_fracture.geometry import VolumeFrame

Pixels = npt.NDArray[np.float32]


class Sequence(StrEnum):
    """The MR sequence of a series."""

    T1 = "T1"
    T2 = "T2"
    T2_FAT_SAT = "T2_FS"  # STIR or fat-saturated T2
    T1_CONTRAST = "T1_CE"
    UNKNOWN = "unknown"


#: Channels of what models of levels read, in this order; one that was not acquired is all zeros.
CHANNELS: tuple[Sequence, ...] = (
    Sequence.T1,
    Sequence.T2,
    Sequence.T2_FAT_SAT,
    Sequence.T1_CONTRAST,
)


#: What every study has at least one of, and those that it may have beside them; few models read these.
PAIR, FURTHER = CHANNELS[:2], CHANNELS[2:]


class Plane(StrEnum):
    SAGITTAL = "sagittal"
    CORONAL = "coronal"
    AXIAL = "axial"
    UNKNOWN = "unknown"


class SpacingOrigin(StrEnum):
    """Where millimetres come from. ``UNKNOWN`` means the frame counts pixels, not millimetres."""

    MEASURED = "measured"
    ASSUMED = "assumed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Acquisition:
    """What the scanner says of a series. Times in ms, angle in degrees, field in tesla.

    ``acquisition_contrast`` is DICOM's own name of the weighting (T1, T2, STIR, ...), which
    enhanced MR objects carry; ``image_type`` the values of Image Type from the third on.
    """

    modality: str = "MR"
    repetition_time: float | None = None
    echo_time: float | None = None
    inversion_time: float | None = None
    flip_angle: float | None = None
    field_strength: float | None = None
    contrast_agent: str | None = None
    scanning_sequence: tuple[str, ...] = ()
    sequence_variant: tuple[str, ...] = ()
    scan_options: tuple[str, ...] = ()
    sequence_name: str | None = None
    acquisition_contrast: str | None = None
    image_type: tuple[str, ...] = ()
    description: str | None = None
    body_part: str | None = None


@dataclass(frozen=True, eq=False)
class Volume:
    """One series as a stack of parallel slices.

    ``pixels`` has shape (slices, rows, columns), float32, in the scanner's own units. Slices are
    in geometric order. Sagittal volumes are in display order: rows run head to foot and columns
    front to back, whatever the file's orientation was, and ``frame`` says where that lies.
    """

    series_uid: str
    pixels: Pixels
    frame: VolumeFrame
    sequence: Sequence
    plane: Plane
    spacing_origin: SpacingOrigin
    slice_uids: tuple[str, ...] = ()
    frame_of_reference_uid: str = ""
    acquisition: Acquisition = field(default_factory=Acquisition)

    def __post_init__(self) -> None:
        if self.pixels.ndim != 3 or self.pixels.shape != self.frame.shape:
            raise InputError(
                f"A volume needs pixels (slices, rows, columns) like its frame {self.frame.shape}, "
                f"got {self.pixels.shape}."
            )
        if self.slice_uids and len(self.slice_uids) != len(self.pixels):
            raise InputError(f"{len(self.slice_uids)} slice UIDs for {len(self.pixels)} slices.")


@dataclass(frozen=True, eq=False)
class FurtherSeries:
    """A series of one of FURTHER on the grid of a pair. ``pixels`` (slices, rows, columns), ``residual_px``
    and ``registered`` are as in :class:`PairedStack`, the misalignment being that with the pair's reference.
    """

    sequence: Sequence
    pixels: Pixels
    residual_px: float | None
    registered: bool


@dataclass(frozen=True, eq=False)
class PairedStack:
    """T1 and T2 of a study on one grid: what the networks read.

    ``pixels`` has shape (slices, 2, rows, columns), float32 scaled to [0, 1] by series percentiles; channel
    0 is T1, channel 1 is T2 and a missing sequence is all zeros. ``reference`` is the volume whose
    grid this is (T2 when there is one). ``residual_px`` is the T1-T2 misalignment that was
    measured before any registration, ``registered`` whether T1 was moved to undo it, and
    ``t1_shift_px`` the (x, y) in pixels that was added to a T1 position to find it in the grid. ``further``
    are other sequences that were asked for, acquired, and found to lie on this grid.
    """

    pixels: Pixels
    reference: Volume
    other: Volume | None
    residual_px: float | None
    registered: bool
    t1_shift_px: tuple[float, float] = (0.0, 0.0)
    further: tuple[FurtherSeries, ...] = ()

    def __post_init__(self) -> None:
        slices, rows, columns = self.reference.frame.shape
        if self.pixels.shape != (slices, 2, rows, columns):
            raise InputError(
                f"A pair needs pixels of shape {(slices, 2, rows, columns)}, got {self.pixels.shape}."
            )
        for one in self.further:
            if one.sequence not in FURTHER or one.pixels.shape != (slices, rows, columns):
                raise InputError(
                    f"Beside a pair lies {' or '.join(FURTHER)} of shape {(slices, rows, columns)}, got "
                    f"{one.sequence} of {one.pixels.shape}."
                )

    @property
    def has_t1(self) -> bool:
        return Sequence.T1 in self.sequences

    @property
    def has_t2(self) -> bool:
        return Sequence.T2 in self.sequences

    @property
    def sequences(self) -> frozenset[Sequence]:
        return frozenset(v.sequence for v in (self.reference, self.other) if v is not None)

    @property
    def acquired(self) -> frozenset[Sequence]:
        """The sequences of the pair and of what lies beside it."""
        return self.sequences.union(one.sequence for one in self.further)

    @property
    def channels(self) -> Pixels:
        """(slices, 4, rows, columns), channels as in CHANNELS: the pair with what lies beside it."""
        slices, _, rows, columns = self.pixels.shape
        whole = np.zeros((slices, len(CHANNELS), rows, columns), np.float32)
        whole[:, :2] = self.pixels
        for one in self.further:
            whole[:, CHANNELS.index(one.sequence)] = one.pixels
        return whole
