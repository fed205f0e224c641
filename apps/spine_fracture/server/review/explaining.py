"""Heat maps and similar levels, for those who may see what models and others say."""

from __future__ import annotations

from spine_fracture.cohort.levels import find_level
from spine_fracture.cohort.people import Role
from spine_fracture.cohort.project import Project
from spine_fracture.cohort.shown import note_level_shown
from spine_fracture.server.auth import Principal
from spine_fracture.server.explain import Explainer, HeatMap, SimilarLevels
from spine_fracture.server.review.rights import not_blind, not_locked
from spine_fracture.server.review.screen import Screen


class Explaining:
    """Asks first whether the reader may know; what is shown goes on the record."""

    def __init__(self, project: Project, explainer: Explainer, screen: Screen) -> None:
        self._project = project
        self._screen = screen
        self._explainer = explainer

    def heatmap(self, who: Principal, level_id: int, series_uid: str, slice_index: int) -> HeatMap:
        """As the file's picture lies.

        Raises :class:`BlindedError` for a blinded reader and for a patient that never trains.
        """
        self._allow(who, level_id)
        found = self._explainer.heatmap(level_id, series_uid, slice_index)
        with self._project.session() as session:
            study = find_level(session, level_id).study
            series = next(one for one in study.series if one.uid == series_uid)
            return self._screen.turned(series, slice_index, found)

    def similar(self, who: Principal, level_id: int) -> SimilarLevels:
        """Raises :class:`BlindedError` for a blinded reader and for a patient that never trains."""
        self._allow(who, level_id)
        return self._explainer.similar(level_id, who.id)

    def _allow(self, who: Principal, level_id: int) -> None:
        who.needs(Role.READER, Role.ADJUDICATOR, Role.ENGINEER)
        with self._project.transaction() as session:
            not_blind(session, who.id)
            not_locked(who, find_level(session, level_id).study.patient.split)
            note_level_shown(session, level_id, who.id)
