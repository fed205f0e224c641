"""Annotated pictures become a cohort, and a cohort becomes pictures with regions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from spine_fracture.anatomy import Diagnosis, Level
from spine_fracture.cli import cli
from spine_fracture.cohort.splits import split_of
from spine_fracture.errors import InputError
from spine_fracture.imaging import Sequence
from spine_fracture.training.cohorts.naming import CohortNaming
from spine_fracture.training.cohorts.regions import export_regions, import_regions, understood
from spine_fracture.training.cohorts.study_cache import CHANNELS, StudyCache
from spine_fracture.via import AnnotatedPicture, Circle, Rectangle, Region, read_via

DRAWN = CohortNaming("drawn", "0" * 64)
BOX = Rectangle(x=10, y=12, width=20, height=15)


def region(diagnosis: str, level: str = "", shape: Rectangle | Circle = BOX) -> Region:
    return Region(shape_attributes=shape, region_attributes={"diagnosis": diagnosis, "level": level})


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (50, 60), np.uint8)).save(folder / "first.png")
    Image.fromarray(rng.integers(0, 256, (40, 30), np.uint8)).save(folder / "second.jpg")
    return folder


def test_annotated_pictures_become_studies(images: Path, tmp_path: Path) -> None:
    pictures = [
        AnnotatedPicture(
            filename="C:\\pictures\\first.png",
            regions=(
                region("Metastasis: breast", "l3"),
                region("hemangioma", "L1", Circle(cx=20, cy=20, r=5)),
                Region(shape_attributes=BOX),
            ),
            file_attributes={"patient": "case-7", "centre": "B"},
        ),
        AnnotatedPicture(filename="second.jpg", regions=(region("hemangioma"),)),
        AnnotatedPicture(filename="unlabelled.png", regions=(Region(shape_attributes=BOX),)),
    ]
    count = import_regions(pictures, images, tmp_path / "out", DRAWN, Sequence.T2, Level.L2)
    cache = StudyCache(tmp_path / "out" / "studies")
    assert count == len(cache) == 2 and cache.name.startswith(DRAWN.begins)
    first, second = cache
    assert (first.label.patient, first.label.centre) == ("case-7", "B")
    assert first.label.split is split_of("case-7") and first.label.sequences == (Sequence.T2,)
    hemangioma, metastasis = first.label.levels
    assert (hemangioma.level, hemangioma.boxes) == (Level.L1, ((15, 15, 25, 25),))
    assert (metastasis.diagnosis, metastasis.primary) == (Diagnosis.MALIGNANT, "breast")
    assert first.pixels.shape == (1, len(CHANNELS), 50, 60)
    assert first.pixels[0, 1].max() == 255 and not first.pixels[0, [0, 2, 3]].any()
    assert (second.label.patient, second.label.levels[0].level) == ("second", Level.L2)
    assert first.label.only_regions and second.label.only_regions


@pytest.mark.parametrize(
    ("regions", "level", "why"),
    [
        ((region("hemangioma"),), None, "names no vertebra"),
        ((region("hemangioma", "L9"),), None, "not a vertebral level"),
        ((region("cyst", "L1"),), None, "not a class"),
        ((region("metastasis:skin", "L1"),), None, "names no tumour"),
        ((region("hemangioma:lung", "L1"),), None, "names no tumour"),
        ((region("hemangioma"), region("normal")), Level.L1, "there twice"),
        ((region("hemangioma", "L1", Circle(cx=1, cy=1, r=0)),), None, "area"),
        ((), None, "No region has the attribute"),
    ],
)
def test_what_cannot_be_imported_is_named_before_anything_is_written(
    images: Path, tmp_path: Path, regions: tuple[Region, ...], level: Level | None, why: str
) -> None:
    pictures = [AnnotatedPicture(filename="first.png", regions=regions)]
    with pytest.raises(InputError, match=why):
        import_regions(pictures, images, tmp_path / "out", DRAWN, Sequence.T1, level)
    assert not (tmp_path / "out").exists()


def test_pictures_lie_in_the_folder_that_was_named(images: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes((images / "first.png").read_bytes())
    outside = [AnnotatedPicture(filename="../secret.png", regions=(region("normal", "L1"),))]
    with pytest.raises(InputError, match=r"no secret\.png"):
        import_regions(outside, images, tmp_path / "out", DRAWN, Sequence.T1)
    with pytest.raises(InputError, match="unknown"):
        import_regions(outside, images, tmp_path / "out", DRAWN, Sequence.UNKNOWN)


def test_an_exported_cohort_is_imported_again_without_its_locked_studies(
    small_cohort: Path, tmp_path: Path
) -> None:
    runner, cache = CliRunner(), StudyCache(small_cohort / "studies")
    folder = tmp_path / "via"
    done = runner.invoke(
        cli, ["regions", "export", str(small_cohort), "--out", str(folder), "--sequence", "T1"]
    )
    assert done.exit_code == 0, done.output
    teaching = [label for label in cache.labels if label.part is None]
    pictures = read_via(folder / "regions.json")
    assert {p.file_attributes["patient"] for p in pictures} == {label.patient for label in teaching}
    assert len(pictures) == 4 * len(teaching)
    assert all((folder / p.filename).stat().st_size == p.size for p in pictures)
    # A lesion's vertebra is marked on every slice, and told where the lesion does not show.
    assert all(len(p.regions) == 4 for p in pictures)
    shown = [[r.region_attributes["shown"] for r in p.regions] for p in pictures[:2]]
    assert shown == [["yes", "no", "yes", "no"], ["yes"] * 4]
    done = runner.invoke(
        cli,
        [
            *("regions", "import", str(folder / "regions.json"), "--images", str(folder)),
            *("--out", str(tmp_path / "again"), "--sequence", "T1"),
        ],
    )
    assert done.exit_code == 0, done.output
    again = StudyCache(tmp_path / "again" / "studies")
    kept = {"patient", "centre", "levels"}
    assert [label.model_dump(include=kept) for label in again.labels] == [
        label.model_copy(
            update={"levels": tuple(lv.model_copy(update={"features": ()}) for lv in label.levels)}
        ).model_dump(include=kept)
        for label in teaching
    ]
    first, before = again[0].pixels[:, 0], cache[0].pixels[:, 0]
    assert first.shape == before.shape
    assert np.corrcoef(first.ravel(), before.ravel())[0, 1] > 0.99
    with pytest.raises(InputError, match="T2_FS"):
        export_regions(cache, tmp_path / "none", Sequence.T2_FAT_SAT)


def test_a_cohort_of_changed_pictures_has_another_name(images: Path, tmp_path: Path) -> None:
    pictures = [AnnotatedPicture(filename="first.png", regions=(region("hemangioma", "L1"),))]

    def name(out: str) -> str:
        import_regions(pictures, images, tmp_path / out, DRAWN, Sequence.T1)
        return StudyCache(tmp_path / out / "studies").name

    first, again = name("a"), name("b")
    Image.open(images / "first.png").rotate(180).save(images / "first.png")
    assert first == again != name("c")


def test_a_cohort_is_not_imported_over_another(images: Path, tmp_path: Path) -> None:
    pictures = [AnnotatedPicture(filename="first.png", regions=(region("hemangioma", "L1"),))]
    import_regions(pictures, images, tmp_path / "out", DRAWN, Sequence.T1)
    before = StudyCache(tmp_path / "out" / "studies").name
    with pytest.raises(InputError, match=f"holds the cohort {before}"):
        import_regions(pictures, images, tmp_path / "out", CohortNaming("other", "1" * 64), Sequence.T1)
    assert StudyCache(tmp_path / "out" / "studies").name == before


@pytest.mark.parametrize(
    ("second", "said", "why"),
    [
        ("first.png", {"slice": "4"}, "both slice 4"),
        ("first.png", {"slice": "x"}, "whole number"),
        ("second.jpg", {"slice": "5"}, "not equally large"),
        ("first.png", {"slice": "5"}, "on a slice before"),
    ],
)
def test_slices_that_do_not_make_one_study_are_named(
    images: Path, tmp_path: Path, second: str, said: dict[str, str], why: str
) -> None:
    study = {"patient": "p", "study": "1", "slice": "4"}
    words = "normal" if why == "not equally large" else "hemangioma"
    pictures = [
        AnnotatedPicture(filename="first.png", regions=(region("normal", "L1"),), file_attributes=study),
        AnnotatedPicture(filename=second, regions=(region(words, "L1"),), file_attributes=study | said),
    ]
    with pytest.raises(InputError, match=why):
        import_regions(pictures, images, tmp_path / "out", DRAWN, Sequence.T1)
    assert not (tmp_path / "out" / "studies" / "cache.json").exists()


def test_words_of_regions() -> None:
    assert understood("malignant") == understood("metastasis") == (Diagnosis.MALIGNANT, "")
    assert understood(" Metastasis : RENAL ") == (Diagnosis.MALIGNANT, "renal")
    assert understood("normal") == (Diagnosis.NORMAL, "")
