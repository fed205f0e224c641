"""How viewers show the series of the catalogue: which are hung, and boxes in pixels of their files.

Boxes of the catalogue are in pixels of a series as our reader shows it, which turns a sagittal series
for reading; viewers draw on the files as they are.
"""

from __future__ import annotations

import base64
import io
import threading
from collections import OrderedDict
from dataclasses import dataclass, field, replace

import numpy as np
from PIL import Image

from spine_fracture.cohort import models
from spine_fracture.cohort.models import FileKind
from spine_fracture.cohort.reads import DrawnBox
from spine_fracture.cohort.studies import files_of
from spine_fracture.dicom.grid import SeriesGrid
from spine_fracture.dicom.write import uid_from
from spine_fracture.errors import InputError, NotFoundError
from spine_fracture.geometry import PixelBox
from spine_fracture.server.dicomweb.pictures import Pictures
from spine_fracture.server.explain import HeatMap
from spine_fracture.server.review.answers import BoxView
from spine_fracture.server.review.forms import BoxForm

#: Series whose headers are kept in memory: those of the studies that are being read.
_GRIDS = 256
_PNG = "data:image/png;base64,"


@dataclass(eq=False)
class Screen:
    """Between the catalogue and a viewer. Headers are read once. Safe to use from several threads."""

    pictures: Pictures
    _grids: OrderedDict[tuple[int, int, int], SeriesGrid] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def hangs(self, series: models.Series) -> bool:
        """Whether the series is shown to who reads: what was computed from pictures is not."""
        return self.pictures.is_picture(series)

    def opens(self, series: models.Series) -> bool:
        """Whether it is known how the pictures of the series lie."""
        try:
            self._grid(series)
        except InputError:
            return False
        return True

    def placed(
        self, series: models.Series, slice_index: int, sop_uid: str, box: PixelBox
    ) -> tuple[BoxView, ...]:
        """A box of the catalogue in pixels of its file; nothing when the pictures cannot be opened."""
        try:
            grid = self._grid(series)
        except InputError:
            return ()
        if grid is not None and slice_index < len(grid.slices):
            box = grid.to_stored(box, slice_index)
        return (BoxView(series=series.uid, sop=sop_uid, slice=slice_index, box=box.as_tuple()),)

    def drawn(self, study: models.Study, form: BoxForm) -> DrawnBox:
        """A box that was drawn in a viewer, as the catalogue keeps it.

        The slice is the one with the UID where one is given: viewers may count from the other side.
        Raises :class:`NotFoundError` for a series or slice that the study does not have and
        :class:`InputError` for a box without area or pictures that cannot be opened.
        """
        series = next((one for one in study.series if one.uid == form.series), None)
        if series is None:
            raise NotFoundError("The box lies on a series that this study does not have.")
        grid, box = self._grid(series), PixelBox(*form.box)
        if grid is None:
            uids = [uid_from(series.uid, index) for index in range(series.slices)]
        else:
            uids = [one.sop_uid for one in grid.slices]
        index = _index(uids, form)
        if grid is not None and 0 <= index < len(uids):
            box = PixelBox.around(grid.to_shown(box.corners(), index))
        return DrawnBox(series.uid, index, box, form.sop)

    def turned(self, series: models.Series, slice_index: int, found: HeatMap) -> HeatMap:
        """The heat map as it lies on the file's picture."""
        grid = self._grid(series)
        if grid is None or np.array_equal(grid.shown.matrix, grid.stored.matrix):
            return found
        box = grid.to_stored(found.box, slice_index)
        corner, right, _, below = grid.to_shown(box.corners(), slice_index)
        across, down = right - corner, below - corner
        picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(found.png.removeprefix(_PNG)))))
        # Its rows then run along the file's rows, to either side.
        if abs(across[1]) > abs(across[0]):
            picture, across, down = picture.transpose(1, 0, 2), across[::-1], down[::-1]
        picture = picture[:: 1 if down[1] > 0 else -1, :: 1 if across[0] > 0 else -1]
        stream = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(picture), "RGBA").save(stream, format="PNG")
        return replace(found, png=_PNG + base64.b64encode(stream.getvalue()).decode(), box=box)

    def _grid(self, series: models.Series) -> SeriesGrid | None:
        """None for what is no DICOM: viewers get it written out as we show it."""
        if series.kind is not FileKind.DICOM:
            return None
        key = (series.id, series.folder_id, series.slices)
        with self._lock:
            known = self._grids.get(key)
            if known is not None:
                self._grids.move_to_end(key)
                return known
        files = files_of(series)
        if not all(path.is_file() for path in files):
            raise InputError("Pictures of this series are no longer where they were: ingest the study again.")
        known = SeriesGrid.of_files(files)
        with self._lock:
            self._grids[key] = known
            while len(self._grids) > _GRIDS:
                self._grids.popitem(last=False)
        return known


def _index(uids: list[str], form: BoxForm) -> int:
    known = 0 <= form.slice < len(uids)
    # Frames of one file share its UID: then the number says which.
    if not form.sop or (known and uids[form.slice] == form.sop):
        return form.slice
    if form.sop not in uids:
        raise NotFoundError("The box lies on a slice that this series does not have.")
    return uids.index(form.sop)
