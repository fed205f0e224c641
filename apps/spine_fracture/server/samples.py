"""The next level for a reader, as ``/activelearning`` answers it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from spine_fracture.active_learning.queue import QueueItem, SeriesBox
from spine_fracture.active_learning.strategies import load_strategy
from spine_fracture.active_learning.worklists import next_items
from spine_fracture.cohort.desk import WorkList
from spine_fracture.cohort.levels import find_level
from spine_fracture.cohort.project import Project
from spine_fracture.cohort.protocol import load_protocol
from spine_fracture.geometry import PatientBox
from spine_fracture.server.answers import NOTICE, BoxAnswer


def next_sample(project: Project, strategy: str, reader: str) -> dict[str, Any] | None:
    """The image id and, in keys that stock clients pass over, the level; None when nothing is left.

    ``box`` is x0, y0, x1, y1 in pixels of slice ``slice`` of the image ``id``; ``center`` and
    ``box_mm`` are LPS millimetres.
    """
    config = load_strategy(strategy)
    with project.session() as session:
        found = next_items(session, reader, WorkList.ASSISTED, load_protocol("single"), config, 1)
        if not found:
            return None
        item = found[0]
        return _sample(item, find_level(session, item.level_id).box, strategy)


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
