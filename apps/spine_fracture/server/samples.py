"""The next level for a reader, as ``/activelearning`` answers it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from spine_fracture.active_learning.queue import Place, QueueItem, SeriesBox, items
from spine_fracture.active_learning.strategies import StrategyConfig, load_strategy
from spine_fracture.active_learning.worklists import take_next
from spine_fracture.cohort.desk import WorkList
from spine_fracture.cohort.leases import Seat, held
from spine_fracture.cohort.levels import find_level
from spine_fracture.cohort.models import ReadMode
from spine_fracture.cohort.project import Project
from spine_fracture.cohort.protocol import ProtocolConfig
from spine_fracture.cohort.shown import note_level_shown
from spine_fracture.geometry import PatientBox
from spine_fracture.server.answers import NOTICE, BoxAnswer
from spine_fracture.server.review.rights import is_blinded

#: MONAI Label's clients have no windows of their own: each of their readers sits at one seat.
MONAI_LABEL_TAB = "monai-label"


class Samples:
    """Serves MONAI Label's clients from the same work list as the reading room.

    ``read_more`` lets the models read one more study and says whether there was one.
    """

    def __init__(self, project: Project, protocol: ProtocolConfig, read_more: Callable[[], bool]) -> None:
        self._project = project
        self._protocol = protocol
        self._read_more = read_more

    def next(self, strategy: str, reader: str) -> dict[str, Any] | None:
        """The image id and, in keys that stock clients pass over, the level; None when nothing is left.

        The level is kept for the reader until it is read or its time has run out, and is given again
        when asked for again. ``box`` is x0, y0, x1, y1 in pixels of slice ``slice`` of the image ``id``;
        ``center`` and ``box_mm`` are LPS millimetres.
        """
        config = load_strategy(strategy)
        seat = Seat(reader, MONAI_LABEL_TAB)
        item, more = self._item(seat, config), True
        while item is None and more:
            # Asked again even when nothing was read: the reading ahead may just have stored a study.
            more = self._read_more()
            item = self._item(seat, config)
        if item is None:
            return None
        with self._project.transaction() as session:
            if item.mode is not ReadMode.BLINDED:  # it says what the models are unsure of
                note_level_shown(session, item.level_id, reader)
            return _sample(item, find_level(session, item.level_id).box, strategy)

    def _item(self, seat: Seat, strategy: StrategyConfig) -> QueueItem | None:
        found = self._held(seat)
        if found is None and take_next(self._project, seat, WorkList.ASSISTED, self._protocol, strategy):
            found = self._held(seat)
        return found

    def _held(self, seat: Seat) -> QueueItem | None:
        """What lies before the reader, with no more than they may know of why."""
        with self._project.session() as session:
            lease = held(session, seat)
            if lease is None or not lease.level.current:
                return None
            told = Place(lease.level_id, lease.mode, lease.reason, lease.score)
            place = Place.blinded(lease.level_id) if is_blinded(session, lease) else told
            return items(session, [place], lease.work_list)[0]


def _sample(item: QueueItem, box: PatientBox, strategy: str) -> dict[str, Any]:
    shown = item.series[0]
    return {
        "id": shown.series_uid,
        "name": f"{shown.series_uid}.nii.gz",
        "strategy": strategy,
        "study": item.study_uid,
        "level": item.level,
        "level_id": item.level_id,
        "level_version": item.level_version,
        "mode": item.mode,
        "reason": item.reason,
        "uncertainty": item.uncertainty,
        "slice": shown.slice_index,
        "box": shown.box.as_tuple(),
        "center": box.centre.tolist(),
        "box_mm": BoxAnswer.of(box).model_dump(),
        "series": [_series(part) for part in item.series],
        "notice": NOTICE,
    }


def _series(part: SeriesBox) -> dict[str, Any]:
    return asdict(part) | {"box": part.box.as_tuple()}
