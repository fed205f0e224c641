"""Reading vertebral levels in 3D Slicer: the server says which, shows where, and keeps the answer."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ctk
import qt
import slicer
from slicer.ScriptedLoadableModule import ScriptedLoadableModule, ScriptedLoadableModuleWidget
from spine_fracture_reading.connection import Connection, ServerError, SignInNeededError, UnreachableError
from spine_fracture_reading.panel import ReadPanel, options
from spine_fracture_reading.reading import Sitting, Task
from spine_fracture_reading.scene import LevelScene
from spine_fracture_reading.words import DIAGNOSES, NOTICE, SKIP_REASONS, WORK_LISTS

_ADDRESS = "SpineFractureReading/Address"
_USER = "SpineFractureReading/User"


class SpineFractureReading(ScriptedLoadableModule):
    """What Slicer's list of modules says of this one."""

    def __init__(self, parent: Any) -> None:
        super().__init__(parent)
        parent.title = "Spine Fracture Reading"
        parent.categories = ["Active Learning"]
        parent.dependencies = ["Markups"]
        parent.contributors = ["The spine_fracture project"]
        parent.helpText = f"Reads vertebral levels from a spine_fracture server. {NOTICE}"


class SpineFractureReadingWidget(ScriptedLoadableModuleWidget):
    """The server, the level at hand, and what goes back."""

    def setup(self) -> None:
        super().setup()
        self._connection: Connection | None = None
        self._sitting: Sitting | None = None
        self._scene = LevelScene()
        self._folder = Path(slicer.util.tempDirectory("spine-fracture-reading"))
        self._began = 0.0
        self._build()
        self._keep = qt.QTimer()
        self._keep.connect("timeout()", self._renew)
        self._keys = [self._key(str(n + 1), lambda n=n: self._panel.pick(n)) for n in range(len(DIAGNOSES))]
        self._keys.append(self._key("Return", self.submit))

    def enter(self) -> None:
        for key in self._keys:
            key.setEnabled(True)

    def exit(self) -> None:
        """Another module's turn: its keys are its own. The level stays at hand."""
        for key in self._keys:
            key.setEnabled(False)

    def cleanup(self) -> None:
        self._keep.stop()
        if self._sitting is not None:
            self._told(self._sitting.release)
        self._scene.clear()
        shutil.rmtree(self._folder, ignore_errors=True)

    def begin(self) -> None:
        """Sit down to the chosen list at the server whose address was given."""
        self._told(self._begin)

    def submit(self) -> None:
        self._told(self._submit)

    def skip(self) -> None:
        self._told(self._skip)

    def undo(self) -> None:
        self._told(self._undo)

    def _build(self) -> None:
        settings = qt.QSettings()
        notice = qt.QLabel(f"<b>{NOTICE}</b>")
        self.layout.addWidget(notice)
        where = ctk.ctkCollapsibleButton()
        where.text = "Server"
        self.layout.addWidget(where)
        form = qt.QFormLayout(where)
        self._address = qt.QLineEdit(settings.value(_ADDRESS, "http://localhost:8000"))
        form.addRow("Address:", self._address)
        self._list = options(WORK_LISTS)
        form.addRow("List:", self._list)
        form.addRow(self._button("Start reading", self.begin))
        self._title = qt.QLabel("")
        self._said = qt.QLabel("")
        for label in (self._title, self._said):
            label.setWordWrap(True)
            self.layout.addWidget(label)
        self._panel = ReadPanel()
        self.layout.addWidget(self._panel.widget)
        self._reason = options(SKIP_REASONS)
        for widget in (
            self._button("Submit  (Return)", self.submit),
            self._button("Jump to the level", self._scene.centre),
            self._button("Take the last answer back", self.undo),
            self._reason,
            self._button("Skip, for this reason", self.skip),
        ):
            self.layout.addWidget(widget)
        self.layout.addStretch(1)
        self._panel.widget.setVisible(False)

    def _begin(self) -> None:
        if self._sitting is not None:
            self._sitting.release()
        given = Connection(self._address.text)
        if self._connection is None or self._connection.address != given.address:
            self._connection = given
            qt.QSettings().setValue(_ADDRESS, given.address)
        if self._connection.needs_sign_in():
            self._sign_in(self._connection)
        self._sitting = Sitting(self._connection, list(WORK_LISTS)[self._list.currentIndex])
        self._show(self._sitting.next())

    def _submit(self) -> None:
        sitting = self._sitting
        if sitting is None or sitting.task is None:
            return
        answer = self._panel.answer(sitting.task, self._scene.drawn(sitting.task))
        if answer is None:
            self._say("Choose a class first.")
            return
        notes = sitting.submit(answer, time.monotonic() - self._began)
        self._show(sitting.next(), notes)

    def _skip(self) -> None:
        if self._sitting is not None and self._sitting.task is not None:
            self._sitting.skip(list(SKIP_REASONS)[self._reason.currentIndex])
            self._show(self._sitting.next())

    def _undo(self) -> None:
        if self._sitting is not None:
            self._show(self._sitting.undo())

    def _renew(self) -> None:
        if self._sitting is not None:
            self._told(self._sitting.renew)

    def _show(self, task: Task | None, notes: tuple[str, ...] = ()) -> None:
        self._panel.widget.setVisible(task is not None)
        if task is None or self._sitting is None:
            self._keep.stop()
            self._title.setText("")
            self._scene.clear()
            self._say(self._sitting.message if self._sitting is not None else "")
            return
        files = [(picture, self._sitting.fetch(picture, self._folder)) for picture in task.to_show()]
        self._scene.show(task, files)
        self._panel.show(task)
        blinded = ", blinded" if task.blinded else ""
        self._title.setText(f"<b>{task.level.name}</b>{blinded}: {task.why} ({task.left} left)")
        others = (f"{who}: {DIAGNOSES[what]} at {where}" for who, what, where in task.others)
        self._say("\n".join((*notes, *task.notes, *others)))
        self._began = time.monotonic()
        self._keep.start(task.lease_seconds * 1000 // 3)

    def _sign_in(self, connection: Connection) -> None:
        """Ask who reads. The password is kept nowhere."""
        settings, window = qt.QSettings(), slicer.util.mainWindow()
        asked = qt.QInputDialog()
        name = asked.getText(window, "Sign in", "Name:", qt.QLineEdit.Normal, settings.value(_USER, ""))
        password = asked.getText(window, "Sign in", "Password:", qt.QLineEdit.Password, "") if name else ""
        if not password:
            raise ServerError("Nobody signed in: press Start reading again.", 0)
        connection.sign_in(name, password)
        settings.setValue(_USER, name)

    def _told(self, action: Callable[[], None]) -> None:
        """Do something; what goes wrong is said in the panel, and what was typed stays."""
        try:
            try:
                action()
            except SignInNeededError:
                if self._connection is None:
                    raise
                self._sign_in(self._connection)
                action()
        except (ServerError, UnreachableError) as error:
            self._say(str(error))

    def _say(self, text: str) -> None:
        self._said.setText(text)

    def _button(self, text: str, action: Callable[[], None]) -> Any:
        button = qt.QPushButton(text)
        button.connect("clicked()", action)
        return button

    def _key(self, key: str, action: Callable[[], None]) -> Any:
        shortcut = qt.QShortcut(qt.QKeySequence(key), slicer.util.mainWindow())
        shortcut.connect("activated()", action)
        return shortcut
