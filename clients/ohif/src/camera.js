// Where a viewport looks, and how bright.

import { corners, extent, middle, minus, plus } from './geometry.js';
import { inPlane } from './linking.js';
import { core } from './ohif.js';

/** @typedef {import('./geometry.js').Plane} Plane */

/** A box is shown this many times smaller than the viewport is high. */
const ROOM = 5;
const LEAST_HEIGHT_MM = 60;

/** @param {any} viewport @param {Plane} plane @param {import('./geometry.js').Box} box */
export function centreOn(viewport, plane, box) {
  const camera = viewport.getCamera();
  const shift = inPlane(plane, minus(middle(plane, box), camera.focalPoint));
  viewport.setCamera({
    focalPoint: plus(camera.focalPoint, shift),
    position: plus(camera.position, shift),
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
 * The window for a slice: the header's where it suits the pixels, else from their distribution.
 * @param {string} imageId @returns {{lower: number, upper: number} | null}
 */
export function windowFor(imageId) {
  const image = core().cache.getImage(imageId);
  if (!image) return null;
  const range = spread(image.getPixelData(), image.preScale?.scaled ? {} : image);
  if (!range) return null;
  const width = first(image.windowWidth);
  const centre = first(image.windowCenter);
  if (width && width > 1 && centre !== undefined) {
    const header = { lower: centre - width / 2, upper: centre + width / 2 };
    if (suits(header, range)) return header;
  }
  return range;
}

const first = (/** @type {any} */ value) => {
  const one = Array.isArray(value) || ArrayBuffer.isView(value) ? /** @type {any} */ (value)[0] : value;
  return one === undefined || one === null || Number.isNaN(Number(one)) ? undefined : Number(one);
};

/** Whether a window shows these pixels, neither drowned nor all black or white. */
export function suits(/** @type {{lower: number, upper: number}} */ header, /** @type {{lower: number, upper: number}} */ range) {
  const overlap = Math.min(header.upper, range.upper) - Math.max(header.lower, range.lower);
  const wide = header.upper - header.lower;
  const wanted = range.upper - range.lower;
  return overlap > 0.5 * wanted && wide < 2.5 * wanted;
}

/**
 * From the 1st to the 99.5th percentile of every eleventh pixel that is not background.
 * @param {ArrayLike<number>} pixels @param {{slope?: number, intercept?: number}} scaling
 */
export function spread(pixels, { slope = 1, intercept = 0 } = {}) {
  const some = [];
  for (let at = 0; at < pixels.length; at += 11) some.push(pixels[at]);
  some.sort((a, b) => a - b);
  if (!some.length) return null;
  const at = (/** @type {number} */ share) => some[Math.min(some.length - 1, Math.floor(share * some.length))] * slope + intercept;
  const [lower, upper] = [at(0.01), at(0.995)];
  return upper > lower ? { lower, upper } : null;
}
