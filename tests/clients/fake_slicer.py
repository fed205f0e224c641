"""As much of 3D Slicer as its MONAI Label module and ours touch: volumes, ROIs, views, and saving ROIs.

What Slicer itself would draw is not here; what goes to the server and comes from it is.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import nibabel
import numpy as np
from clients import fake_qt

RAS_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


class Matrix:
    """``vtkMatrix4x4``."""

    def __init__(self) -> None:
        self.value = np.eye(4)


class Node:
    def __init__(self, name: str) -> None:
        self.name = name
        self.display = MagicMock()

    def GetName(self) -> str:  # noqa: N802 - VTK's own names, here and below
        return self.name

    def SetName(self, name: str) -> None:  # noqa: N802
        self.name = name

    def GetID(self) -> str:  # noqa: N802
        return f"node-{id(self)}"

    def GetDisplayNode(self) -> MagicMock:  # noqa: N802
        return self.display

    def CreateDefaultDisplayNodes(self) -> None:  # noqa: N802
        pass


class VolumeNode(Node):
    def __init__(self, name: str, file: str) -> None:
        super().__init__(name)
        self.picture: Any = nibabel.load(file)

    def GetIJKToRASMatrix(self, matrix: Matrix) -> None:  # noqa: N802
        matrix.value = np.array(self.picture.affine)

    def GetImageData(self) -> Any:  # noqa: N802
        return SimpleNamespace(GetDimensions=lambda: self.picture.shape)


class RoiNode(Node):
    """A box: ``matrix`` is object to world in RAS."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.matrix, self.size, self.locked = np.eye(4), (0.0, 0.0, 0.0), False
        self.points: list[dict[str, Any]] = []

    def SetSize(self, *size: float) -> None:  # noqa: N802
        self.size = size

    def GetSize(self) -> tuple[float, ...]:  # noqa: N802
        return self.size

    def SetAndObserveObjectToNodeMatrix(self, matrix: Matrix) -> None:  # noqa: N802
        self.matrix = matrix.value

    def GetObjectToWorldMatrix(self) -> Matrix:  # noqa: N802
        matrix = Matrix()
        matrix.value = self.matrix
        return matrix

    def SetLocked(self, locked: bool) -> None:  # noqa: N802
        self.locked = locked

    def as_markup(self) -> dict[str, Any]:
        """As Slicer saves it: an ROI that was never placed has no centre."""
        markup: dict[str, Any] = {"type": "ROI", "name": self.name, "coordinateSystem": "LPS"}
        markup |= {"roiType": "Box", "size": list(self.size), "controlPoints": self.points}
        if self.points:
            lps = RAS_LPS @ self.matrix
            markup |= {"center": lps[:3, 3].tolist(), "orientation": lps[:3, :3].ravel().tolist()}
        return markup

    @classmethod
    def of(cls, markup: dict[str, Any]) -> RoiNode:
        node = cls(markup["name"])
        lps = np.eye(4)
        lps[:3, :3], lps[:3, 3] = np.reshape(markup["orientation"], (3, 3)), markup["center"]
        node.matrix, node.size = RAS_LPS @ lps, tuple(markup["size"])
        node.points = markup["controlPoints"]
        return node


class Scene:
    def __init__(self) -> None:
        self.nodes: list[Node] = []

    def AddNewNodeByClass(self, kind: str, name: str = "") -> Node:  # noqa: N802
        assert kind == "vtkMRMLMarkupsROINode"
        self.nodes.append(RoiNode(name))
        return self.nodes[-1]

    def RemoveNode(self, node: Node) -> None:  # noqa: N802
        if node in self.nodes:
            self.nodes.remove(node)

    def IsNodePresent(self, node: Node) -> bool:  # noqa: N802
        return node in self.nodes

    def GetNodesByClass(self, kind: str) -> Any:  # noqa: N802
        assert kind == "vtkMRMLMarkupsROINode"
        found = self.rois()
        return SimpleNamespace(GetNumberOfItems=lambda: len(found), GetItemAsObject=found.__getitem__)

    def Clear(self, *_given: Any) -> None:  # noqa: N802
        self.nodes.clear()

    def rois(self) -> list[RoiNode]:
        return [node for node in self.nodes if isinstance(node, RoiNode)]

    def volumes(self) -> list[VolumeNode]:
        return [node for node in self.nodes if isinstance(node, VolumeNode)]


class SliceView:
    """A slice view: its background volume, and where it was centred."""

    def __init__(self) -> None:
        self.background: str | None = None
        self.centre, self.field = (0.0, 0.0, 0.0), (300.0, 200.0, 1.0)

    def sliceLogic(self) -> SliceView:  # noqa: N802
        return self

    GetSliceNode = GetSliceCompositeNode = sliceLogic

    def SetBackgroundVolumeID(self, node: str | None) -> None:  # noqa: N802
        self.background = node

    def JumpSliceByCentering(self, *centre: float) -> None:  # noqa: N802
        self.centre = tuple(float(value) for value in centre)  # type: ignore[assignment]

    def GetFieldOfView(self) -> tuple[float, ...]:  # noqa: N802
        return self.field

    def SetFieldOfView(self, *field: float) -> None:  # noqa: N802
        self.field = field  # type: ignore[assignment]

    def ignored(self, *_given: Any) -> None:
        """Turning and fitting, which only a screen shows."""

    SetLinkedControl = SetOrientation = RotateToVolumePlane = FitSliceToAll = ignored


class FakeSlicer:
    """The application: its scene and views, and the modules to put in ``sys.modules``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.scene = Scene()
        self.views = {"Red": SliceView(), "Yellow": SliceView()}

    def modules(self) -> dict[str, ModuleType]:
        """Everything that scripted modules import from Slicer."""
        loadable, i18n = ModuleType("slicer.ScriptedLoadableModule"), ModuleType("slicer.i18n")
        loadable.__dict__.update({f"ScriptedLoadableModule{part}": _Loadable for part in _PARTS})
        i18n.__dict__.update(tr=lambda text: text, translate=lambda _context, text: text)
        sample, qt = ModuleType("SampleData"), fake_qt.as_module()
        sample.SampleDataLogic = lambda: SimpleNamespace(downloadFromURL=self._download)  # type: ignore[attr-defined]
        ctk, vtk = ModuleType("ctk"), ModuleType("vtk")
        ctk.__dict__.update(ctkCollapsibleButton=fake_qt.QWidget, ctkSettingsPanel=fake_qt.QWidget)
        vtk.vtkMatrix4x4 = Matrix  # type: ignore[attr-defined]
        slicer = self._slicer(loadable, i18n)
        others = {name: ModuleType(name) for name in ("sitkUtils", "vtkSegmentationCore")}
        named = {"slicer": slicer, "qt": qt, "ctk": ctk, "vtk": vtk, "SampleData": sample}
        return named | others | {part.__name__: part for part in (slicer.util, loadable, i18n)}

    def _slicer(self, *parts: ModuleType) -> Any:
        util = ModuleType("slicer.util")
        util.__dict__.update(
            VTKObservationMixin=type("VTKObservationMixin", (), {}),
            tempDirectory=lambda key="": str(self.folder),
            loadVolume=self.load_volume,
            loadMarkups=self._load_markups,
            saveNode=lambda node, path: Path(path).write_text(json.dumps({"markups": [node.as_markup()]})),
            arrayFromVTKMatrix=lambda matrix: np.array(matrix.value),
            vtkMatrixFromArray=_matrix,
            mainWindow=lambda: None,
            settingsValue=lambda _key, default, converter=None: default,
            toBool=bool,
        )
        slicer: Any = ModuleType("slicer")
        layouts = SimpleNamespace(SlicerLayoutSideBySideView=29, SlicerLayoutOneUpRedSliceView=6)
        manager = SimpleNamespace(setLayout=lambda _number: None, sliceWidget=self.views.__getitem__)
        app = SimpleNamespace(layoutManager=lambda: manager)
        slicer.__dict__.update(util=util, mrmlScene=self.scene, app=app, vtkMRMLLayoutNode=layouts)
        slicer.__path__ = []
        for part in parts:
            setattr(slicer, part.__name__.rpartition(".")[2], part)
        return slicer

    def load_volume(self, file: str, properties: dict[str, Any] | None = None) -> VolumeNode:
        self.scene.nodes.append(VolumeNode((properties or {}).get("name", ""), file))
        return self.scene.volumes()[-1]

    def _load_markups(self, file: str) -> None:
        self.scene.nodes += [RoiNode.of(markup) for markup in json.loads(Path(file).read_text())["markups"]]

    def _download(self, nodeNames: str, fileNames: str, uris: str, checksums: Any) -> list[VolumeNode]:  # noqa: N803
        """As Slicer's Sample Data does: a plain request that says nothing of who asks."""
        file = self.folder / fileNames
        urllib.request.urlretrieve(uris, file)
        return [self.load_volume(str(file), {"name": nodeNames})]


class _Loadable:
    """Base of scripted modules, their widgets, logics and tests."""

    def __init__(self, parent: Any = None) -> None:
        self.parent = parent

    def setup(self) -> None:
        self.layout = fake_qt.QVBoxLayout()


_PARTS: Iterable[str] = ("", "Widget", "Logic", "Test")


def _matrix(array: Any) -> Matrix:
    matrix = Matrix()
    matrix.value = np.array(array, dtype=float)
    return matrix


def press(widgets: Iterable[Any], text: str) -> None:
    """Click the button that begins with ``text``."""
    action: Callable[[], None] = next(
        widget.click
        for widget in widgets
        if isinstance(widget, fake_qt.QPushButton) and widget.text.startswith(text)
    )
    action()
