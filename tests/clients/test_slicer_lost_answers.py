"""When words get lost on the way: nothing is stored twice, or of another level, or taken back twice."""

from __future__ import annotations

from typing import Any

import pytest
from clients.conftest import Ward
from clients.sittings import answers_lost, at_hand, reads_by, signed_in
from spine_fracture_reading.connection import Connection, UnreachableError
from spine_fracture_reading.reading import Answer, Sitting


@pytest.mark.parametrize("meanwhile", ["skip", "undo", "next"])
def test_a_token_is_of_one_answer_to_one_level(
    ward: Ward, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    """What the reader did after an answer was lost makes the same words another answer."""
    sitting = Sitting(signed_in(ward, f"token-{meanwhile}"))
    first = at_hand(sitting).level.id
    post, sent = Connection.post, []

    def deaf(self: Connection, path: str, content: dict[str, Any]) -> dict[str, Any]:
        sent.append((content["level_id"], content["token"]))
        post(self, path, content)
        raise UnreachableError("The connection broke off: try again.")

    def hearing(self: Connection, path: str, content: dict[str, Any]) -> dict[str, Any]:
        if path == "/review/reads":
            sent.append((content["level_id"], content["token"]))
        return post(self, path, content)

    monkeypatch.setattr(Connection, "post", deaf)
    with pytest.raises(UnreachableError):
        sitting.submit(Answer("normal"), 5.0)
    monkeypatch.setattr(Connection, "post", hearing)
    if meanwhile == "skip":
        sitting.skip("poor_quality")
    if meanwhile == "undo":
        assert sitting.undo().level.id == first
        sitting.shown()
    else:
        at_hand(sitting)
    sitting.submit(Answer("normal"), 5.0)
    (lost, lost_token), (level, token) = sent
    assert (lost == level) == (meanwhile == "undo")
    assert token != lost_token
    assert level in {read.level_id for read in reads_by(ward, f"token-{meanwhile}")}


def test_a_token_of_another_level_is_not_used_again(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    sitting = Sitting(signed_in(ward, "token-level"))
    one, other = at_hand(sitting), Sitting(signed_in(ward, "token-other")).next()
    tokens = []

    def broken(self: Connection, path: str, content: dict[str, Any]) -> dict[str, Any]:
        tokens.append(content["token"])
        raise UnreachableError("The connection broke off: try again.")

    monkeypatch.setattr(Connection, "post", broken)
    for task in (one, one, other):
        sitting.task = task
        with pytest.raises(UnreachableError):
            sitting.submit(Answer("normal"), 5.0)
    assert tokens[0] == tokens[1] != tokens[2]


def test_what_was_taken_back_is_told_again_and_nothing_further_is_taken(ward: Ward) -> None:
    sitting = Sitting(signed_in(ward, "takes-back"))
    levels = []
    for _ in range(3):
        levels.append(at_hand(sitting).level.id)
        sitting.submit(Answer("normal"), 5.0)
    at_hand(sitting)
    with answers_lost(), pytest.raises(UnreachableError):
        sitting.undo()
    assert [sitting.undo().level.id, sitting.undo().level.id] == [levels[2]] * 2
    assert [read.level_id for read in reads_by(ward, "takes-back")] == levels[:2]
    sitting.shown()
    assert sitting.undo().level.id == levels[1]
    assert [read.level_id for read in reads_by(ward, "takes-back")] == levels[:1]


def test_a_level_that_is_not_shown_is_kept_and_given_up_but_not_answered(ward: Ward) -> None:
    sitting, other = Sitting(signed_in(ward, "sees-nothing")), Sitting(signed_in(ward, "waits-for-it"))
    task = sitting.next()
    assert task is not None
    sitting.renew()
    with pytest.raises(ValueError, match="No level lies before"):
        sitting.submit(Answer("normal"), 1.0)
    assert at_hand(other).level.id != task.level.id
    sitting.release()
    other.skip("cannot_decide")
    assert at_hand(other).level.id == task.level.id
    other.release()
