// Pixels, millimetres and boxes of one picture. No viewer in here: node tests it.

/**
 * Where a picture lies in the patient (LPS, mm).
 * @typedef {object} Plane
 * @property {number[]} origin centre of the first pixel, mm
 * @property {number[]} row unit vector along which the column index grows
 * @property {number[]} column unit vector along which the row index grows
 * @property {number} columnSpacing mm from one column to the next
 * @property {number} rowSpacing mm from one row to the next
 * @property {number} columns
 * @property {number} rows
 */

/**
 * Pixels in corner convention: the first pixel covers [0, 1], so a picture spans [0, columns].
 * @typedef {[number, number, number, number]} Box x0, y0, x1, y1
 */

/** @param {number[]} a @param {number[]} b */
export const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
/** @param {number[]} a @param {number[]} b */
export const minus = (a, b) => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
/** @param {number[]} a @param {number[]} b @param {number} [times] a + times * b */
export const plus = (a, b, times = 1) => [a[0] + times * b[0], a[1] + times * b[1], a[2] + times * b[2]];
/** @param {number[]} a @param {number[]} b */
const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];

/** @param {Plane} plane unit vector out of the picture */
export const normal = (plane) => cross(plane.row, plane.column);

/** How far along its normal a picture lies, mm. @param {Plane} plane @param {number[]} [along] */
export const depth = (plane, along = normal(plane)) => dot(plane.origin, along);

/**
 * Patient point of a pixel position. Half a pixel is taken off because the header's origin is the
 * centre of the first pixel and our boxes count from its corner.
 * @param {Plane} plane @param {number[]} pixel [x, y]
 */
export function toWorld(plane, [x, y]) {
  const across = plus(plane.origin, plane.row, (x - 0.5) * plane.columnSpacing);
  return plus(across, plane.column, (y - 0.5) * plane.rowSpacing);
}

/** Pixel position of a patient point, dropped onto the picture. @param {Plane} plane @param {number[]} world */
export function toPixel(plane, world) {
  const from = minus(world, plane.origin);
  return [dot(from, plane.row) / plane.columnSpacing + 0.5, dot(from, plane.column) / plane.rowSpacing + 0.5];
}

/** Top left, top right, bottom left, bottom right. @param {Plane} plane @param {Box} box */
export function corners(plane, [x0, y0, x1, y1]) {
  return [[x0, y0], [x1, y0], [x0, y1], [x1, y1]].map((pixel) => toWorld(plane, pixel));
}

/** The box spanned by these patient points. @param {Plane} plane @param {number[][]} points @returns {Box} */
export function spanned(plane, points) {
  const pixels = points.map((point) => toPixel(plane, point));
  const xs = pixels.map((pixel) => pixel[0]);
  const ys = pixels.map((pixel) => pixel[1]);
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}

/** Patient point in the middle of a box. @param {Plane} plane @param {Box} box */
export const middle = (plane, box) => toWorld(plane, [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2]);

/** Height and width of a box, mm. @param {Plane} plane @param {Box} box */
export const extent = (plane, box) => ({
  width: (box[2] - box[0]) * plane.columnSpacing,
  height: (box[3] - box[1]) * plane.rowSpacing,
});

/** Kept inside the picture. @param {Plane} plane @param {Box} box @returns {Box} */
export function clipped(plane, [x0, y0, x1, y1]) {
  const within = (/** @type {number} */ value, /** @type {number} */ top) => Math.min(Math.max(value, 0), top);
  return [within(x0, plane.columns), within(y0, plane.rows), within(x1, plane.columns), within(y1, plane.rows)];
}

/**
 * Why a box cannot be a vertebra, in words, or null when it can.
 * @param {Plane} plane @param {Box} box
 */
export function fault(plane, box) {
  const [x0, y0, x1, y1] = box;
  if (x1 <= 0 || y1 <= 0 || x0 >= plane.columns || y0 >= plane.rows) return 'The box lies outside the picture: draw it on the vertebra.';
  const { width, height } = extent(plane, clipped(plane, box));
  if (width < 3 || height < 3) return 'The box is too small for a vertebra: draw it from corner to corner.';
  return null;
}
