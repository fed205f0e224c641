"""``POST /activelearning/{strategy}``: the next level to read."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body

from spine_fracture.server.routes.common import Room, Who

router = APIRouter(prefix="/activelearning", tags=["ActiveLearning"])


@router.post("/{strategy}")
def next_sample(
    room: Room, who: Who, strategy: str, params: Annotated[dict[str, Any] | None, Body()] = None
) -> dict[str, Any]:
    """An image id with level, box, centre and reason; empty when there is nothing left for this reader."""
    return room.next_sample(who, strategy, params or {}) or {}
