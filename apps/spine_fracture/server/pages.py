"""Our own web pages, from the templates beside this file."""

from __future__ import annotations

from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from spine_fracture.server.answers import NOTICE

_ENVIRONMENT = Environment(
    loader=PackageLoader("spine_fracture.server"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
#: The pages run no script, load nothing from elsewhere, stand in no frame, and are of one person.
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    ),
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}


def page(template: str, status: int = 200, **shown: object) -> HTMLResponse:
    """One page as HTML; everything shown is escaped."""
    text = _ENVIRONMENT.get_template(template).render(notice=NOTICE, **shown)
    return HTMLResponse(text, status, _HEADERS)
