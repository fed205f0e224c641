"""What a browser sees: a landing page, and the report of the demo where one was written."""

from __future__ import annotations

from html import escape

from fastapi import APIRouter
from fastapi.responses import FileResponse, HTMLResponse

from spine_fracture.errors import NotFoundError
from spine_fracture.server.answers import NOTICE
from spine_fracture.server.routes.common import Room

router = APIRouter(include_in_schema=False)

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Spine fracture</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 3rem auto; max-width: 44rem; padding: 0 1rem }}
.notice {{ background: #7a1f1f; color: #fff; padding: .5rem 1rem; border-radius: .3rem }}
dt {{ font-weight: 600 }} dd {{ margin: 0 0 .6rem }}
</style>
<h1>Spine fracture</h1>
<p class="notice">{notice} Trained on simulated lesions and one hospital's open pictures.</p>
<p>A MONAI Label server that finds vertebrae on sagittal T1 and T2, tells benign from malignant fractures, and
asks readers about the levels it can learn most from.</p>
<dl>
<dt>Studies</dt><dd>{studies} from {source}</dd>
<dt>For 3D Slicer and MONAI Label's client</dt><dd>use the address of this page;
<a href="info/">/info/</a> lists everything</dd>
{report}
</dl>
</html>
"""
_REPORT_FILES = ("report.html", "report.json")
_REPORT = '<dt>Report of the last demo</dt><dd><a href="report/">open it</a></dd>'


@router.get("/")
def landing(room: Room) -> HTMLResponse:
    return HTMLResponse(
        _PAGE.format(
            notice=escape(NOTICE),
            studies=room.catalogue.count(),
            source=escape(room.source.name),
            report=_REPORT if (room.report_folder / "report.html").is_file() else "",
        )
    )


@router.get("/report/{name:path}")
def report(room: Room, name: str) -> FileResponse:
    """One of the two files of the report, and no other file."""
    wanted = name or _REPORT_FILES[0]
    file = room.report_folder / wanted
    if wanted not in _REPORT_FILES or not file.is_file():
        raise NotFoundError("There is no report here yet: make demo writes one.")
    return FileResponse(file, headers={"X-Content-Type-Options": "nosniff"})
