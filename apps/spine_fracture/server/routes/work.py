"""``/batch/infer`` and ``/scoring``: work over many studies behind the requests."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends

from spine_fracture.errors import InputError, NotFoundError
from spine_fracture.server.background import Background, Step
from spine_fracture.server.inference import ModelName
from spine_fracture.server.room import ReadingRoom
from spine_fracture.server.routes.common import Room, engineer
from spine_fracture.server.scoring import METHOD, reader_agreement

batch = APIRouter(prefix="/batch/infer", tags=["Infer"], dependencies=[Depends(engineer)])
scoring = APIRouter(prefix="/scoring", tags=["Scoring"], dependencies=[Depends(engineer)])
Params = Annotated[dict[str, Any] | None, Body()]
Status = dict[str, Any] | list[dict[str, Any]]


class Images(StrEnum):
    """Which studies: all, those with reads, those without."""

    ALL = "all"
    LABELED = "labeled"
    UNLABELED = "unlabeled"


@batch.get("", response_model=None)
@batch.get("/", response_model=None, include_in_schema=False)
def batch_status(room: Room, all: bool = False, check_if_running: bool = False) -> Status:
    return _status(room.batch, all, check_if_running)


@batch.post("/{model}")
def batch_infer(
    room: Room, model: str, images: Images = Images.ALL, params: Params = None, run_sync: bool = False
) -> dict[str, Any]:
    """Read the studies with the models, so that the queue can rank their levels."""
    name = ModelName.parse(model)
    if not name.reads_levels:
        raise InputError(f"Studies are read ahead for the levels on MRI: ask {name} study by study.")
    largest = (params or {}).get("max_batch_size", 0)
    ids = _chosen(room, images)
    ids = ids[:largest] if isinstance(largest, int) and largest > 0 else ids
    request = {"model": name, "images": images, "studies": len(ids)}
    run = room.batch.start(request, [_step(room, image) for image in ids], wait=run_sync)
    return run.as_monai_label()


@batch.delete("")
@batch.delete("/", include_in_schema=False)
def batch_stop(room: Room) -> dict[str, Any]:
    return room.batch.stop().as_monai_label()


def _chosen(room: ReadingRoom, images: Images) -> tuple[str, ...]:
    labelled = room.labelled_images()
    return tuple(
        image
        for image in room.catalogue.images()
        if images is Images.ALL or (image in labelled) == (images is Images.LABELED)
    )


def _step(room: ReadingRoom, image: str) -> Step:
    def step() -> str:
        reading = room.reader.read(room.catalogue.find(image))
        return f"{image}: {len(reading.levels)} levels"

    return step


@scoring.get("/", response_model=None)
def scoring_status(room: Room, all: bool = False, check_if_running: bool = False) -> Status:
    return _status(room.scoring, all, check_if_running)


@scoring.post("/")
def score_all(room: Room, run_sync: bool = False) -> dict[str, Any]:
    return {METHOD: {"result": score(room, METHOD, run_sync=run_sync), "detail": None}}


@scoring.post("/{method}")
def score(room: Room, method: str, run_sync: bool = False) -> dict[str, Any]:
    """Compare the models with the readers; the numbers come with the status, or here with ``run_sync``."""
    if method != METHOD:
        raise NotFoundError(f"There is no scoring method {method!r}: use {METHOD}.")
    run = room.scoring.start({"method": method}, [lambda: str(reader_agreement(room.project))], wait=run_sync)
    return run.as_monai_label()


@scoring.delete("/")
def stop_scoring(room: Room) -> dict[str, Any]:
    return room.scoring.stop().as_monai_label()


def _status(work: Background, all: bool, check_if_running: bool) -> Status:
    if check_if_running:
        return work.running().as_monai_label()
    if all:
        return [run.as_monai_label() for run in work.all()]
    return work.last().as_monai_label()
