"""The desk of one server: its services, each with its own part of the work."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from spine_fracture.cohort.project import Project
from spine_fracture.cohort.protocol import ProtocolConfig
from spine_fracture.server.dicomweb.pictures import Pictures
from spine_fracture.server.explain import Explainer
from spine_fracture.server.review.answering import Answering
from spine_fracture.server.review.explaining import Explaining
from spine_fracture.server.review.outlining import Outlining
from spine_fracture.server.review.screen import Screen
from spine_fracture.server.review.serving import Serving


@dataclass(frozen=True, eq=False)
class ReviewDesk:
    """Serving levels, taking answers, changing outlines, explaining. Safe to use from several threads."""

    serving: Serving
    answering: Answering
    outlining: Outlining
    explaining: Explaining

    @classmethod
    def open(
        cls, project: Project, protocol: ProtocolConfig, explainer: Explainer, read_more: Callable[[], bool]
    ) -> ReviewDesk:
        screen = Screen(Pictures(project))
        serving = Serving(project, protocol, screen, read_more)
        return cls(
            serving,
            Answering(project, protocol, screen, serving),
            Outlining(project, protocol, screen),
            Explaining(project, explainer, screen),
        )


def new_tab() -> str:
    """A name for a window that just opens; nobody can guess it."""
    return secrets.token_urlsafe(12)
