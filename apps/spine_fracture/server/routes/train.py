"""``/train``: trainings are jobs that survive a restart; their states in MONAI Label's words."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends

from spine_fracture.errors import NotFoundError
from spine_fracture.server.routes.common import Room, engineer
from spine_fracture.server.training import TrainerName

router = APIRouter(prefix="/train", tags=["Train"], dependencies=[Depends(engineer)])
Params = Annotated[dict[str, Any] | None, Body()]
#: A training asked for with run_sync is waited for this long.
_LONGEST_WAIT_S = 3600.0


@router.get("/", response_model=None)
def status(
    room: Room, all: bool = False, check_if_running: bool = False
) -> dict[str, Any] | list[dict[str, Any]]:
    """The last training, the running one, or all of them."""
    jobs = room.trainings.running() if check_if_running else room.trainings.all()
    if not jobs:
        raise NotFoundError("No training is running." if check_if_running else "No training was started.")
    if all and not check_if_running:
        return [room.trainings.as_monai_label(job) for job in jobs]
    return room.trainings.as_monai_label(jobs[0] if check_if_running else jobs[-1])


@router.post("/")
def start_all(room: Room, params: Params = None) -> dict[str, Any]:
    """Every trainer; ``params`` holds the parameters of each by its name."""
    chosen = params or {}
    started = {}
    for trainer in TrainerName:
        own = chosen.get(trainer)
        job = room.trainings.start(trainer, own if isinstance(own, dict) else {}, enqueue=True)
        started[str(trainer)] = {"result": room.trainings.as_monai_label(job), "detail": None}
    return started


@router.post("/{model}")
def start(
    room: Room, model: str, params: Params = None, run_sync: bool = False, enqueue: bool = False
) -> dict[str, Any]:
    """One trainer; with ``run_sync`` the answer comes when it has ended."""
    job = room.trainings.start(TrainerName.parse(model), params or {}, enqueue=enqueue)
    if run_sync:
        job = room.trainings.wait(job, _LONGEST_WAIT_S)
    return room.trainings.as_monai_label(job)


@router.delete("/")
def stop(room: Room) -> dict[str, Any]:
    return room.trainings.as_monai_label(room.trainings.stop())
