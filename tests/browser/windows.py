"""Windows of a real browser: opening pages, and what a reading room shows in them."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect

CHROMIUM = "/usr/bin/chromium"
CHROMIUM_ARGUMENTS = (
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
)
SIZE = {"width": 1440, "height": 900}
_SMALL = (1200, 750)
#: So many of the 256 colours of a screenshot are no greys; channels that differ by less make a grey.
_COLOURS, _GREY = 96, 24
#: The colour of the box being read, as the extension draws it.
AMBER = (255, 193, 7)
PATIENCE_MS = 30_000
#: OHIF greets a first visitor with a tour and a banner over the pictures; both are answered beforehand.
_VISITED_BEFORE = """
if (location.protocol.startsWith('http')) {
localStorage.setItem('shownTours', JSON.stringify(['basicViewerTour']));
sessionStorage.setItem('investigationalUseDialog', 'hidden');
}
"""

_POINTS = """sop => cornerstoneTools.annotation.state.getAllAnnotations()
  .find(one => one.data.current && cornerstone.metaData.get('instance', one.metadata.referencedImageId)
    .SOPInstanceUID === sop).data.handles.points.map(point => [...point])"""
_SCALE = """() => {
  const viewport = services.cornerstoneViewportService.getCornerstoneViewport('reading-left');
  return 2 * viewport.getCamera().parallelScale / viewport.element.clientHeight;
}"""


@dataclass(eq=False)
class Windows:
    """Opens windows of different people. What their consoles complain of is an error unless expected."""

    browser: Browser
    screenshots: Path
    expected: list[str] = field(default_factory=list)
    _contexts: list[BrowserContext] = field(default_factory=list)
    _complaints: list[str] = field(default_factory=list)

    def expect_complaint(self, pattern: str) -> None:
        """From now on complaints that match this are part of the test."""
        self.expected.append(pattern)

    def person(self) -> BrowserContext:
        """A browser of somebody's own: cookies and storage are shared with no other."""
        context = self.browser.new_context(viewport=SIZE)
        context.set_default_timeout(PATIENCE_MS)
        context.add_init_script(_VISITED_BEFORE)
        context.on("console", self._heard)
        context.on("weberror", lambda error: self._complaints.append(f"uncaught {error.error}"))
        self._contexts.append(context)
        return context

    def page(self, url: str, person: BrowserContext | None = None) -> Page:
        page = (person or self.person()).new_page()
        page.goto(url)
        return page

    def room(self, url: str, person: BrowserContext | None = None) -> RoomWindow:
        """A window that opens the reading room at ``url``."""
        page = self.page(url, person)
        return RoomWindow(page, self.screenshots).ready()

    def complaints(self) -> list[str]:
        return [one for one in self._complaints if not any(re.search(known, one) for known in self.expected)]

    def close(self) -> None:
        for context in self._contexts:
            context.unroute_all(behavior="ignoreErrors")
            context.close()
        assert not self.complaints(), "\n".join(self.complaints())

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._complaints.append(f"{message.text} ({message.location.get('url')})")


@dataclass(frozen=True)
class Shown:
    """One of the two pictures: what it shows, and the rectangle being read in CSS pixels of the page."""

    series: str
    sop: str
    slice: int
    level: str
    #: Top left and bottom right; None where the level does not lie on the slice in view.
    box: tuple[float, float, float, float] | None
    #: The names on the slice in view.
    names: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class RoomWindow:
    page: Page
    screenshots: Path

    def ready(self) -> RoomWindow:
        """Wait until a level is shown with its boxes."""
        self.page.wait_for_function("window.spineReading?.state.phase === 'reading'", timeout=PATIENCE_MS)
        return self

    def after(self, level_id: int) -> RoomWindow:
        """Wait until another level than this one is shown."""
        self.page.wait_for_function(
            """id => window.spineReading?.state.phase === 'reading'
                 && window.spineReading.task.level_id !== id""",
            arg=level_id,
        )
        return self

    @property
    def task(self) -> dict[str, Any]:
        return self.page.evaluate("window.spineReading.task")

    @property
    def state(self) -> dict[str, Any]:
        return self.page.evaluate("window.spineReading.state")

    def shown(self) -> tuple[Shown, ...]:
        return tuple(_shown(one) for one in self.page.evaluate("window.spineReading.shown()"))

    def points(self, pane: int) -> list[list[float]]:
        """Corners of the rectangle being read in a picture: mm of the patient, from cornerstone itself."""
        found: list[list[float]] = self.page.evaluate(_POINTS, self.shown()[pane].sop)
        return found

    def millimetres_per_pixel(self) -> float:
        """How much of the patient a CSS pixel of the left picture is."""
        found: float = self.page.evaluate(_SCALE)
        return found

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def part(self, name: str) -> Any:
        return self.page.get_by_test_id(name)

    def says(self, text: str | re.Pattern[str], where: str = "message") -> None:
        expect(self.part(where)).to_contain_text(text, timeout=PATIENCE_MS)

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        mouse = self.page.mouse
        mouse.move(*start)
        mouse.down()
        mouse.move((start[0] + end[0]) / 2, (start[1] + end[1]) / 2, steps=4)
        mouse.move(*end, steps=4)
        mouse.up()

    def pixels(self) -> npt.NDArray[np.uint8]:
        """The window as it is on the screen, RGB."""
        return np.asarray(Image.open(io.BytesIO(self.page.screenshot())).convert("RGB"))

    def screenshot(self, name: str) -> Path:
        return screenshot(self.page, self.screenshots, name)


def screenshot(page: Page, folder: Path, name: str) -> Path:
    """The window as a small PNG of few colours, so that the documentation stays small."""
    path = folder / f"{name}.png"
    picture = (
        Image.open(io.BytesIO(page.screenshot())).convert("RGB").resize(_SMALL, Image.Resampling.LANCZOS)
    )
    pixels = np.asarray(picture)
    coloured = pixels[np.ptp(pixels, axis=2) > _GREY]
    chosen = Image.fromarray(coloured[None]).quantize(_COLOURS).getpalette()[: 3 * _COLOURS]
    greys = np.linspace(0, 255, 256 - _COLOURS).round().astype(int).repeat(3).tolist()
    palette = Image.new("P", (1, 1))
    palette.putpalette([*chosen, *greys])
    picture.quantize(palette=palette, dither=Image.Dither.NONE).save(path, optimize=True)
    return path


def amber(pixels: npt.NDArray[np.uint8], tolerance: int = 60) -> npt.NDArray[np.bool_]:
    """Where the colour of the box being read is on the screen."""
    distance = np.abs(pixels.astype(np.int16) - np.array(AMBER, np.int16)).max(axis=2)
    return distance <= tolerance


def _shown(one: dict[str, Any]) -> Shown:
    box = next((box for box in one["boxes"] if box["current"]), None)
    corners = np.array(box["corners"]) if box else None
    return Shown(
        series=one["series"],
        sop=one["sop"],
        slice=one["slice"],
        level=box["label"] if box else "",
        box=None if corners is None else (*corners.min(axis=0), *corners.max(axis=0)),
        names=tuple(sorted(box["label"] for box in one["boxes"])),
    )
