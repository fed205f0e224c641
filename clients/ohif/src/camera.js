// Where a viewport looks, and how bright.

import { corners, extent, middle, minus, plus } from './geometry.js';
import { inPlane } from './linking.js';
import { core } from './ohif.js';
import { windowOf } from './window.js';

/** @typedef {import('./geometry.js').Plane} Plane */

/** A box is shown this many times smaller than the viewport is high. */
const ROOM = 5;
const LEAST_HEIGHT_MM = 60;

/**
 * Upright as the file has it: a viewport that was just given another series may still lie as the one before.
 * @param {any} viewport @param {Plane} plane @param {import('./geometry.js').Box} box
 */
export function centreOn(viewport, plane, box) {
  const camera = viewport.getCamera();
  const shift = inPlane(plane, minus(middle(plane, box), camera.focalPoint));
  viewport.setCamera({
    focalPoint: plus(camera.focalPoint, shift),
    position: plus(camera.position, shift),
    viewUp: minus([0, 0, 0], plane.column),
    parallelScale: Math.max(extent(plane, box).height * ROOM, LEAST_HEIGHT_MM) / 2,
  });
}

/** @param {any} viewport @param {number[]} shift mm, in the patient @param {number} [zoom] times the height shown */
export function moveBy(viewport, shift, zoom = 1) {
  const camera = viewport.getCamera();
  viewport.setCamera({
    focalPoint: plus(camera.focalPoint, shift),
    position: plus(camera.position, shift),
    parallelScale: camera.parallelScale * zoom,
  });
}

/**
 * Where a box is on the screen: top left and bottom right, CSS pixels in the viewport.
 * @param {any} viewport @param {Plane} plane @param {import('./geometry.js').Box} box
 */
export const onScreen = (viewport, plane, box) => corners(plane, box).map((corner) => viewport.worldToCanvas(corner));

/**
 * The window to read a box in, in the units of the modality; null while the pixels are not here.
 * @param {string} imageId @param {import('./geometry.js').Box | null} box
 */
export function windowFor(imageId, box) {
  const image = core().cache.getImage(imageId);
  if (!image) return null;
  const scaling = image.preScale?.scaled ? {} : { slope: image.slope, intercept: image.intercept };
  const picture = { pixels: image.getPixelData(), columns: image.columns, rows: image.rows, ...scaling };
  return windowOf(picture, box, { width: first(image.windowWidth), centre: first(image.windowCenter) });
}

/** @param {any} value one number or a list of them */
function first(value) {
  const one = typeof value === 'object' && value !== null ? value[0] : value;
  return one === undefined || one === null || !Number.isFinite(Number(one)) ? undefined : Number(one);
}
