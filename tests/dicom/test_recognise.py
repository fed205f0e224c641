"""Sequences are told by how they were acquired; a description only settles what timing leaves open."""

from __future__ import annotations

import pytest

from spine_fracture.dicom.recognise import sequence_of
from spine_fracture.imaging import Acquisition, Sequence

SE, IR, GR, EP = ("SE",), ("IR",), ("GR",), ("EP",)


def made(tr: float | None = None, te: float | None = None, **more: object) -> Acquisition:
    return Acquisition(repetition_time=tr, echo_time=te, **{"scanning_sequence": SE, **more})  # type: ignore[arg-type]


CASES = {
    "T1 spin echo 1.5 T": (made(550, 11), Sequence.T1),
    "T1 turbo spin echo 3 T": (made(850, 9), Sequence.T1),
    "T1 FLAIR": (made(2400, 10, scanning_sequence=("SE", "IR"), inversion_time=860), Sequence.T1),
    "T1 spoiled gradient echo": (made(180, 4, scanning_sequence=GR, flip_angle=80), Sequence.T1),
    "T2 turbo spin echo": (made(3500, 105), Sequence.T2),
    "T2 3-D": (made(1500, 120), Sequence.T2),
    "T2 with fat saturation": (made(4000, 90, scan_options=("FS",)), Sequence.T2_FAT_SAT),
    "T2 Dixon water": (made(4000, 90, image_type=("M", "WATER")), Sequence.T2_FAT_SAT),
    "STIR 1.5 T": (made(4500, 60, scanning_sequence=("SE", "IR"), inversion_time=150), Sequence.T2_FAT_SAT),
    "STIR 3 T": (made(5000, 35, scanning_sequence=IR, inversion_time=220), Sequence.T2_FAT_SAT),
    "STIR by its sequence name": (
        made(4000, 40, sequence_name="*tir2d1_15", inversion_time=160),
        Sequence.T2_FAT_SAT,
    ),
    "T1 with an agent": (made(600, 12, contrast_agent="gadobutrol"), Sequence.T1_CONTRAST),
    "T1 fat-saturated with an agent": (
        made(600, 12, scan_options=("FS",), contrast_agent="Gd-DOTA"),
        Sequence.T1_CONTRAST,
    ),
    "T1 fat-saturated, named post contrast": (
        made(600, 12, scan_options=("FS",), description="T1 FS SAG POST"),
        Sequence.T1_CONTRAST,
    ),
    "T1 fat-saturated, agent unknown": (made(600, 12, scan_options=("FS",)), Sequence.UNKNOWN),
    "agent field filled in with no": (made(550, 11, contrast_agent="NONE"), Sequence.T1),
    "a wrong description": (made(550, 11, description="T2 TSE SAG"), Sequence.T1),
    "proton density": (made(2500, 20, description="PD T2 SAG"), Sequence.UNKNOWN),
    "between T1 and PD, nothing said": (made(1300, 15), Sequence.UNKNOWN),
    "between T1 and PD, named T1": (made(1300, 15, description="sag T1_tse"), Sequence.T1),
    "between T2 and PD, named T2": (made(3000, 55, description="t2-tse sag"), Sequence.T2),
    "between T2 and PD, named both": (made(3000, 55, description="T1 and T2"), Sequence.UNKNOWN),
    "only an echo time, named T2": (made(None, 100, description="T2 sag"), Sequence.T2),
    "only an echo time, nothing said": (made(None, 100), Sequence.UNKNOWN),
    "only an echo time, named wrongly": (made(None, 100, description="T1 sag"), Sequence.UNKNOWN),
    "a description alone": (made(description="T1 SAG TSE"), Sequence.UNKNOWN),
    "nothing at all": (Acquisition(), Sequence.UNKNOWN),
    "T2* gradient echo": (
        made(600, 18, scanning_sequence=GR, flip_angle=25, description="T2"),
        Sequence.UNKNOWN,
    ),
    "steady state": (made(5, 2.3, scanning_sequence=GR, flip_angle=60 - 15), Sequence.UNKNOWN),
    "diffusion": (made(4000, 90, scanning_sequence=EP), Sequence.UNKNOWN),
    "FLAIR": (made(9000, 110, scanning_sequence=("SE", "IR"), inversion_time=2500), Sequence.UNKNOWN),
    "T2 Dixon fat": (made(4000, 90, image_type=("M", "FAT")), Sequence.UNKNOWN),
    "a map": (made(4000, 90, image_type=("ADC",)), Sequence.UNKNOWN),
    "enhanced, says T1": (Acquisition(acquisition_contrast="T1"), Sequence.T1),
    "enhanced, says STIR": (Acquisition(acquisition_contrast="STIR"), Sequence.T2_FAT_SAT),
    "enhanced, says proton density": (
        made(3500, 80, acquisition_contrast="PROTON_DENSITY"),
        Sequence.UNKNOWN,
    ),
    "enhanced, says unknown": (made(3500, 100, acquisition_contrast="UNKNOWN"), Sequence.T2),
    "a radiograph": (Acquisition(modality="DX", description="T1"), Sequence.UNKNOWN),
}


@pytest.mark.parametrize("case", CASES)
def test_sequence(case: str) -> None:
    acquisition, expected = CASES[case]
    assert sequence_of(acquisition) is expected
