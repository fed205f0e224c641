"""What the reader fills in: class, features, confidence, basis, name and note of one level."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import qt

from spine_fracture_reading.reading import Answer, BoxOnSlice, Task
from spine_fracture_reading.words import BASES, CONFIDENCES, DIAGNOSES, FEATURES


class ReadPanel:
    """The widgets of one answer, in ``widget``."""

    def __init__(self) -> None:
        self.widget = qt.QWidget()
        form = qt.QFormLayout(self.widget)
        self._name = qt.QComboBox()
        form.addRow("Level:", self._name)
        self._diagnoses: dict[str, Any] = {}
        self._bars: dict[str, Any] = {}
        for number, (key, text) in enumerate(DIAGNOSES.items(), start=1):
            button = qt.QRadioButton(f"{number}  {text}")
            bar = qt.QProgressBar()
            bar.setRange(0, 100)
            self._diagnoses[key], self._bars[key] = button, bar
            form.addRow(button, bar)
        self._features: dict[str, Any] = {}
        for key, text in FEATURES.items():
            self._features[key] = qt.QCheckBox(text)
            form.addRow(self._features[key])
        self._confidence = options(CONFIDENCES)
        form.addRow("Confidence:", self._confidence)
        self._basis = options(BASES)
        form.addRow("Basis:", self._basis)
        self._note = qt.QLineEdit()
        form.addRow("Note:", self._note)

    def show(self, task: Task) -> None:
        """An empty answer for a level, or the one that was taken back."""
        earlier = task.earlier or Answer(diagnosis="")
        self._name.clear()
        self._name.addItems(list(task.names))
        select(self._name, task.names.index(earlier.name or task.level.name))
        for key, button in self._diagnoses.items():
            button.setAutoExclusive(False)  # else Qt keeps one of them chosen
            button.setChecked(key == earlier.diagnosis)
            button.setAutoExclusive(True)
        for key, bar in self._bars.items():
            bar.setVisible(key in task.probabilities)
            bar.setValue(round(100 * task.probabilities.get(key, 0.0)))
        for key, box in self._features.items():
            box.setChecked(key in earlier.features)
        select(self._confidence, list(CONFIDENCES).index(earlier.confidence))
        select(self._basis, list(BASES).index(earlier.basis))
        self._note.setText(earlier.note)

    def pick(self, number: int) -> None:
        """Choose the class with this place in the list, from 0."""
        list(self._diagnoses.values())[number].setChecked(True)

    def answer(self, task: Task, box: BoxOnSlice | None) -> Answer | None:
        """What was filled in; None while no class is chosen."""
        chosen = [key for key, button in self._diagnoses.items() if button.checked]
        if not chosen:
            return None
        name = task.names[self._name.currentIndex]
        return Answer(
            diagnosis=chosen[0],
            features=tuple(key for key, tick in self._features.items() if tick.checked),
            confidence=list(CONFIDENCES)[self._confidence.currentIndex],
            basis=list(BASES)[self._basis.currentIndex],
            note=self._note.text,
            name=None if name == task.level.name else name,
            box=box or (task.earlier.box if task.earlier else None),
        )


def options(words: Mapping[Any, str]) -> Any:
    """A list to choose one of ``words`` from."""
    box = qt.QComboBox()
    box.addItems(list(words.values()))
    return box


def select(box: Any, index: int) -> None:
    box.setCurrentIndex(index)
