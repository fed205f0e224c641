"""The T1 and T2 that are read share the patient; nothing else stands in for them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_series import AXIAL, frame, volume, written

from spine_fracture.dicom.choose import Choice, choose
from spine_fracture.dicom.scan import scan
from spine_fracture.errors import OffDomainError
from spine_fracture.geometry import VolumeFrame
from spine_fracture.imaging import Sequence, Volume

SHAPE = (5, 40, 32)
LUMBAR = frame(SHAPE)
CERVICAL = frame(SHAPE, origin=(25, -60, 400))
FINE = frame((5, 80, 64), spacing=(0.35, 0.4, 4.0))


def chosen(folder: Path, *volumes: Volume) -> Choice:
    for made in volumes:
        written(folder, made)
    return choose(scan(folder).studies[0])


def at(sequence: Sequence, where: VolumeFrame, name: str) -> Volume:
    return volume(where.shape, sequence=sequence, where=where, name=name)


def test_series_of_one_region_are_paired(tmp_path: Path) -> None:
    choice = chosen(
        tmp_path,
        at(Sequence.T1, CERVICAL, "neck"),
        at(Sequence.T1, LUMBAR, "back"),
        at(Sequence.T2, LUMBAR, "back"),
        at(Sequence.T2, frame((1, 20, 20), AXIAL), "across"),
    )
    assert choice.t1 is not None and choice.t2 is not None
    np.testing.assert_allclose(choice.t1.frame.matrix, choice.t2.frame.matrix, atol=1e-4)


def test_finer_pixels_decide_between_equals(tmp_path: Path) -> None:
    choice = chosen(
        tmp_path, at(Sequence.T1, LUMBAR, "a"), at(Sequence.T2, LUMBAR, "b"), at(Sequence.T2, FINE, "fine")
    )
    assert choice.t2 is not None
    assert choice.t2.frame.shape == FINE.shape


def test_one_sequence_is_enough(tmp_path: Path) -> None:
    choice = chosen(tmp_path / "1", at(Sequence.T1, LUMBAR, "a"))
    assert choice.t2 is None and choice.t1 is not None
    choice = chosen(tmp_path / "2", at(Sequence.T2, LUMBAR, "a"))
    assert choice.t1 is None and choice.t2 is not None


def test_other_regions_are_not_paired(tmp_path: Path) -> None:
    choice = chosen(tmp_path, at(Sequence.T1, CERVICAL, "a"), at(Sequence.T2, LUMBAR, "b"))
    assert choice.t1 is None and choice.t2 is not None


def test_one_frame_of_reference_goes_before_finer_pixels(tmp_path: Path) -> None:
    elsewhere = replace(at(Sequence.T1, FINE, "fine"), frame_of_reference_uid="1.2.3")
    t2 = at(Sequence.T2, LUMBAR, "b")
    alone = chosen(tmp_path, elsewhere, t2)
    assert alone.t1 is not None and alone.t1.frame_of_reference_uid == "1.2.3"
    both = chosen(tmp_path, at(Sequence.T1, LUMBAR, "a"))
    assert both.t1 is not None and both.t1.frame_of_reference_uid == t2.frame_of_reference_uid


def test_contrast_and_fat_suppression_never_stand_in(tmp_path: Path) -> None:
    enhanced = at(Sequence.T1, LUMBAR, "c")
    enhanced = replace(enhanced, acquisition=replace(enhanced.acquisition, contrast_agent="gadolinium"))
    stir = at(Sequence.T2, LUMBAR, "s")
    stir = replace(stir, acquisition=replace(stir.acquisition, scan_options=("FS",)))
    with pytest.raises(OffDomainError, match="T1_CE, T2_FS"):
        chosen(tmp_path, enhanced, stir)


def test_axial_only_is_off_domain(tmp_path: Path) -> None:
    with pytest.raises(OffDomainError, match="only axial"):
        chosen(tmp_path, at(Sequence.T2, frame((3, 20, 20), AXIAL), "across"))
