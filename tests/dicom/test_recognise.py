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
    "STIR whose inversion time is left empty": (
        made(4500, 60, scanning_sequence=("SE", "IR"), description="t2_tirm_sag"),
        Sequence.T2_FAT_SAT,
    ),
    "STIR by its description": (
        made(4500, 70, scanning_sequence=("SE", "IR"), inversion_time=0.0, description="STIR SAG"),
        Sequence.T2_FAT_SAT,
    ),
    "STIR of which only the sequence name says that it is inverted": (
        made(4500, 70, sequence_name="*tir2d1_15", description="SAG STIR LSPINE"),
        Sequence.T2_FAT_SAT,
    ),
    "inverted with nothing to tell by": (made(4500, 70, scanning_sequence=("SE", "IR")), Sequence.UNKNOWN),
    "inverted, with the times of T1": (made(900, 12, sequence_name="tir2d1rs3"), Sequence.UNKNOWN),
    "T1 TIRM without its time": (
        made(2000, 12, scanning_sequence=("SE", "IR"), description="t1_tirm_sag"),
        Sequence.UNKNOWN,
    ),
    "T1 TIRM": (
        made(2000, 12, sequence_name="tir2d1rs3", inversion_time=860, description="t1_tirm_sag"),
        Sequence.T1,
    ),
    "dark fluid without its time": (
        made(9000, 100, scanning_sequence=("SE", "IR"), description="t2_tirm_sag_dark-fluid"),
        Sequence.UNKNOWN,
    ),
    "T2 with spectral inversion": (
        made(4000, 90, scanning_sequence=("SE", "IR"), scan_options=("FS",)),
        Sequence.T2_FAT_SAT,
    ),
    "diffusion with inversion": (
        made(6000, 70, scanning_sequence=("EP", "IR"), description="DWI STIR"),
        Sequence.UNKNOWN,
    ),
    "a radiograph": (Acquisition(modality="DX", description="T1"), Sequence.UNKNOWN),
}


@pytest.mark.parametrize("case", CASES)
def test_sequence(case: str) -> None:
    acquisition, expected = CASES[case]
    assert sequence_of(acquisition) is expected


@pytest.mark.parametrize(
    "description",
    [
        *("T1 TSE SAG +C", "T1+C", "SAG T1 C+", "t1_tse_sag_km", "T1 mKM", "SAG T1 POST GAD"),
        *("sag T1 Gd-DTPA", "T1 TSE gadolinium", "T1 nach Kontrastmittel", "T1 no FS +GD", "T1 CE"),
    ],
)
def test_a_description_that_names_an_agent_is_believed(description: str) -> None:
    for agent in (None, "NONE"):
        acquisition = made(550, 11, contrast_agent=agent, description=description)
        assert sequence_of(acquisition) is Sequence.T1_CONTRAST


@pytest.mark.parametrize(
    "description",
    [
        *("T1 ohne KM", "t1_tse_sag o. KM", "T1 without contrast", "SAG T1 W/O GAD", "T1 PRE GD"),
        *("T1 nativ vor KM", "T1 non-contrast", "SAG T1 POST OP", "T1 postop", "T1 C+T spine"),
        "t1_tse_sag_dixon_in w/o KM",
    ],
)
def test_a_description_that_denies_it_leaves_plain_t1(description: str) -> None:
    assert sequence_of(made(550, 11, description=description)) is Sequence.T1


@pytest.mark.parametrize(
    "description",
    [
        *("SAG T2 FS", "t2_tse_fatsat_sag", "T2 FAT SAT", "T2 fat-suppressed", "t2 SPAIR", "T2 SPIR SAG"),
        *("T2 STIR", "t2_tirm_sag", "t2_tse_dixon_sag_W", "T2 mDIXON-W", "WATER: SAG T2 FLEX"),
    ],
)
def test_a_description_that_names_fat_suppression_is_believed(description: str) -> None:
    assert sequence_of(made(3500, 105, description=description)) is Sequence.T2_FAT_SAT


@pytest.mark.parametrize(
    "description", ["T2 NON FS", "T2 ohne FatSat", "T2 TSE w/o fs", "t2_tse_dixon_sag_in"]
)
def test_fat_suppression_that_is_denied_leaves_plain_t2(description: str) -> None:
    assert sequence_of(made(3500, 105, description=description)) is Sequence.T2


@pytest.mark.parametrize("description", ["T1 FS SAG", "T1 fatsat ohne KM", "T1 FS PRE GAD"])
def test_fat_saturated_t1_without_an_agent_is_not_plain(description: str) -> None:
    assert sequence_of(made(600, 12, description=description)) is Sequence.UNKNOWN
