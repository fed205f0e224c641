"""Reading vertebral levels in 3D Slicer: the server says which, shows where, and keeps the answer."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import ctk
import qt
import slicer
from slicer.ScriptedLoadableModule import ScriptedLoadableModule, ScriptedLoadableModuleWidget
from spine_fracture_reading.connection import Connection, ServerError, SignInNeededError, UnreachableError
from spine_fracture_reading.panel import ReadPanel, options
from spine_fracture_reading.reading import Answer, Sitting
from spine_fracture_reading.scene import LevelScene
from spine_fracture_reading.words import DIAGNOSES, NOTICE, SKIP_REASONS, WORK_LISTS

_ADDRESS = "SpineFractureReading/Address"
_USER = "SpineFractureReading/User"
_BEGIN_FIRST = "Press Start reading first."
_NOT_HERE = "The level is not shown: Submit tries again, Skip passes it over."
_NO_LEVEL = "No level lies before you: Submit asks for the next one."


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
        self._notes: tuple[str, ...] = ()
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
        self._leave()
        self._scene.clear()
        shutil.rmtree(self._folder, ignore_errors=True)

    def begin(self) -> None:
        """Sit down to the chosen list at the server whose address was given."""
        if self._told(self._begin):
            self._told(self._go_on)

    def submit(self) -> None:
        """Send the read and go on to the next level; where none is shown, only that."""
        sitting = self._sitting
        if sitting is None:
            self._say(_BEGIN_FIRST)
            return
        if sitting.task is not None:
            answer = self._panel.answer(sitting.task, self._scene.drawn(sitting.task))
            if answer is None:
                self._say("Choose a class first.")
                return
            if not self._told(lambda: self._send(sitting, answer)):
                return
        self._told(self._go_on)

    def skip(self) -> None:
        """Pass the level over, also one whose pictures do not come."""
        sitting, reason = self._sitting, list(SKIP_REASONS)[self._reason.currentIndex]
        if sitting is None:
            self._say(_BEGIN_FIRST)
        elif sitting.kept is None or self._told(lambda: sitting.skip(reason)):
            self._told(self._go_on)

    def undo(self) -> None:
        """Take the last answer back and show its level."""
        if self._sitting is None:
            self._say(_BEGIN_FIRST)
        elif self._told(self._sitting.undo):
            self._told(self._go_on)

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
        given = Connection(self._address.text)
        if self._connection is None or self._connection.address != given.address:
            self._leave()
            self._blank()
            self._connection = given
            qt.QSettings().setValue(_ADDRESS, given.address)
        if self._connection.needs_sign_in():
            self._sign_in(self._connection)
        self._leave()
        self._sitting = Sitting(self._connection, list(WORK_LISTS)[self._list.currentIndex])

    def _leave(self) -> None:
        """Get up. A server that does not answer cannot prevent it: in time it gives the level up itself."""
        self._keep.stop()
        if self._sitting is not None:
            with suppress(ServerError, UnreachableError):
                self._sitting.release()
            self._sitting = None

    def _send(self, sitting: Sitting, answer: Answer) -> None:
        self._notes = sitting.submit(answer, time.monotonic() - self._began)

    def _renew(self) -> None:
        if self._sitting is not None:
            self._told(self._sitting.renew)

    def _go_on(self) -> None:
        """Show the level that is kept for this window, or the next one.

        The panel is emptied first and the level taken up last: whatever fails in between, an answer to one
        level can never be sent for another.
        """
        sitting = self._sitting
        if sitting is None:
            return
        self._blank()
        task = sitting.kept or sitting.next()
        if task is None:
            self._keep.stop()
            self._scene.clear()
            self._say("\n".join((*self._notes, sitting.message)))
            self._notes = ()
            return
        self._keep.start(task.lease_seconds * 1000 // 3)
        try:
            files = [(picture, sitting.fetch(picture, self._folder)) for picture in task.to_show()]
            self._scene.show(task, files)
            self._panel.show(task)
        except Exception:  # of Slicer's too: what it shows by then is no level to read
            self._blank()
            raise
        sitting.shown()
        self._panel.widget.setVisible(True)
        blinded = ", blinded" if task.blinded else ""
        self._title.setText(f"<b>{task.level.name}</b>{blinded}: {task.why} ({task.left} left)")
        others = (f"{who}: {DIAGNOSES[what]} at {where}" for who, what, where in task.others)
        self._say("\n".join((*self._notes, *task.notes, *others)))
        self._notes = ()
        self._began = time.monotonic()

    def _blank(self) -> None:
        """No level lies before the reader. What failed says so in its own words over these."""
        self._panel.widget.setVisible(False)
        self._title.setText("")
        self._scene.blank()
        self._say(self._remedy())

    def _remedy(self) -> str:
        """What brings a level before the reader, where there is none."""
        if self._sitting is None or self._sitting.task is not None:
            return ""
        return _NO_LEVEL if self._sitting.kept is None else _NOT_HERE

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

    def _told(self, action: Callable[[], object]) -> bool:
        """Do one thing, and say whether it was done.

        What goes wrong is said in the panel, and what was typed stays. When the sign-in has run out it is
        done again after the next one, so it must not be two things of which the first was done already.
        """
        try:
            try:
                action()
            except SignInNeededError:
                if self._connection is None:
                    raise
                self._sign_in(self._connection)
                action()
        except (ServerError, UnreachableError) as error:
            self._say(f"{error} {self._remedy()}".strip())
            return False
        return True

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
