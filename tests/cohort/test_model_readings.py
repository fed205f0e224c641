"""A study that grew after it was read is read again, once, whether that makes a difference or not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from made_cohort import ingested, reading, write_study
from sqlalchemy import select

from spine_fracture.cohort.ingest import ingest
from spine_fracture.cohort.model_readings import growth, keep_reading, read_by
from spine_fracture.cohort.models import Prediction, Study
from spine_fracture.cohort.project import Project
from spine_fracture.cohort.studies import find_study
from spine_fracture.imaging import PairedStack, Sequence
from spine_fracture.levels import StudyReading
from spine_fracture.pipeline import ReadingPipeline
from spine_fracture.reading import CatalogueReading, read_catalogue


@dataclass(eq=False)
class QuickModels:
    """Stand where the models stand; ``meanwhile`` happens while they read for the first time."""

    project: Project
    meanwhile: Callable[[], object] = lambda: None
    looked_at: list[frozenset[Sequence]] = field(default_factory=list)
    detector = SimpleNamespace(version="detector-1")
    classifier = SimpleNamespace(version="classifier-1")
    further: tuple[Sequence, ...] = ()

    def read(self, pair: PairedStack, study_uid: str) -> StudyReading:
        self.looked_at.append(frozenset(pair.acquired))
        if len(self.looked_at) == 1:
            self.meanwhile()
        with self.project.session() as session:
            return reading(session, study_uid)

    def go_over(self) -> CatalogueReading:
        return read_catalogue(self.project, cast(ReadingPipeline, self), lambda done, total: None)


@pytest.fixture
def arrive(project: Project, pictures: Path) -> Callable[..., str]:
    """Has series of one study arrive; returns its UID."""

    def arrived(*sequences: Sequence) -> str:
        uid = write_study(pictures / "p1", "p1", sequences=sequences)
        assert ingest(pictures / "p1", "Centre A", project).added == (uid,)
        return uid

    return arrived


def boxed(project: Project, uid: str) -> set[str]:
    """The sequences that the levels of a study have boxes on."""
    with project.session() as session:
        levels = find_study(session, uid).levels
        return {part.series.sequence.value for level in levels for part in level.slices}


def test_a_study_whose_other_half_comes_later_is_read_again(
    project: Project, arrive: Callable[..., str]
) -> None:
    models = QuickModels(project)
    uid = arrive(Sequence.T1)
    assert models.go_over().read == (uid,) and boxed(project, uid) == {"T1"}
    assert models.go_over().kept == (uid,)
    arrive(Sequence.T2)
    assert models.go_over().read == (uid,) and boxed(project, uid) == {"T1", "T2"}
    assert models.go_over().kept == (uid,)
    assert [len(seen) for seen in models.looked_at] == [1, 2]


def test_what_makes_no_difference_has_the_study_read_once_more_and_no_more(
    project: Project, arrive: Callable[..., str]
) -> None:
    """The second reading says what the first said, and leaves no new prediction behind."""
    models = QuickModels(project)
    uid = arrive(Sequence.T1, Sequence.T2)
    models.go_over()
    with project.session() as session:
        before = session.scalars(select(Prediction.id)).all()
    arrive(Sequence.T2_FAT_SAT)
    assert models.go_over().read == (uid,)
    assert models.go_over().kept == (uid,)
    with project.session() as session:
        assert session.scalars(select(Prediction.id)).all() == before


def test_only_the_study_that_grew_is_read_again_and_by_models_that_did_not_see_it_grown(
    project: Project, pictures: Path, arrive: Callable[..., str]
) -> None:
    other = ingested(project, "p2", pictures)
    first, second = QuickModels(project), QuickModels(project)
    uid = arrive(Sequence.T1)
    assert set(first.go_over().read) == {other, uid}
    arrive(Sequence.T2)
    with project.transaction() as session:
        opened = growth(session, find_study(session, uid))
        assert keep_reading(session, reading(session, uid, classifier="classifier-2"), opened)
        for classifier, theirs in (("classifier-1", {other}), ("classifier-2", {uid})):
            done = select(Study.uid).where(read_by("detector-1", classifier))
            assert set(session.scalars(done)) == theirs
    assert (second.go_over().read, second.go_over().kept) == ((uid,), (other, uid))


def test_a_study_that_grows_while_it_is_read_is_read_as_it_is_in_the_end(
    project: Project, arrive: Callable[..., str]
) -> None:
    uid = arrive(Sequence.T1)
    models = QuickModels(project, meanwhile=lambda: arrive(Sequence.T2))
    assert models.go_over().read == (uid,)
    assert [len(seen) for seen in models.looked_at] == [1, 2]
    assert models.go_over().kept == (uid,)
