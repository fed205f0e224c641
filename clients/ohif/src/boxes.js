// The boxes of a study's levels on each slice, with what the reader has changed of them.

/** @typedef {import('./geometry.js').Box} Box */

/**
 * A box on one slice.
 * @typedef {object} PlacedBox
 * @property {string} series
 * @property {string} sop
 * @property {number} slice
 * @property {Box} box
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

  /** Every level's box on a slice. @param {string} series @param {string} sop */
  on(series, sop) {
    const found = [];
    for (const level of this.levels.values()) {
      const placed = this.of(level.id, series, sop);
      if (placed) found.push({ level, placed });
    }
    return found;
  }

  /** @param {number} levelId @param {string} series @param {string} sop @returns {PlacedBox | null} */
  of(levelId, series, sop) {
    const edited = this.edits.get(levelId)?.get(sop);
    if (edited) return edited;
    const boxes = this.levels.get(levelId)?.boxes ?? [];
    return boxes.find((placed) => placed.series === series && placed.sop === sop) ?? null;
  }

  /** A level's boxes in one series, by slice. @param {number} levelId @param {string} series */
  inSeries(levelId, series) {
    const known = (this.levels.get(levelId)?.boxes ?? []).filter((placed) => placed.series === series);
    const bySop = new Map(known.map((placed) => [placed.sop, placed]));
    for (const placed of this.changed(levelId)) if (placed.series === series) bySop.set(placed.sop, placed);
    return [...bySop.values()].sort((a, b) => a.slice - b.slice);
  }

  /** @param {number} levelId @param {PlacedBox} placed */
  change(levelId, placed) {
    const edits = this.edits.get(levelId) ?? new Map();
    edits.set(placed.sop, placed);
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
