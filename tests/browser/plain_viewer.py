"""Stock OHIF's own basic viewer, as it comes: opening a study, its reports, and drawing in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from playwright.sync_api import BrowserContext, Page, expect

#: Rectangle round a box of a picture: where its corners are in CSS pixels of the page.
_PLACE = """([sop, [x0, y0, x1, y1]]) => {
  const viewport = cornerstone.getRenderingEngines()[0].getViewports().find(one => one.getCurrentImageId());
  const imageId = viewport.getCurrentImageId();
  const shown = cornerstone.metaData.get('instance', imageId).SOPInstanceUID;
  if (shown !== sop) throw new Error(`${shown} is shown`);
  const { left, top } = viewport.element.getBoundingClientRect();
  return [[x0, y0], [x1, y1]].map(point => {
    const [x, y] = viewport.worldToCanvas(cornerstone.utilities.imageToWorldCoords(imageId, point));
    return [left + x, top + y];
  });
}"""
_MEASURED = """() => services.measurementService.getMeasurements().map(one => ({
  label: one.label, tool: one.toolName, sop: one.SOPInstanceUID, points: one.points.map(point => [...point]),
}))"""


@dataclass(frozen=True, eq=False)
class PlainViewer:
    page: Page

    @classmethod
    def open(
        cls, url: str, study: str, person: BrowserContext, series: str = "", sop: str = ""
    ) -> PlainViewer:
        page = person.new_page()
        at = f"&initialSeriesInstanceUID={series}&initialSOPInstanceUID={sop}" if sop else ""
        page.goto(f"{url}/viewer/viewer?StudyInstanceUIDs={study}{at}")
        page.wait_for_function("window.cornerstone?.getRenderingEngines()?.[0]?.getViewports()[0]?.csImage")
        return cls(page)

    def restore(self, report: str) -> None:
        """Open a report from the list of series and let the viewer draw what it says."""
        self.page.get_by_text(report).first.dblclick()
        self.page.get_by_role("button", name="Yes", exact=True).click()

    def measurements(self) -> list[dict[str, Any]]:
        self.page.wait_for_function("services.measurementService.getMeasurements().length > 0")
        found: list[dict[str, Any]] = self.page.evaluate(_MEASURED)
        return found

    def draw(self, sop: str, box: tuple[float, float, float, float]) -> None:
        """A rectangle with the viewer's own tool round a box of the picture in view."""
        page = self.page
        (x0, y0), (x1, y1) = page.evaluate(_PLACE, [sop, list(box)])
        page.locator("[data-cy=MeasurementTools-split-button-secondary]").click()
        page.locator("[data-cy=RectangleROI]").click()
        page.mouse.move(x0, y0)
        page.mouse.down()
        page.mouse.move((x0 + x1) / 2, (y0 + y1) / 2, steps=3)
        page.mouse.move(x1, y1, steps=3)
        page.mouse.up()
        page.get_by_role("button", name="Yes", exact=True).click()

    def show_measurements(self) -> None:
        if not self.page.locator("[data-cy=trackedMeasurements-panel]").is_visible():
            self.page.locator("[data-cy=trackedMeasurements-btn]").click()

    def name(self, label: str) -> None:
        page = self.page
        self.show_measurements()
        page.locator("[data-cy=data-row]").first.hover()
        page.locator("[data-cy=actionsMenuTrigger]").first.click()
        page.get_by_role("menuitem", name="Rename").click()
        page.get_by_role("dialog").get_by_role("textbox").fill(label)
        page.get_by_role("button", name="Save").click()
        expect(page.locator("[data-cy=data-row]").first).to_contain_text(label)

    def store(self) -> None:
        self.page.get_by_role("button", name="Create SR").click()
        self.page.get_by_role("dialog").get_by_role("button", name="Save").click()
