// Submitted reads that the server has not acknowledged yet. Each carries a token that the server
// takes only once, so that sending again after a lost answer makes no second read.

const WAITING = 'spine-reading:outbox:';
const REFUSED = 'spine-reading:refused:';

/**
 * @typedef {object} Posting
 * @property {string} token
 * @property {number} at ms
 * @property {string} label what it is of, for the reader: "L3"
 * @property {string} list the work list it was read from
 * @property {ReturnType<typeof import('./form.js').bodyOf>} body as POST /review/reads takes it
 * @property {string} [why] the server's words, where it refused it
 */

/** @param {Crypto} [source] */
export function newToken(source = globalThis.crypto) {
  const bytes = source.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Reads of one user on their way to the server, and those that it refused, until the reader has dealt with them. */
export class Outbox {
  /** @param {Storage} store @param {string} user */
  constructor(store, user) {
    this.store = store;
    this.prefix = `${WAITING}${user}:`;
    this.refusedPrefix = `${REFUSED}${user}:`;
    /** @type {Promise<boolean> | null} */
    this.running = null;
  }

  /** Oldest first. @returns {Posting[]} */
  waiting() {
    return this.all(this.prefix);
  }

  /** Refused for good, oldest first. @returns {Posting[]} */
  refused() {
    return this.all(this.refusedPrefix);
  }

  /** @param {string} prefix @returns {Posting[]} */
  all(prefix) {
    const postings = [];
    for (let index = 0; index < this.store.length; index += 1) {
      const key = this.store.key(index);
      if (!key?.startsWith(prefix)) continue;
      try {
        postings.push(JSON.parse(this.store.getItem(key) ?? ''));
      } catch {
        // a posting cut short was never submitted
      }
    }
    return postings.sort((a, b) => a.at - b.at);
  }

  /** @param {Posting} posting @returns {boolean} false where the browser's store is full */
  put(posting) {
    return this.write(this.prefix, posting);
  }

  /** @param {string} prefix @param {Posting} posting */
  write(prefix, posting) {
    try {
      this.store.setItem(prefix + posting.token, JSON.stringify(posting));
      return true;
    } catch {
      return false;
    }
  }

  /** @param {string} token */
  remove(token) {
    this.store.removeItem(this.prefix + token);
  }

  /** A refused read is of no use any more. @param {string} token */
  dismiss(token) {
    this.store.removeItem(this.refusedPrefix + token);
  }

  /** The level was answered after all. @param {number} levelId */
  settle(levelId) {
    for (const { token, body } of this.refused()) if (body.level_id === levelId) this.dismiss(token);
  }

  /**
   * Send what waits, oldest first, until one cannot be sent now. A posting that the server refuses for
   * good is put aside and handed to `refused`, so that it blocks nothing and is not lost. Who asks
   * while it is being done waits for the same end.
   * @param {(body: Posting['body']) => Promise<any>} send rejects with `later: true` where trying again may help
   * @param {{sent: (posting: Posting, answer: any) => void, refused: (posting: Posting, error: Error) => void}} told
   * @returns {Promise<boolean>} whether nothing waits any more
   */
  flush(send, told) {
    this.running ??= Promise.resolve().then(async () => {
      try {
        return await this.sendAll(send, told);
      } finally {
        this.running = null;
      }
    });
    return this.running;
  }

  /** @type {Outbox['flush']} */
  async sendAll(send, told) {
    // Looked up anew each time: one may have been taken back, or have come, while another was sent.
    for (let [posting] = this.waiting(); posting; [posting] = this.waiting()) {
      let answer;
      try {
        answer = await send(posting.body);
      } catch (error) {
        const { later, message } = /** @type {any} */ (error);
        if (later) return false;
        const takenBack = !this.waiting().some(({ token }) => token === posting.token);
        // In a full store it stays where it is, to be refused once more, rather than be lost.
        const kept = takenBack || this.write(this.refusedPrefix, { ...posting, why: message });
        if (kept) this.remove(posting.token);
        told.refused(posting, /** @type {Error} */ (error));
        if (!kept) return false;
        continue;
      }
      this.remove(posting.token);
      told.sent(posting, answer);
    }
    return true;
  }
}
