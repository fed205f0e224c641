// How the server counts the slices of a series, which frames of one file need beside the UID they share.
// The viewer has the frames in the order of the file.

import { depth, dot, minus, normal } from './geometry.js';

/** @typedef {import('./geometry.js').Plane} Plane */

/** A stack turned further than this from the sagittal plane is none: cosine of 35 degrees, as on the server. */
const SAGITTAL = Math.cos((35 * Math.PI) / 180);

/**
 * Slices with their number on the server, and whether they share their UID.
 * @template {{sop: string, plane: Plane}} T @param {T[]} slices
 */
export function numbered(slices) {
  const order = serverOrder(slices.map((slice) => slice.plane));
  return slices.map((slice, index) => ({
    ...slice,
    number: order.indexOf(index),
    shared: slices.some((other) => other !== slice && other.sop === slice.sop),
  }));
}

/**
 * Indices in the server's order: along the normal, but a sagittal series from the patient's left to the right.
 * @param {Plane[]} planes
 */
function serverOrder(planes) {
  if (!planes.length) return [];
  const along = normal(planes[0]);
  const order = planes.map((_, index) => index).sort((a, b) => depth(planes[a], along) - depth(planes[b], along));
  const through = minus(planes[order[order.length - 1]].origin, planes[order[0]].origin);
  // x grows towards the left (LPS).
  return through[0] > 0 && through[0] >= SAGITTAL * Math.hypot(...through) ? order.reverse() : order;
}
