"""What the panel shows of the models: the opinion of those that serve."""

from __future__ import annotations

from pathlib import Path

from server.made_desk import Desk, desk

from spine_fracture.anatomy import Level
from spine_fracture.server.review.task import opinion_of


def shown(at: Desk, level: Level = Level.L1) -> str | None:
    with at.project.session() as session:
        opinion = opinion_of(session, at.level(level))
    return opinion.classifier_version if opinion else None


def test_after_a_rollback_the_opinion_is_the_champions(tmp_path: Path) -> None:
    at = desk(tmp_path)
    at.read_by("newer", (0.0, 0.0, 1.0, 0.0))
    at.serve("newer")
    assert shown(at) == "newer"
    at.serve("quick-1")
    assert shown(at) == "quick-1"


def test_before_the_champion_has_read_the_last_opinion_there_is(tmp_path: Path) -> None:
    at = desk(tmp_path)
    at.serve("reads nothing")
    assert shown(at) == "quick-1"
