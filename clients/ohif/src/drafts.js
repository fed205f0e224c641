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

  /** @param {number | ''} levelId */
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

  /**
   * In a full store this reader's older drafts give way, oldest first, and no more of them than needed.
   * @param {number} levelId @param {Draft} draft @returns {boolean} whether it is kept
   */
  save(levelId, draft) {
    if (isEmpty(draft)) {
      this.drop(levelId);
      return true;
    }
    const text = JSON.stringify({ saved: this.clock(), draft });
    const own = this.key(levelId);
    const older = this.keys(this.key('')).filter((key) => key !== own).sort((a, b) => this.savedAt(a) - this.savedAt(b));
    for (;;) {
      try {
        this.store.setItem(own, text);
        return true;
      } catch {
        const oldest = older.shift();
        if (oldest === undefined) return false;
        this.store.removeItem(oldest);
      }
    }
  }

  /** @param {number} levelId */
  drop(levelId) {
    this.store.removeItem(this.key(levelId));
  }

  /** Drafts older than this are of no use to anybody. @param {number} [days] */
  sweep(days = KEPT_DAYS) {
    for (const key of this.keys(PREFIX)) {
      if (this.clock() - this.savedAt(key) >= days * 86_400_000) this.store.removeItem(key);
    }
  }

  /** @param {string} prefix @returns {string[]} */
  keys(prefix) {
    const keys = Array.from({ length: this.store.length }, (_, index) => this.store.key(index) ?? '');
    return keys.filter((key) => key.startsWith(prefix));
  }

  /** @param {string} key @returns {number} ms; 0 where it cannot be read, so that it goes first */
  savedAt(key) {
    try {
      return JSON.parse(this.store.getItem(key) ?? '{}').saved ?? 0;
    } catch {
      return 0;
    }
  }
}
