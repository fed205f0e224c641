"""``GET /info/``: what there is to ask for."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from spine_fracture.server.info import describe
from spine_fracture.server.routes.common import Parts

router = APIRouter(tags=["App"])


@router.get("/info/")
def info(parts: Parts) -> dict[str, Any]:
    return describe(parts.tasks, parts.datastore.status())
