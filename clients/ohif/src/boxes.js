// The boxes of a study's levels on each slice, with what the reader has changed of them.

/** @typedef {import('./geometry.js').Box} Box */

/**
 * A box on one slice; `slice` as the server counts them.
 * @typedef {object} PlacedBox
 * @property {string} series
 * @property {string} sop
 * @property {number} slice
 * @property {Box} box
 */

/**
 * What of the viewer's slice says which one it is.
 * @typedef {Pick<import('./series.js').Slice, 'sop' | 'number' | 'shared'>} Which
 */

/**
 * A level as the server tells it.
 * @typedef {object} Level
 * @property {number} id
 * @property {number} version
 * @property {string} name
 * @property {string} source
 * @property {PlacedBox[]} boxes
 */

/**
 * Whether a place of the server's is this slice: its UID says it, and its number where frames of one file share that.
 * @param {Pick<PlacedBox, 'sop' | 'slice'>} placed @param {Which} slice
 */
export const isOn = (placed, slice) => placed.sop === slice.sop && (!slice.shared || placed.slice === slice.number);

const keyOf = (/** @type {PlacedBox} */ { sop, slice }) => `${sop} ${slice}`;

export class StudyBoxes {
  /** @param {Level[]} levels */
  constructor(levels) {
    /** @type {Map<number, Level>} */
    this.levels = new Map(levels.map((level) => [level.id, level]));
    /** @type {Map<number, Map<string, PlacedBox>>} */
    this.edits = new Map();
  }

  /** The server's levels after one was drawn, removed or renamed; changes by hand stay. @param {Level[]} levels */
  replace(levels) {
    this.levels = new Map(levels.map((level) => [level.id, level]));
  }

  /** Every level's box on a slice. @param {string} series @param {Which} slice */
  on(series, slice) {
    const found = [];
    for (const level of this.levels.values()) {
      const placed = this.of(level.id, series, slice);
      if (placed) found.push({ level, placed });
    }
    return found;
  }

  /** @param {number} levelId @param {string} series @param {Which} slice @returns {PlacedBox | null} */
  of(levelId, series, slice) {
    return this.changed(levelId).find((placed) => isOn(placed, slice)) ?? this.served(levelId, series, slice);
  }

  /** The server's own box, whatever the reader has changed. @param {number} levelId @param {string} series @param {Which} slice */
  served(levelId, series, slice) {
    const boxes = this.levels.get(levelId)?.boxes ?? [];
    return boxes.find((placed) => placed.series === series && isOn(placed, slice)) ?? null;
  }

  /** A level's boxes in one series, by slice. @param {number} levelId @param {string} series */
  inSeries(levelId, series) {
    const known = (this.levels.get(levelId)?.boxes ?? []).filter((placed) => placed.series === series);
    const bySlice = new Map(known.map((placed) => [keyOf(placed), placed]));
    for (const placed of this.changed(levelId)) if (placed.series === series) bySlice.set(keyOf(placed), placed);
    return [...bySlice.values()].sort((a, b) => a.slice - b.slice);
  }

  /** @param {number} levelId @param {PlacedBox} placed */
  change(levelId, placed) {
    const edits = this.edits.get(levelId) ?? new Map();
    edits.set(keyOf(placed), placed);
    this.edits.set(levelId, edits);
  }

  /** @param {number} levelId @returns {PlacedBox[]} */
  changed(levelId) {
    return [...(this.edits.get(levelId)?.values() ?? [])];
  }

  /** Back to the server's boxes. @param {number} levelId */
  forget(levelId) {
    this.edits.delete(levelId);
  }
}
