"""Counts of a cohort: what people said counts until somebody takes it back, whatever models find later."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_cohort import reading
from read_cohort import ReadStudy, read_study

from spine_fracture.anatomy import Level
from spine_fracture.cohort.levels import store_reading
from spine_fracture.cohort.outlines import remove_level
from spine_fracture.cohort.overview import count_levels, overview
from spine_fracture.cohort.project import Project
from spine_fracture.cohort.snapshots import freeze, read_snapshot


@pytest.fixture
def study(project: Project, pictures: Path) -> ReadStudy:
    return read_study(project, pictures)


def counted(study: ReadStudy) -> tuple[int, int, int, int]:
    """Levels that are found now, reads, levels with an answer, and reads that a model is trained on."""
    freeze(study.project)
    with study.project.session() as session:
        (row,) = overview(session)
        trained = len(read_snapshot(study.project).training)
        return row.levels, row.reads, count_levels(session), trained


def test_a_read_counts_alike_everywhere(study: ReadStudy) -> None:
    for number in range(3):
        study.read("ann", number)
    assert counted(study) == (3, 3, 3, 3)
    with study.project.transaction() as session:  # a new detector misses the third
        store_reading(session, reading(session, study.uid, names=(Level.L1, Level.L2)))
    assert counted(study) == (2, 3, 3, 3)
    with study.project.transaction() as session:
        remove_level(session, study.levels[0], "bob")
    assert counted(study) == (1, 2, 2, 2)
