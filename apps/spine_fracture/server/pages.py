"""Our own web pages, from the templates beside this file."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

from spine_fracture.server.answers import NOTICE

_ENVIRONMENT = Environment(
    loader=PackageLoader("spine_fracture.server"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def page(template: str, **shown: object) -> str:
    """One page as HTML; everything shown is escaped."""
    return _ENVIRONMENT.get_template(template).render(notice=NOTICE, **shown)
