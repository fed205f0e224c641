"""``/datastore``: images as NIfTI, reads as labels."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, UploadFile
from fastapi.responses import FileResponse, JSONResponse, Response

from spine_fracture.errors import InputError, NotFoundError
from spine_fracture.server.labels import FINAL, ONLY_FINAL
from spine_fracture.server.routes.common import Parts, Room, Who, parse_params
from spine_fracture.server.studies import without_pass

router = APIRouter(prefix="/datastore", tags=["Datastore"])


class Listing(StrEnum):
    """Counts, the labelled images, or everything."""

    STATS = "stats"
    TRAIN = "train"
    ALL = "all"


@router.get("/", response_model=None)
def listing(parts: Parts, output: Listing = Listing.STATS) -> dict[str, Any] | list[dict[str, Any]]:
    if output is Listing.ALL:
        return parts.datastore.json()
    if output is Listing.TRAIN:
        return parts.datastore.datalist()
    return parts.datastore.status()


@router.head("/image", include_in_schema=False)
@router.get("/image")
def image(room: Room, image: str, stored: bool = False) -> FileResponse:
    """A series that is read as NIfTI; for the UID of a study, its image.

    With ``stored`` its voxels lie as in its files, which is what boxes of ``/review`` are in pixels of.
    """
    study = room.catalogue.find(image)
    return FileResponse(
        room.pictures.nifti(study, without_pass(image), stored=stored),
        media_type="application/octet-stream",
        filename=f"{without_pass(image)}.nii.gz",
    )


@router.get("/image/info")
def image_info(parts: Parts, image: str) -> dict[str, Any]:
    return parts.datastore.get_image_info(image)


@router.put("/label")
def save_label(
    room: Room,
    who: Who,
    image: str,
    label: Annotated[UploadFile, File()],
    params: Annotated[str, Form()] = "{}",
    tag: str = FINAL,
) -> dict[str, Any]:
    """A Slicer scene or our read JSON; it becomes reads, and is acknowledged when they are on the disk."""
    if tag not in ("", FINAL):
        raise InputError(ONLY_FINAL)
    return room.save_label(who, image, label.file.read(), parse_params(params))


@router.head("/label", include_in_schema=False)
@router.get("/label")
def label(room: Room, who: Who, label: str, tag: str, client_id: str = "") -> Response:
    """The standing reads of a study as JSON, as far as they are this reader's to see."""
    if tag != FINAL:
        raise NotFoundError(f"There is no label with the tag {tag!r}: the only tag is {FINAL!r}.")
    document = room.label(who, label, {"client_id": client_id} if client_id else {})
    disposition = {"Content-Disposition": f'attachment; filename="{room.catalogue.find(label).image}.json"'}
    return JSONResponse(document, headers=disposition)


@router.get("/label/info")
def label_info(room: Room, who: Who, label: str, tag: str, client_id: str = "") -> dict[str, Any]:
    return room.label(who, label, {"client_id": client_id} if client_id else {})
