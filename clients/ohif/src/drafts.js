// What a reader has typed but not submitted, by user and level, in the browser's own store.

/**
 * @typedef {object} Draft
 * @property {string | null} diagnosis
 * @property {string[]} features
 * @property {number | null} confidence
 * @property {string} basis
 * @property {string} note
 * @property {string | null} name another name for the level, or null
 * @property {import('./boxes.js').PlacedBox | null} box the box last moved by hand
 * @property {import('./boxes.js').PlacedBox[]} boxes every box that differs from the server's
 * @property {number} seconds read so far
 */

const PREFIX = 'spine-reading:draft:';
const KEPT_DAYS = 60;

/** @returns {Draft} */
export const emptyDraft = () => ({
  diagnosis: null, features: [], confidence: null, basis: 'imaging', note: '', name: null, box: null, boxes: [], seconds: 0,
});

/** @param {Draft} draft whether there is nothing in it worth keeping */
export const isEmpty = (draft) =>
  !draft.diagnosis && !draft.features.length && !draft.confidence && draft.basis === 'imaging' &&
  !draft.note && !draft.name && !draft.boxes.length;

/** Drafts of one user. */
export class Drafts {
  /** @param {Storage} store @param {string} user @param {() => number} [clock] ms */
  constructor(store, user, clock = Date.now) {
    this.store = store;
    this.user = user;
    this.clock = clock;
  }

  /** @param {number} levelId */
  key(levelId) {
    return `${PREFIX}${this.user}:${levelId}`;
  }

  /** @param {number} levelId @returns {Draft | null} */
  load(levelId) {
    try {
      const text = this.store.getItem(this.key(levelId));
      return text ? { ...emptyDraft(), ...JSON.parse(text).draft } : null;
    } catch {
      return null; // a draft that cannot be read is no draft
    }
  }

  /** @param {number} levelId @param {Draft} draft */
  save(levelId, draft) {
    if (isEmpty(draft)) return this.drop(levelId);
    const text = JSON.stringify({ saved: this.clock(), draft });
    try {
      this.store.setItem(this.key(levelId), text);
    } catch {
      this.sweep(0); // the store is full: older drafts give way to this one
      this.store.setItem(this.key(levelId), text);
    }
  }

  /** @param {number} levelId */
  drop(levelId) {
    this.store.removeItem(this.key(levelId));
  }

  /** Drafts older than this are of no use to anybody. @param {number} [days] */
  sweep(days = KEPT_DAYS) {
    const keys = Array.from({ length: this.store.length }, (_, index) => this.store.key(index));
    for (const key of keys) {
      if (!key?.startsWith(PREFIX)) continue;
      let saved = 0;
      try {
        saved = JSON.parse(this.store.getItem(key) ?? '{}').saved ?? 0;
      } catch {
        // unreadable: goes
      }
      if (this.clock() - saved >= days * 86_400_000) this.store.removeItem(key);
    }
  }
}
