"""Why a model says what it says of a level: where it looked, and which known levels are like it.

Both show what models or other readers say. Whoever routes to them asks first whether the reader may
see that: nothing here knows of blinded reads.
"""

from __future__ import annotations

import base64
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from spine_fracture.anatomy import Diagnosis, Level
from spine_fracture.classification.attention import AttentiveClassifier, Heat
from spine_fracture.classification.crops import BoxOnSlice
from spine_fracture.classification.overlay import Overlay, overlay
from spine_fracture.cohort.levels import find_level
from spine_fracture.cohort.models import LevelSlice, LevelSource, StudyLevel
from spine_fracture.cohort.project import Project
from spine_fracture.cohort.protocol import ProtocolConfig
from spine_fracture.cohort.studies import find_study
from spine_fracture.errors import InputError, NotFoundError, SpineFractureError
from spine_fracture.geometry import PixelBox
from spine_fracture.imaging import PairedStack
from spine_fracture.same_place import seen_in
from spine_fracture.server.feature_space import FeatureSpace, LevelKey, OutlinedLevel
from spine_fracture.server.known_levels import known_levels, labelled_levels
from spine_fracture.server.served_classifier import served_classifier
from spine_fracture.server.studies import Catalogue

_log = logging.getLogger(__name__)
#: Pairs kept in memory: a reader asks for one slice after the other of the same study.
_PAIRS = 2


@dataclass(frozen=True)
class HeatMap:
    """What spoke for ``diagnosis``, as a PNG ``data:`` URI to lay over ``box`` of the slice.

    ``probability`` is the calibrated one of ``diagnosis`` for the whole level.
    """

    png: str
    box: PixelBox
    diagnosis: Diagnosis
    probability: float


@dataclass(frozen=True)
class SimilarLevel:
    """A labelled level like the one asked about; ``distance`` lies in [0, 1], 0 being the same."""

    level_id: int
    name: Level
    diagnosis: Diagnosis
    distance: float
    thumbnail: str


@dataclass(frozen=True)
class SimilarLevels:
    """The nearest first. ``waiting`` counts the labelled levels that nobody has looked at yet."""

    items: tuple[SimilarLevel, ...]
    waiting: int


class Explainer:
    """Heat maps and similar levels of one project. Safe to use from several threads.

    ``protocol`` says which levels need no further read, so that their labels are no secret any more.
    """

    def __init__(
        self,
        project: Project,
        catalogue: Catalogue,
        protocol: ProtocolConfig,
        classifier: Callable[[], AttentiveClassifier] | None = None,
    ) -> None:
        self._project = project
        self._catalogue = catalogue
        self._protocol = protocol
        self._classifier = classifier or served_classifier(project)
        self._space = FeatureSpace(project.settings.cache_folder)
        self._pairs: OrderedDict[tuple[str, str], PairedStack] = OrderedDict()
        self._opening = threading.Lock()
        self._aside: set[tuple[str, LevelKey]] = set()

    def heatmap(
        self, level_id: int, series_uid: str, slice_index: int, diagnosis: Diagnosis | None = None
    ) -> HeatMap:
        """Where the classifier looked on one slice of T1 or T2, for its most probable class or ``diagnosis``.

        Raises :class:`NotFoundError` for an unknown level or a slice on which it has no box, and
        :class:`InputError` for another series, pictures that are gone, or a box outside the picture.
        """
        with self._project.session() as session:
            level = find_level(session, level_id)
            study_uid, rows = level.study.uid, _outlines(session, level.study_id)
        pair = self._pair(study_uid)
        outlined = _on_grid(rows, pair)
        which = next((at for at, one in enumerate(outlined) if one.key.level_id == level_id), None)
        if which is None:
            raise InputError("This level has no box on the pictures that the models read: draw it there.")
        volume = next(
            (v for v in (pair.reference, pair.other) if v is not None and v.series_uid == series_uid), None
        )
        if volume is None:
            raise InputError("The models did not read this series: ask for the heat map on T1 or T2.")
        at = _grid_slice(pair, outlined[which].boxes, series_uid, slice_index)
        heat = self._classifier().heat(pair.pixels, [one.boxes for one in outlined], which, at, diagnosis)
        laid = _laid_over(pair, heat, series_uid)
        return HeatMap(_uri("png", laid.png), laid.box, heat.diagnosis, heat.probability)

    def similar(self, level_id: int, reader: str, k: int = 6) -> SimilarLevels:
        """The ``k`` labelled levels nearest in the classifier's feature space, of other patients who train.

        ``reader`` sees the labels of settled levels and his own. Labelled levels that were not looked at
        so far (see :meth:`prepare`) are counted, not waited for. Raises :class:`NotFoundError` for an
        unknown level and :class:`InputError` when its pictures cannot be read.
        """
        network = self._classifier()
        with self._project.session() as session:
            level = find_level(session, level_id)
            known = known_levels(session, level, reader, self._protocol)
            own, study_uid = LevelKey(level.id, level.version), level.study.uid
        features = self._space.find(network.version, own)
        if features is None:
            self._look_at(study_uid, network)
            features = self._space.find(network.version, own)
        if features is None:
            raise InputError("This level has no box on the pictures that the models read: draw it there.")
        # Of length 1 and not negative, so that their cosine lies between 0 and 1.
        seen = {one: f for one in known if (f := self._space.find(network.version, one.key)) is not None}
        nearest = sorted((max(1.0 - float(features @ theirs), 0.0), one) for one, theirs in seen.items())
        items = tuple(
            SimilarLevel(one.key.level_id, one.name, one.diagnosis, distance, _uri("jpeg", picture))
            for distance, one in nearest[:k]
            if (picture := self._space.picture(one.key)) is not None
        )
        return SimilarLevels(items, len(known) - len(seen))

    def prepare(self) -> bool:
        """Look at the levels of one study that has labels and was not looked at.

        False when there is none, and while the serving model cannot say which levels are alike.
        """
        with self._project.session() as session:
            labelled = labelled_levels(session)
        if not labelled:
            return False
        try:
            network = self._classifier()
        except NotFoundError:
            return False  # whoever asks is told why
        unseen = [
            level
            for level in labelled
            if (network.version, level.key) not in self._aside
            and self._space.find(network.version, level.key) is None
        ]
        if not unseen:
            return False
        uid = unseen[0].study_uid
        try:
            self._look_at(uid, network)
        except SpineFractureError as error:
            _log.info("The levels of a study are left out of the similar ones: %s", error)
        # What cannot be read or has no box on the grid would be tried for ever.
        self._aside.update((network.version, level.key) for level in unseen if level.study_uid == uid)
        return True

    def _look_at(self, study_uid: str, network: AttentiveClassifier) -> None:
        with self._project.session() as session:
            rows = _outlines(session, find_study(session, study_uid).id)
        pair = self._pair(study_uid)
        self._space.add(network, pair, _on_grid(rows, pair))

    def _pair(self, study_uid: str) -> PairedStack:
        study = self._catalogue.find(study_uid)
        key = (study.uid, study.fingerprint)
        with self._opening:
            pair = self._pairs.pop(key, None) or self._catalogue.pair(study)
            self._pairs[key] = pair
            while len(self._pairs) > _PAIRS:
                self._pairs.popitem(last=False)
        return pair


def _outlines(session: Session, study_id: int) -> tuple[StudyLevel, ...]:
    """The current levels of a study that a detector or a reader outlined, with their boxes."""
    rows = session.scalars(
        select(StudyLevel)
        .where(
            StudyLevel.study_id == study_id,
            StudyLevel.current,
            StudyLevel.source != LevelSource.REFERENCE,
        )
        .order_by(StudyLevel.id)
        .options(selectinload(StudyLevel.slices).selectinload(LevelSlice.series))
    )
    return tuple(rows)


def _on_grid(rows: Sequence[StudyLevel], pair: PairedStack) -> tuple[OutlinedLevel, ...]:
    """The levels that have boxes on the pair's grid."""
    grid = pair.reference.series_uid
    outlined = (
        OutlinedLevel(
            LevelKey(row.id, row.version),
            tuple((part.slice_index, part.box) for part in row.slices if part.series.uid == grid),
        )
        for row in rows
    )
    return tuple(one for one in outlined if one.boxes)


def _grid_slice(pair: PairedStack, boxes: Sequence[BoxOnSlice], series_uid: str, wanted: int) -> int:
    """The slice of the grid that shows what slice ``wanted`` of a series shows of a level."""
    shown: dict[int, int] = {}
    if series_uid == pair.reference.series_uid:
        shown = {index: index for index, _ in boxes}
    elif pair.other is not None:
        moved = ((index, seen_in(pair, pair.reference, pair.other, index, box)) for index, box in boxes)
        shown = {there[0]: index for index, there in moved if there is not None}
    if wanted not in shown:
        seen = ", ".join(str(index + 1) for index in sorted(shown)) or "none"
        raise NotFoundError(f"This level has no box on this slice: scroll to one of its slices ({seen}).")
    return shown[wanted]


def _laid_over(pair: PairedStack, heat: Heat, series_uid: str) -> Overlay:
    if pair.other is None or series_uid == pair.reference.series_uid:
        return overlay(heat.values, heat.region, *pair.reference.frame.shape[1:])
    moved = seen_in(pair, pair.reference, pair.other, heat.slice_index, heat.region)
    if moved is None:
        raise NotFoundError("This series has no slice where the level lies: look at the other one.")
    return overlay(heat.values, moved[1], *pair.other.frame.shape[1:])


def _uri(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
