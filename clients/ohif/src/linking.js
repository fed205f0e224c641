// What happens in one picture is repeated in the other, in millimetres.
// T1 and T2 may lie some millimetres apart, so only changes are carried over, never positions.

import { corners, depth, dot, minus, normal, plus, spanned, toPixel } from './geometry.js';

/** @typedef {import('./geometry.js').Plane} Plane */
/** @typedef {import('./geometry.js').Box} Box */

/**
 * The same growth or shift of a box, in mm, applied to the box of the same level in another picture.
 * @param {Plane} from picture the box was changed in
 * @param {Box} before @param {Box} after
 * @param {Plane} to picture of the other box
 * @param {Box} box
 * @returns {Box}
 */
export function sameChange(from, before, after, to, box) {
  const moved = corners(from, after).map((corner, index) => minus(corner, corners(from, before)[index]));
  const across = axis(from, to.row);
  const down = axis(from, to.column);
  const edge = (/** @type {'row' | 'column'} */ along, /** @type {number} */ corner) => dot(moved[corner], to[along]);
  // Corner 0 is the low end of both axes and corner 3 the high end, unless an axis runs the other way.
  const low = (/** @type {number} */ sign) => (sign > 0 ? 0 : 3);
  const high = (/** @type {number} */ sign) => (sign > 0 ? 3 : 0);
  const x0 = box[0] + edge('row', low(across)) / to.columnSpacing;
  const x1 = box[2] + edge('row', high(across)) / to.columnSpacing;
  const y0 = box[1] + edge('column', low(down)) / to.rowSpacing;
  const y1 = box[3] + edge('column', high(down)) / to.rowSpacing;
  return [Math.min(x0, x1), Math.min(y0, y1), Math.max(x0, x1), Math.max(y0, y1)];
}

/** Whether the source axis nearest to this direction runs along it (1) or against it (-1). */
function axis(/** @type {Plane} */ from, /** @type {number[]} */ direction) {
  const along = dot(from.row, direction);
  const other = dot(from.column, direction);
  return (Math.abs(along) >= Math.abs(other) ? along : other) >= 0 ? 1 : -1;
}

/**
 * A box carried into a picture in which the level has none yet.
 * @param {Plane} from @param {Box} box @param {Plane} to
 * @param {number[]} [offset] how far the other series lies off, mm in the patient
 * @returns {Box}
 */
export function carried(from, box, to, offset = [0, 0, 0]) {
  return spanned(to, corners(from, box).map((corner) => plus(corner, offset)));
}

/** The part of a movement that lies in the picture, mm. @param {Plane} plane @param {number[]} movement */
export function inPlane(plane, movement) {
  const out = normal(plane);
  return plus(movement, out, -dot(movement, out));
}

/**
 * The slice of a series that lies nearest to a depth along a direction.
 * @param {Plane[]} planes @param {number} at mm along @param {number[]} along @returns {number} index, -1 of none
 */
export function nearest(planes, at, along) {
  let best = -1;
  let least = Infinity;
  planes.forEach((plane, index) => {
    const off = Math.abs(depth(plane, along) - at);
    if (off < least) [best, least] = [index, off];
  });
  return best;
}

/**
 * Which slice of the other series goes with a slice of this one. Both were opened on slices of the same
 * vertebra; how those two lie to each other is kept while scrolling.
 * @param {Plane[]} here @param {number} opened @param {number} now slice opened at, slice shown now
 * @param {Plane[]} there @param {number} openedThere
 */
export function companion(here, opened, now, there, openedThere) {
  const along = normal(here[opened]);
  const moved = depth(here[now], along) - depth(here[opened], along);
  return nearest(there, depth(there[openedThere], along) + moved, along);
}

/** Where a box of one series lies in another, by the patient's millimetres. */
export function besides(
  /** @type {Plane} */ from, /** @type {Box} */ box, /** @type {Plane[]} */ planes,
) {
  const index = nearest(planes, depth(from), normal(from));
  return index < 0 ? null : { index, box: carried(from, box, planes[index]) };
}

/** Whether a patient point is shown in the picture. @param {Plane} plane @param {number[]} world */
export function within(plane, world) {
  const [x, y] = toPixel(plane, world);
  return x >= 0 && y >= 0 && x <= plane.columns && y <= plane.rows;
}
