// The rectangle of a level: cornerstone's own, without its text of statistics, with a small name beside it
// and, on the level being read, corners to grasp.

import { core, tools } from './ohif.js';

export const TOOL = 'SpineLevelBox';
export const COLOURS = { current: 'rgb(255, 193, 7)', other: 'rgb(110, 178, 220)', drawn: 'rgb(111, 207, 151)' };

/** Made when cornerstone is there, once. */
export function registerLevelBoxTool() {
  const { RectangleROITool, addTool, annotation: annotations } = tools();
  if (tools().state?.tools?.[TOOL]) return;

  class LevelBoxTool extends RectangleROITool {
    static toolName = TOOL;

    constructor(/** @type {any} */ props = {}) {
      super(props);
      this.configuration.calculateStats = false;
      this.configuration.shadow = false;
      const drawBoxes = /** @type {any} */ (this.renderAnnotation);
      const nearEdge = /** @type {any} */ (this.isPointNearTool);
      this.renderAnnotation = (/** @type {any} */ enabled, /** @type {any} */ drawing) => {
        if (!isLaidOut(enabled.viewport)) return false;
        const drawn = drawBoxes(enabled, drawing);
        const { element } = enabled.viewport;
        const known = annotations.state.getAnnotations(this.getToolName(), element) ?? [];
        for (const one of this.filterInteractableAnnotationsForElement(element, known)) nameBeside(enabled.viewport, drawing, one);
        return drawn;
      };
      // A click without a drag ends the drawing too, and is then said to be too small: cornerstone would
      // let the box hang on the mouse until the next click.
      const end = /** @type {any} */ (this._endCallback);
      this._endCallback = (/** @type {any} */ event) => {
        if (this.editData?.newAnnotation) this.editData.hasMoved = true;
        end(event);
      };
      // Other levels move by their corners only: their edges lie under many a drag meant for the window.
      this.isPointNearTool = (/** @type {any} */ element, /** @type {any} */ one, /** @type {any} */ point, /** @type {number} */ near) =>
        Boolean(one.data.current) && nearEdge(element, one, point, near);
    }

    /** Only those of the slice in view, the one being read first, so that it is the first to be grasped. */
    filterInteractableAnnotationsForElement(/** @type {any} */ element, /** @type {any[]} */ known) {
      const shown = core().getEnabledElement(element)?.viewport?.getCurrentImageId?.();
      const here = (known ?? []).filter((one) => one.metadata.referencedImageId === shown && !one.data.hidden);
      return here.sort((a, b) => Number(b.data.current ?? false) - Number(a.data.current ?? false));
    }

    getAnnotationStyle(/** @type {any} */ context) {
      const { data, highlighted } = context.annotation;
      const colour = data.current ? COLOURS.current : data.levelId ? COLOURS.other : COLOURS.drawn;
      const lineWidth = (data.current ? 2.5 : 1) + (highlighted ? 1 : 0);
      return { visibility: true, locked: false, color: colour, lineWidth, lineDash: '', shadow: false };
    }

    getLinkedTextBoxStyle() {
      return { visibility: false };
    }
  }
  addTool(LevelBoxTool);
}

/** False while the page is being laid out anew: a viewport without a size knows no place on the screen. */
const isLaidOut = (/** @type {any} */ viewport) => viewport.worldToCanvas(viewport.getCamera().focalPoint).every(Number.isFinite);

/** The name, in front of the box at half its height, where it covers no bone. */
function nameBeside(/** @type {any} */ viewport, /** @type {any} */ drawing, /** @type {any} */ one) {
  const { label, current, levelId } = one.data;
  if (!label) return;
  const points = one.data.handles.points.map((/** @type {number[]} */ point) => viewport.worldToCanvas(point));
  const left = Math.min(...points.map((/** @type {number[]} */ point) => point[0]));
  const ys = points.map((/** @type {number[]} */ point) => point[1]);
  const text = drawn(drawing, `${one.annotationUID}-name`, 'text', {
    'text-anchor': 'end', 'dominant-baseline': 'middle', 'paint-order': 'stroke', stroke: 'rgba(0, 0, 0, 0.85)', 'stroke-width': '3',
    'data-testid': `box-name-${levelId}`,
  });
  text.setAttribute('x', String(left - 7));
  text.setAttribute('y', String((Math.min(...ys) + Math.max(...ys)) / 2));
  text.setAttribute('fill', current ? COLOURS.current : COLOURS.other);
  text.setAttribute('style', `font: ${current ? '600 14px' : '500 11px'} Inter, system-ui, sans-serif; pointer-events: none`);
  text.textContent = label;
  if (!current) return;
  points.forEach((/** @type {number[]} */ [x, y], /** @type {number} */ index) => {
    const dot = drawn(drawing, `${one.annotationUID}-corner-${index}`, 'circle', { r: '3.5', fill: COLOURS.current, stroke: 'black' });
    dot.setAttribute('cx', String(x));
    dot.setAttribute('cy', String(y));
  });
}

/** A part of the drawing, made at its first use and kept alive. */
function drawn(/** @type {any} */ drawing, /** @type {string} */ key, /** @type {string} */ tag, /** @type {Record<string, string>} */ looks) {
  let part = drawing.getSvgNode(key);
  if (!part) {
    part = document.createElementNS('http://www.w3.org/2000/svg', tag);
    for (const [name, value] of Object.entries(looks)) part.setAttribute(name, value);
    drawing.appendNode(part, key);
  }
  drawing.setNodeTouched(key);
  return part;
}
