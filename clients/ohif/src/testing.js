// A small handle for tests and for the benchmark: read only.

import { TOOL } from './level-box-tool.js';
import { tools } from './ohif.js';
import { panes } from './stage.js';

/** @param {import('./room.js').Room} room @param {import('./desk.js').Desk} desk */
export function exposeForTests(room, desk) {
  Object.assign(window, {
    spineReading: {
      get state() {
        return room.state;
      },
      get task() {
        return room.state.task;
      },
      get tab() {
        return room.seat?.tab;
      },
      /** How many upcoming studies are in the viewer's memory; null while they are fetched. */
      get fetchedAhead() {
        return desk.fetchedAhead;
      },
      /** What each picture shows, with the rectangles on it in CSS pixels of the page. */
      shown: () =>
        panes().map(({ id, viewport, series, index }) => ({
          id,
          series: series.uid,
          sop: series.slices[index].sop,
          slice: index,
          boxes: tools().annotation.state.getAllAnnotations()
            .filter((/** @type {any} */ one) => one.metadata.toolName === TOOL && one.metadata.referencedImageId === series.slices[index].imageId)
            .map((/** @type {any} */ one) => ({ uid: one.annotationUID, ...one.data, handles: undefined, corners: one.data.handles.points.map((/** @type {number[]} */ point) => onPage(viewport, point)) })),
        })),
    },
  });
}

/** The handle of a sitting that is over. */
export function hideFromTests() {
  delete /** @type {any} */ (window).spineReading;
}

/** @param {any} viewport @param {number[]} point */
function onPage(viewport, point) {
  const [x, y] = viewport.worldToCanvas(point);
  const { left, top } = viewport.element.getBoundingClientRect();
  return [left + x, top + y];
}
