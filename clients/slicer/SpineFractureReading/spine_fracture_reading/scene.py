"""The level at hand in Slicer's scene: T1 and T2 side by side, an ROI round every vertebra."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import slicer
import vtk

from spine_fracture_reading.reading import BoxOnSlice, Picture, Task
from spine_fracture_reading.roi import Roi, box_of, moved, roi_of, slice_of

_AT_HAND = (1.0, 0.7, 0.1)
_OTHER = (0.5, 0.6, 0.7)
_VIEWS = ("Red", "Yellow")
_SHOWN_MM = 140.0  # of the spine round the level


class LevelScene:
    """Owns the volumes and ROIs that it puts into the scene, and touches no others."""

    def __init__(self) -> None:
        self._study = ""
        self._volumes: dict[str, Any] = {}
        self._rois: list[Any] = []
        self._hung: tuple[str, ...] = ()
        self._shown: Roi | None = None
        self._series = ""

    def show(self, task: Task, files: Sequence[tuple[Picture, Path]]) -> None:
        """Hang the pictures, T1 left and T2 right, and open them at the level."""
        if task.study != self._study:
            self.clear()
            self._study = task.study
        self._volumes = {uid: node for uid, node in self._volumes.items() if _is_there(node)}
        for picture, file in files:
            if picture.uid not in self._volumes:
                name = picture.description or picture.role.upper()
                self._volumes[picture.uid] = slicer.util.loadVolume(str(file), {"name": name, "show": False})
        self._hang([picture.uid for picture, _ in files])
        self._outline(task)
        self.centre()

    def centre(self) -> None:
        """Both views to the middle of the level at hand, close enough to see its neighbours."""
        if self._shown is None:
            return
        for view in _VIEWS:
            node = self._logic(view).GetSliceNode()
            wide, high, deep = node.GetFieldOfView()
            node.SetFieldOfView(_SHOWN_MM * wide / high, _SHOWN_MM, deep)
            node.JumpSliceByCentering(*self._shown.centre)

    def drawn(self, task: Task) -> BoxOnSlice | None:
        """The box as the reader left it; None when they did not move it."""
        if self._shown is None or not _is_there(self._rois[0]):
            return None
        node, volume = self._rois[0], self._volumes[self._series]
        matrix = slicer.util.arrayFromVTKMatrix(node.GetObjectToWorldMatrix())
        now = Roi(matrix, tuple(node.GetSize()))
        to_ras = _ijk_to_ras(volume)
        if not moved(self._shown, now, to_ras):
            return None
        index = slice_of(now, to_ras, volume.GetImageData().GetDimensions()[2])
        known = {part.slice: part.sop for part in task.level.boxes if part.series == self._series}
        return BoxOnSlice(self._series, known.get(index, ""), index, box_of(now, to_ras))

    def blank(self) -> None:
        """Nothing in the views, until a level is shown again. Volumes stay: the next level may need them."""
        self._remove_rois()
        for view in self._hung:
            self._logic(view).GetSliceCompositeNode().SetBackgroundVolumeID(None)
        self._hung = ()

    def clear(self) -> None:
        """Take what was put into the scene out again."""
        self._remove_rois()
        for node in self._volumes.values():
            slicer.mrmlScene.RemoveNode(node)
        self._study, self._series = "", ""
        self._volumes, self._hung = {}, ()

    def _hang(self, series: Sequence[str]) -> None:
        layout = slicer.vtkMRMLLayoutNode
        both = len(series) > 1
        slicer.app.layoutManager().setLayout(
            layout.SlicerLayoutSideBySideView if both else layout.SlicerLayoutOneUpRedSliceView
        )
        for view, uid in zip(_VIEWS, series):  # noqa: B905 - Slicer's Python may be 3.9
            volume, logic = self._volumes[uid], self._logic(view)
            logic.GetSliceCompositeNode().SetBackgroundVolumeID(volume.GetID())
            logic.GetSliceCompositeNode().SetLinkedControl(both)
            logic.GetSliceNode().SetOrientation("Sagittal")
            logic.GetSliceNode().RotateToVolumePlane(volume)
            logic.FitSliceToAll()
        self._hung = _VIEWS[: len(series)]

    def _outline(self, task: Task) -> None:
        """The ROI of the level at hand first; the others cannot be moved."""
        self._remove_rois()
        # T2 is what the models read on; T1 where that is all there is.
        ordered = sorted(task.to_show(), key=lambda picture: picture.role, reverse=True)
        on_it = [picture.uid for picture in ordered if task.level.on(picture.uid)]
        if not on_it:
            return
        self._series = on_it[0]
        to_ras = _ijk_to_ras(self._volumes[self._series])
        levels = sorted(task.levels, key=lambda level: level.id != task.level.id)
        for level in levels:
            boxes = level.on(self._series)
            if boxes:
                roi = roi_of(boxes, to_ras)
                self._shown = self._shown or roi
                self._rois.append(_node(level.name, roi, at_hand=level.id == task.level.id))

    def _remove_rois(self) -> None:
        for node in self._rois:
            slicer.mrmlScene.RemoveNode(node)
        self._rois, self._shown = [], None

    @staticmethod
    def _logic(view: str) -> Any:
        return slicer.app.layoutManager().sliceWidget(view).sliceLogic()


def _node(name: str, roi: Roi, *, at_hand: bool) -> Any:
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", name)
    node.CreateDefaultDisplayNodes()
    node.SetSize(*roi.size)
    node.SetAndObserveObjectToNodeMatrix(slicer.util.vtkMatrixFromArray(roi.object_to_ras))
    node.SetLocked(not at_hand)
    display = node.GetDisplayNode()
    colour = _AT_HAND if at_hand else _OTHER
    display.SetColor(*colour)
    display.SetSelectedColor(*colour)
    display.SetFillVisibility(False)
    display.SetHandlesInteractive(at_hand)
    return node


def _is_there(node: Any) -> bool:
    """Whether nobody has removed the node, or closed the scene."""
    return bool(slicer.mrmlScene.IsNodePresent(node))


def _ijk_to_ras(volume: Any) -> Any:
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)
