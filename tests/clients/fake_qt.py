"""Stand-ins for the few Qt widgets that the module uses, with PythonQt's manners: getters are properties."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any, ClassVar


class QWidget:
    def __init__(self, *_parents: Any) -> None:
        self.visible = True
        self.signals: dict[str, Callable[[], None]] = {}

    def connect(self, signal: str, action: Callable[[], None]) -> None:
        self.signals[signal] = action

    def click(self) -> None:
        self.signals["clicked()"]()

    def setVisible(self, visible: bool) -> None:  # noqa: N802 - Qt's own names, here and below
        self.visible = visible

    def setEnabled(self, enabled: bool) -> None:  # noqa: N802
        self.enabled = enabled

    def setWordWrap(self, wrap: bool) -> None:  # noqa: N802
        self.wrap = wrap


class _Text(QWidget):
    def __init__(self, text: str = "") -> None:
        super().__init__()
        assert isinstance(text, str)
        self.text = text

    def setText(self, text: str) -> None:  # noqa: N802
        assert isinstance(text, str)
        self.text = text


class QLabel(_Text):
    pass


class QPushButton(_Text):
    pass


class QLineEdit(_Text):
    Normal, Password = range(2)


class QCheckBox(_Text):
    checked = False

    def setChecked(self, checked: bool) -> None:  # noqa: N802
        self.checked = checked


class QRadioButton(QCheckBox):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.group: list[QRadioButton] = []
        self.exclusive = True

    def setAutoExclusive(self, exclusive: bool) -> None:  # noqa: N802
        self.exclusive = exclusive

    def setChecked(self, checked: bool) -> None:  # noqa: N802
        if checked and self.exclusive:
            for other in self.group:
                other.checked = False
        if checked or not self.exclusive:
            self.checked = checked


class QProgressBar(QWidget):
    def setRange(self, low: int, high: int) -> None:  # noqa: N802
        self.range = (low, high)

    def setValue(self, value: int) -> None:  # noqa: N802
        assert isinstance(value, int)
        self.value = value


class QComboBox(QWidget):
    def __init__(self) -> None:
        super().__init__()
        self.items: list[str] = []
        self.currentIndex = -1

    def addItems(self, items: list[str]) -> None:  # noqa: N802
        self.items += items
        self.currentIndex = max(self.currentIndex, 0)

    def clear(self) -> None:
        self.items, self.currentIndex = [], -1

    def setCurrentIndex(self, index: int) -> None:  # noqa: N802
        assert 0 <= index < len(self.items)
        self.currentIndex = index


class QVBoxLayout:
    """Also a form's layout: it only has to know its widgets."""

    def __init__(self, *_parents: Any) -> None:
        self.widgets: list[Any] = []

    def addWidget(self, widget: Any) -> None:  # noqa: N802
        self.widgets.append(widget)

    def addRow(self, *widgets: Any) -> None:  # noqa: N802
        self.widgets += widgets
        buttons = [widget for widget in self.widgets if isinstance(widget, QRadioButton)]
        for button in buttons:
            button.group = buttons

    def addStretch(self, _factor: int) -> None:  # noqa: N802
        pass


class QTimer(QWidget):
    interval = 0

    def start(self, interval: int) -> None:
        assert isinstance(interval, int)
        self.interval = interval

    def stop(self) -> None:
        self.interval = 0


class QKeySequence(str):
    pass


class QShortcut(QWidget):
    def __init__(self, key: QKeySequence, parent: Any) -> None:
        super().__init__(parent)
        self.key = key


class QSettings:
    kept: ClassVar[dict[str, str]] = {}

    def value(self, key: str, default: str) -> str:
        return self.kept.get(key, default)

    def setValue(self, key: str, value: str) -> None:  # noqa: N802
        self.kept[key] = value


class QInputDialog:
    """What the person at the keyboard will type, in order; an empty text is Cancel."""

    typed: ClassVar[list[str]] = []

    def getText(self, *_asked: Any) -> str:  # noqa: N802
        return self.typed.pop(0)


class QDialog(QWidget):
    pass


def as_module() -> ModuleType:
    """``import qt``."""
    module = ModuleType("qt")
    for name, value in globals().items():
        if name.startswith("Q"):
            setattr(module, name, value)
    module.QFormLayout = QVBoxLayout  # type: ignore[attr-defined]
    return module
