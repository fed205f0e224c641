// Submitted reads that the server has not acknowledged yet. Each carries a token that the server
// takes only once, so that sending again after a lost answer makes no second read.

const PREFIX = 'spine-reading:outbox:';

/**
 * @typedef {object} Posting
 * @property {string} token
 * @property {number} at ms
 * @property {string} label what it is of, for the reader: "L3"
 * @property {object} body as POST /review/reads takes it
 */

/** @param {Crypto} [source] */
export function newToken(source = globalThis.crypto) {
  const bytes = source.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Reads of one user on their way to the server, oldest first. */
export class Outbox {
  /** @param {Storage} store @param {string} user */
  constructor(store, user) {
    this.store = store;
    this.prefix = `${PREFIX}${user}:`;
    this.sending = false;
  }

  /** @returns {Posting[]} */
  waiting() {
    const postings = [];
    for (let index = 0; index < this.store.length; index += 1) {
      const key = this.store.key(index);
      if (!key?.startsWith(this.prefix)) continue;
      try {
        postings.push(JSON.parse(this.store.getItem(key) ?? ''));
      } catch {
        // a posting cut short was never submitted
      }
    }
    return postings.sort((a, b) => a.at - b.at);
  }

  /** @param {Posting} posting */
  put(posting) {
    this.store.setItem(this.prefix + posting.token, JSON.stringify(posting));
  }

  /** @param {string} token */
  remove(token) {
    this.store.removeItem(this.prefix + token);
  }

  /**
   * Send what waits, oldest first, until one cannot be sent now. A posting that the server refuses for
   * good is taken out and handed to `refused`, so that it blocks nothing and is not lost unseen.
   * @param {(body: object) => Promise<any>} send rejects with `later: true` where trying again may help
   * @param {{sent: (posting: Posting, answer: any) => void, refused: (posting: Posting, error: Error) => void}} told
   * @returns {Promise<boolean>} whether nothing waits any more
   */
  async flush(send, told) {
    if (this.sending) return false;
    this.sending = true;
    try {
      for (const posting of this.waiting()) {
        try {
          const answer = await send(posting.body);
          this.remove(posting.token);
          told.sent(posting, answer);
        } catch (error) {
          if (/** @type {any} */ (error).later) return false;
          this.remove(posting.token);
          told.refused(posting, /** @type {Error} */ (error));
        }
      }
      return true;
    } finally {
      this.sending = false;
    }
  }
}
