// Scroll, zoom or pan one picture and the other does the same.

import { moveBy } from './camera.js';
import { dot, minus, plus } from './geometry.js';
import { companion, inPlane } from './linking.js';
import { core } from './ohif.js';

/** @typedef {import('./stage.js').Pane} Pane */

/** Listens to the viewports on the screen; made anew for each pair of series. */
export class Following {
  /** @param {() => Pane[]} panes @param {(pane: Pane) => void} scrolled told of every slice shown */
  constructor(panes, scrolled) {
    this.panes = panes;
    this.scrolled = scrolled;
    /** Slice each pane was opened on. @type {Map<string, number>} */
    this.opened = new Map();
    /** @type {Set<string>} */
    this.led = new Set();
    /** @type {string | null} */
    this.grasped = null;
    this.on = true;
    /** @type {(() => void)[]} */
    this.undo = [];
  }

  /** @param {Pane[]} shown with the slice each was opened on */
  start(shown) {
    this.stop();
    const { STACK_NEW_IMAGE, CAMERA_MODIFIED } = core().Enums.Events;
    for (const { id, viewport, index } of shown) {
      this.opened.set(id, index);
      const { element } = viewport;
      this.listen(element, STACK_NEW_IMAGE, () => this.follow(id));
      this.listen(element, CAMERA_MODIFIED, (event) => this.mirror(id, /** @type {any} */ (event).detail));
      this.listen(element, 'pointerdown', () => (this.grasped = id), true);
    }
    this.listen(window, 'pointerup', () => setTimeout(() => (this.grasped = null)), true);
  }

  stop() {
    for (const off of this.undo.splice(0)) off();
    this.opened.clear();
    this.led.clear();
    this.grasped = null;
  }

  /** @param {EventTarget} target @param {string} name @param {(event: Event) => void} heard @param {boolean} [early] */
  listen(target, name, heard, early = false) {
    target.addEventListener(name, heard, early);
    this.undo.push(() => target.removeEventListener(name, heard, early));
  }

  /** @param {string} id of the pane that scrolled */
  follow(id) {
    const shown = this.panes();
    const here = shown.find((pane) => pane.id === id);
    if (!here) return;
    this.scrolled(here);
    if (this.led.delete(id) || !this.on) return;
    for (const there of shown) {
      if (there.id === id) continue;
      const [from, to] = [this.opened.get(id), this.opened.get(there.id)];
      if (from === undefined || to === undefined) continue;
      const index = companion(planes(here), from, here.index, planes(there), to);
      if (index < 0 || index === there.index) continue;
      this.led.add(there.id);
      void there.viewport.setImageIdIndex(index);
    }
  }

  /** @param {string} id @param {{camera: any, previousCamera: any}} change */
  mirror(id, { camera, previousCamera }) {
    if (this.grasped !== id || !this.on || !previousCamera) return;
    const shown = this.panes();
    const here = shown.find((pane) => pane.id === id);
    if (!here) return;
    const plane = here.series.slices[here.index].plane;
    const shift = inPlane(plane, minus(camera.focalPoint, previousCamera.focalPoint));
    const zoom = camera.parallelScale / previousCamera.parallelScale;
    for (const there of shown) {
      if (there.id === id) continue;
      moveBy(there.viewport, turned(plane, shift, there.series.slices[there.index].plane), zoom);
      there.viewport.render();
    }
  }

  /** One slice on, in all pictures. @param {1 | -1} by */
  step(by) {
    const first = this.panes()[0];
    if (!first) return;
    const index = Math.min(Math.max(first.index + by, 0), first.series.slices.length - 1);
    if (index !== first.index) void first.viewport.setImageIdIndex(index);
  }

  /** @param {number} times the height shown */
  zoom(times) {
    for (const { viewport } of this.panes()) {
      moveBy(viewport, [0, 0, 0], times);
      viewport.render();
    }
  }
}

/** @param {Pane} pane */
const planes = (pane) => pane.series.slices.map((slice) => slice.plane);

/** A movement along one picture's axes, along the other's. */
function turned(
  /** @type {import('./geometry.js').Plane} */ from, /** @type {number[]} */ shift, /** @type {import('./geometry.js').Plane} */ to,
) {
  return plus(plus([0, 0, 0], to.row, dot(shift, from.row)), to.column, dot(shift, from.column));
}
