"""Labels of cached studies: what they say by themselves, and what is written of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from several_studies import exam, write_cohort

from spine_fracture.anatomy import Diagnosis, Level
from spine_fracture.cohort.splits import Split
from spine_fracture.errors import InputError
from spine_fracture.imaging import Sequence
from spine_fracture.training.cohorts.naming import CohortNaming
from spine_fracture.training.cohorts.study_cache import CachedStudy, StudyCache, StudyCacheWriter, StudyLabel


def test_what_is_labelled_from_a_level_down_says_so_and_older_cohorts_still_do(tmp_path: Path) -> None:
    def label(source: str, **more: Level | None) -> StudyLabel:
        return StudyLabel(
            patient="p", centre="R", split=Split.TRAIN, source=source, sequences=(Sequence.T1,), levels=(),
            **more,
        )  # fmt: skip

    # Before there was such a field it followed from the source; labels are written as they were.
    real, read = label("simulated_in_real"), label("read")
    assert real.labelled_from is Level.L1 and read.labelled_from is None
    told = (label("read", labelled_from=Level.L4), label("simulated_in_real", labelled_from=None))
    for one in (real, read, *told):
        assert StudyLabel.model_validate_json(one.model_dump_json()) == one
        assert ("labelled_from" in one.model_dump(mode="json")) == (one in told)
    with StudyCacheWriter(tmp_path, "labelled") as writer:
        for one in (real, read, *told):
            writer.add(CachedStudy(one, np.zeros((1, 4, 8, 8), np.uint8)))
    assert StudyCache(tmp_path).labels == (real, read, *told)


def test_studies_with_regions_alone_say_so_and_others_are_written_as_before() -> None:
    whole = exam("p", Diagnosis.NORMAL).label
    regions = whole.model_copy(update={"only_regions": True})
    for one in (whole, regions):
        assert StudyLabel.model_validate_json(one.model_dump_json()) == one
        assert ("only_regions" in one.model_dump(mode="json")) == (one is regions)


def test_another_cohort_is_not_written_over_and_the_same_one_may_be(tmp_path: Path) -> None:
    first, other = CohortNaming("first", "1" * 64), CohortNaming("first", "2" * 64)
    with StudyCacheWriter(tmp_path, first) as writer:
        writer.add(exam("p", Diagnosis.NORMAL))
    before, pixels = StudyCache(tmp_path).name, (tmp_path / "pixels.bin").read_bytes()
    for naming in (other, CohortNaming("last", "1" * 64), "parts"):
        with pytest.raises(InputError, match=f"holds the cohort {before}.*another folder or empty"):
            StudyCacheWriter(tmp_path, naming)
    assert StudyCache(tmp_path).name == before and (tmp_path / "pixels.bin").read_bytes() == pixels
    with StudyCacheWriter(tmp_path, first) as writer:
        writer.add(exam("p", Diagnosis.NORMAL, seed=1))
    assert StudyCache(tmp_path).name.startswith(first.begins) and StudyCache(tmp_path).name != before
    (tmp_path / "cache.json").unlink()  # a writing that was cut short
    with StudyCacheWriter(tmp_path, other) as writer:
        writer.add(exam("p", Diagnosis.NORMAL))
    assert StudyCache(tmp_path).name.startswith(other.begins)


def test_studies_of_a_patient_are_numbered_in_their_order(tmp_path: Path) -> None:
    of = ("a", "b", "a", "a")
    studies = [exam(patient, Diagnosis.NORMAL, seed=at, slices=2) for at, patient in enumerate(of)]
    cache = StudyCache(write_cohort(tmp_path, studies) / "studies")
    assert cache.of_patient("a") == (0, 2, 3) and [cache.number(at) for at in range(4)] == [1, 1, 2, 3]
    for name, place in {"a/1": 0, "b/1": 1, "a/2/1": 2, "a/3/1": 3}.items():
        found = cache.slice_called(of[place], name)
        assert found is not None
        np.testing.assert_array_equal(found, studies[place].pixels[1])
    assert cache.slice_called("b", "b/2/1") is cache.slice_called("a", "a/2") is None


def test_a_folder_without_studies_says_how_to_make_them(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no studies: make them with `spine-fracture cohort simulate`"):
        StudyCache(tmp_path / "studies")
