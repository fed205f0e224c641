"""Labels of cached studies: what they say by themselves, and what is written of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from spine_fracture.anatomy import Level
from spine_fracture.cohort.splits import Split
from spine_fracture.imaging import Sequence
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
