// Submitted reads on their way to the server, and what its answers mean for the level being read.

import { bodyOf } from './form.js';
import { newToken, Outbox } from './outbox.js';
import { call } from './server.js';

/** @typedef {import('./outbox.js').Posting} Posting */

export class Dispatch {
  /** @param {import('./room.js').Room} room @param {Storage} store @param {string} user */
  constructor(room, store, user) {
    this.room = room;
    this.outbox = new Outbox(store, user);
    /** The submitted read of the level on the screen. @type {string | null} */
    this.posted = null;
    /** What the server said of reads, to be told with the next level. @type {string[]} */
    this.notes = [];
  }

  /** Put the read of the level on the screen on its way. @param {any} task @returns {boolean} false where the browser's store is full */
  post(task) {
    const { tab, list } = /** @type {import('./seat.js').Seat} */ (this.room.seat);
    const token = newToken();
    const body = bodyOf(this.room.state.draft, task, tab, token);
    const kept = this.outbox.put({ token, at: Date.now(), label: task.name, list, body });
    if (!kept) return false;
    this.posted = token;
    this.settle(task.level_id); // an earlier try of the same read, which this one follows
    return true;
  }

  /** Whether the read of the level on the screen has not been taken by the server yet. */
  get underway() {
    return this.outbox.waiting().some(({ token }) => token === this.posted);
  }

  /** Take back the read of the level on the screen before the server has it. @returns {boolean} whether there was one */
  takeBack() {
    if (!this.posted || !this.underway) return false;
    this.outbox.remove(this.posted);
    this.posted = null;
    this.count();
    return true;
  }

  /** Send what waits. @returns {Promise<boolean>} whether nothing waits */
  async flush() {
    const { connection } = this.room;
    let reached = true;
    const send = async (/** @type {object} */ body) => {
      try {
        return await call('POST', '/reads', body);
      } catch (error) {
        reached = false;
        connection?.heard(error);
        throw error;
      }
    };
    const empty = await this.outbox.flush(send, {
      sent: (posting, answer) => this.sent(posting, answer),
      refused: (posting, error) => this.refused(posting, error),
    });
    if (reached) connection?.reached();
    this.count();
    return empty;
  }

  count() {
    this.room.set({ waiting: this.outbox.waiting().length, refused: this.outbox.refused() });
  }

  /** @param {Posting} posting @param {any} answer */
  sent({ token, label, body: { level_id } }, { progress, notes }) {
    const { task, phase } = this.room.state;
    this.outbox.settle(level_id);
    if (task?.level_id === level_id && token !== this.posted) {
      // Taken back while it was on its way: what has been typed since then is newer.
      if (phase === 'reading') this.room.say('An earlier read of this level has reached the server: submit again to replace it.', 'warning');
    } else {
      this.room.drafts?.drop(level_id);
      this.room.seat?.doneWith(level_id);
      this.notes.push(...notes.map((/** @type {string} */ note) => (token === this.posted ? note : `${label}: ${note}`)));
    }
    this.room.set({ progress });
  }

  /** @param {Posting} posting @param {Error} error */
  refused({ token, label, body: { level_id } }, error) {
    if (token !== this.posted) return; // of another level: the panel lists it
    this.posted = null;
    this.room.say(`${label}: ${error.message}`, 'error');
    // A level that was changed meanwhile comes again as it is now, or each try would be refused for the same reason.
    if (/** @type {any} */ (error).status === 409) void this.room.reopen(level_id);
    else this.room.set({ phase: 'reading' });
  }

  /** @param {string} token */
  dismiss(token) {
    this.outbox.dismiss(token);
    this.count();
  }

  /** The level was answered, or is not to be. @param {number} levelId */
  settle(levelId) {
    this.outbox.settle(levelId);
    this.count();
  }

  /** The last read of a level that was refused. @param {number} levelId */
  refusedOf(levelId) {
    return this.outbox.refused().findLast(({ body }) => body.level_id === levelId) ?? null;
  }
}
