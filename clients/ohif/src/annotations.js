// Rectangles on the screen for the levels of the slices in view, and what a hand does to them.
// Only the slices in view have rectangles: the boxes themselves live in StudyBoxes.

import { isOn } from './boxes.js';
import { clipped, corners, depth, normal, spanned } from './geometry.js';
import { TOOL } from './level-box-tool.js';
import { carried, nearest, sameChange } from './linking.js';
import { core, tools } from './ohif.js';

/** @typedef {import('./stage.js').Pane} Pane */
/** @typedef {import('./boxes.js').PlacedBox} PlacedBox */

export class LevelAnnotations {
  /**
   * @param {() => Pane[]} panes
   * @param {{moved: (levelId: number, placed: PlacedBox) => void, drawn: (placed: PlacedBox) => void}} told
   */
  constructor(panes, told) {
    this.panes = panes;
    this.told = told;
    /** @type {import('./boxes.js').StudyBoxes | null} */
    this.boxes = null;
    /** @type {number | null} */
    this.current = null;
    /** Name given to the level being read, where it differs. @type {string | null} */
    this.renamed = null;
    this.hidden = false;
    const { Events } = tools().Enums;
    this.heard = [
      [Events.ANNOTATION_MODIFIED, (/** @type {any} */ event) => this.modified(event.detail.annotation)],
      [Events.ANNOTATION_COMPLETED, (/** @type {any} */ event) => this.completed(event.detail.annotation)],
    ];
    for (const [name, listener] of this.heard) core().eventTarget.addEventListener(name, listener);
    /** Whether a rectangle is in the hand; let go, it springs to its box, which ends at the picture's edge. */
    this.held = false;
    this.released = () => {
      if (this.held) setTimeout(() => this.refresh());
      this.held = false;
    };
    window.addEventListener('pointerup', this.released);
  }

  stop() {
    for (const [name, listener] of this.heard) core().eventTarget.removeEventListener(name, listener);
    window.removeEventListener('pointerup', this.released);
    this.clear();
  }

  clear() {
    const { state } = tools().annotation;
    for (const one of state.getAllAnnotations()) {
      if (one.metadata.toolName === TOOL) state.removeAnnotation(one.annotationUID);
    }
  }

  /** @param {import('./boxes.js').StudyBoxes | null} boxes @param {number | null} current */
  show(boxes, current) {
    this.boxes = boxes;
    this.current = current;
    this.refresh();
  }

  /** Make the rectangles of the slices in view agree with the boxes. */
  refresh() {
    const { state } = tools().annotation;
    const wanted = new Map();
    for (const pane of this.panes()) {
      const slice = pane.series.slices[pane.index];
      const { imageId } = slice;
      for (const { level, placed } of this.boxes?.on(pane.series.uid, slice) ?? []) {
        // By the image: frames of one file share its UID, and a rectangle is shown on the image it was made for.
        wanted.set(`level-${level.id}-${pane.id}-${imageId}`, { pane, level, placed, imageId });
      }
    }
    for (const one of state.getAllAnnotations()) {
      if (one.metadata.toolName === TOOL && !wanted.has(one.annotationUID)) state.removeAnnotation(one.annotationUID);
    }
    for (const [uid, { pane, level, placed, imageId }] of wanted) {
      const { plane } = pane.series.slices[pane.index];
      const existing = state.getAnnotation(uid);
      const one = existing ?? this.make(uid, pane, plane, imageId);
      const current = level.id === this.current;
      Object.assign(one.data, {
        levelId: level.id, label: (current && this.renamed) || level.name, current, hidden: this.hidden && !current,
      });
      one.data.handles.points = corners(plane, placed.box);
      if (!existing) state.addAnnotation(one, pane.viewport.element);
    }
    for (const pane of this.panes()) pane.viewport.render();
  }

  /** @param {string} uid @param {Pane} pane @param {import('./geometry.js').Plane} plane @param {string} imageId */
  make(uid, pane, plane, imageId) {
    const none = [0, 0, 0];
    return {
      annotationUID: uid,
      highlighted: false, isLocked: false, isVisible: true, invalidated: false,
      metadata: {
        toolName: TOOL,
        FrameOfReferenceUID: pane.viewport.getFrameOfReferenceUID(),
        referencedImageId: imageId,
        viewPlaneNormal: normal(plane),
        viewUp: plane.column.map((/** @type {number} */ part) => -part),
      },
      data: {
        handles: {
          points: [],
          activeHandleIndex: null,
          textBox: { hasMoved: false, worldPosition: none, worldBoundingBox: { topLeft: none, topRight: none, bottomLeft: none, bottomRight: none } },
        },
        cachedStats: {},
      },
    };
  }

  /** @param {any} one */
  place(one) {
    const pane = this.panes().find((candidate) => candidate.series.slices[candidate.index].imageId === one.metadata.referencedImageId);
    if (!pane) return null;
    const slice = pane.series.slices[pane.index];
    const { plane, sop, number } = slice;
    const box = clipped(plane, spanned(plane, one.data.handles.points));
    return { pane, slice, plane, placed: { series: pane.series.uid, sop, slice: number, box } };
  }

  /** A hand moved a rectangle: the same change in the other pictures, in mm. @param {any} one */
  modified(one) {
    const { levelId } = one.data;
    if (one.metadata.toolName !== TOOL || !levelId || !this.boxes) return;
    const here = this.place(one);
    const before = here && this.boxes.of(levelId, here.placed.series, here.slice);
    if (!here || !before || same(before.box, here.placed.box)) return;
    for (const there of this.panes()) {
      if (there.id !== here.pane.id) this.carryOver(levelId, here, before, there);
    }
    // The server's own count stays: the viewer may have been given fewer slices to count.
    this.boxes.change(levelId, { ...here.placed, slice: before.slice });
    this.told.moved(levelId, { ...here.placed, slice: before.slice });
    this.refreshOthers(one);
  }

  /**
   * @param {number} levelId @param {{pane: Pane, plane: import('./geometry.js').Plane, placed: PlacedBox}} here
   * @param {PlacedBox} before @param {Pane} there
   */
  carryOver(levelId, here, before, there) {
    const shown = there.series.slices[there.index];
    const known = this.boxes?.inSeries(levelId, there.series.uid) ?? [];
    let slice = shown;
    let target = known.find((placed) => isOn(placed, shown));
    if (!target) {
      // The level is not on the slice in view there: change it on the slice nearest to this one.
      const slices = there.series.slices.filter((candidate) => known.some((placed) => isOn(placed, candidate)));
      const at = nearest(slices.map((candidate) => candidate.plane), depth(here.plane), normal(here.plane));
      slice = slices[at] ?? shown;
      target = known.find((placed) => isOn(placed, slice));
    }
    const box = target
      ? sameChange(here.plane, before.box, here.placed.box, slice.plane, target.box)
      : carried(here.plane, here.placed.box, slice.plane);
    const placed = target ?? { series: there.series.uid, sop: slice.sop, slice: slice.number };
    this.boxes?.change(levelId, { ...placed, box: clipped(slice.plane, box) });
  }

  /** @param {any} held the rectangle in the hand, which is left alone */
  refreshOthers(held) {
    this.held = true;
    const { points } = held.data.handles;
    const { activeHandleIndex } = held.data.handles;
    this.refresh();
    Object.assign(held.data.handles, { points, activeHandleIndex });
  }

  /** A new rectangle was drawn: its box goes to be named, and the drawing goes. @param {any} one */
  completed(one) {
    if (one.metadata.toolName !== TOOL || one.data.levelId) return;
    const here = this.place(one);
    tools().annotation.state.removeAnnotation(one.annotationUID);
    this.refresh();
    if (here) this.told.drawn(here.placed);
  }
}

/** @param {number[]} a @param {number[]} b */
const same = (a, b) => a.every((value, index) => Math.abs(value - b[index]) < 0.01);
