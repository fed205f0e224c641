// A window in which a level can be read. No viewer in here: node tests it.

/**
 * @typedef {object} Picture
 * @property {ArrayLike<number>} pixels stored values, row by row @property {number} columns @property {number} rows
 * @property {number} [slope] @property {number} [intercept] to the units of the modality
 */
/** @typedef {{lower: number, upper: number}} Range */

/** Share of the window in which the middle of the marrow must lie. */
const DARKEST = 0.22;
const BRIGHTEST = 0.8;

/**
 * The header's window where it shows the level, else one from the pixels round it: coils near the skin
 * make fat behind the spine so bright that a window for the whole slice leaves the vertebrae black.
 * @param {Picture} picture @param {import('./geometry.js').Box | null} box
 * @param {{width?: number, centre?: number}} header
 * @returns {Range | null}
 */
export function windowOf(picture, box, { width, centre }) {
  const [x0, y0, x1, y1] = box ?? [0, 0, picture.columns, picture.rows];
  const around = valuesIn(picture, box ? [x0 - (x1 - x0), y0 - (y1 - y0), x1 + (x1 - x0), y1 + (y1 - y0)] : [x0, y0, x1, y1]);
  if (!around.length) return null;
  const within = box ? valuesIn(picture, box) : around;
  const marrow = share(within, 0.5);
  if (width !== undefined && centre !== undefined && width > 1) {
    const range = { lower: centre - width / 2, upper: centre + width / 2 };
    const level = (marrow - range.lower) / width;
    if (level >= DARKEST && level <= BRIGHTEST) return range;
  }
  const lower = share(around, 0.01);
  const upper = Math.max(share(around, 0.985), lower + (marrow - lower) / BRIGHTEST);
  return upper > lower ? { lower, upper } : null;
}

/** Values of part of a picture, sorted, at most some ten thousand. @param {Picture} picture @param {number[]} box */
function valuesIn({ pixels, columns, rows, slope = 1, intercept = 0 }, box) {
  const [x0, y0] = [Math.max(0, Math.floor(box[0])), Math.max(0, Math.floor(box[1]))];
  const [x1, y1] = [Math.min(columns, Math.ceil(box[2])), Math.min(rows, Math.ceil(box[3]))];
  const step = Math.max(1, Math.ceil(Math.sqrt(((x1 - x0) * (y1 - y0)) / 10_000)));
  const values = [];
  for (let y = y0; y < y1; y += step) for (let x = x0; x < x1; x += step) values.push(pixels[y * columns + x] * slope + intercept);
  return values.sort((a, b) => a - b);
}

/** @param {number[]} sorted @param {number} part 0 to 1 */
const share = (sorted, part) => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))];
