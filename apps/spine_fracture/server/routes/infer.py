"""``POST /infer/{model}``: one model on one study."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, File, Form, UploadFile
from fastapi.responses import JSONResponse, Response
from urllib3 import encode_multipart_formdata
from urllib3.fields import RequestField

from spine_fracture.errors import InputError
from spine_fracture.server.inference import Inference, ModelName, ResultFile
from spine_fracture.server.routes.common import Room, Who, parse_params

router = APIRouter(prefix="/infer", tags=["Infer"])


class Output(StrEnum):
    """What the client wants back: the file, the JSON, or both in one multipart answer."""

    IMAGE = "image"
    JSON = "json"
    ALL = "all"


@router.post("/{model}")
def infer(
    room: Room,
    who: Who,
    model: str,
    image: str = "",
    output: Output = Output.ALL,
    params: Annotated[str, Form()] = "{}",
    file: Annotated[UploadFile | None, File()] = None,
    session_id: str = "",
) -> Response:
    """The answer of ``model`` for the study that has the series ``image``, or is called so."""
    name = ModelName.parse(model)
    if file is not None or session_id:
        raise InputError("Pictures are not uploaded here: name an image of the studies folder or archive.")
    result = room.infer(who, name, image, parse_params(params))
    return _response(result, output)


def _response(result: Inference, output: Output) -> Response:
    answer = result.answer.model_dump(mode="json")
    if output is Output.JSON:
        return JSONResponse(answer)
    if output is Output.IMAGE:
        return _attachment(result.file)
    params = RequestField("params", json.dumps(answer))
    params.make_multipart(content_type="application/json")
    image = RequestField("image", result.file.content, filename=result.file.name)
    image.make_multipart(content_type=result.file.media_type)
    body, content_type = encode_multipart_formdata([params, image])
    return Response(body, media_type=content_type)


def _attachment(file: ResultFile) -> Response:
    disposition = {"Content-Disposition": f'attachment; filename="{file.name}"'}
    return Response(file.content, media_type=file.media_type, headers=disposition)
