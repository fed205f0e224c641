"""``POST /activelearning/{strategy}``: the next level to read."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body

from spine_fracture.server.routes.common import Doorway, Room, Who

router = APIRouter(prefix="/activelearning", tags=["ActiveLearning"])


@router.post("/{strategy}")
def next_sample(
    room: Room,
    who: Who,
    door: Doorway,
    strategy: str,
    params: Annotated[dict[str, Any] | None, Body()] = None,
) -> dict[str, Any]:
    """An image id with level, box, centre and reason; empty when there is nothing left for this reader."""
    sample = room.next_sample(who, strategy, params or {})
    return {} if sample is None else sample | {"id": door.picture_id(sample["id"])}
