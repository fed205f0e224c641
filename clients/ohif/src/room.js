// The reading room: which level is read, what the reader has entered, and the way to the server.

import { Connection } from './connection.js';
import { Drafts, emptyDraft } from './drafts.js';
import { bodyOf, draftOf, missing } from './form.js';
import { Outbox, newToken } from './outbox.js';
import { ReadingClock } from './reading-clock.js';
import { Seat } from './seat.js';
import { call, ServerError } from './server.js';

/**
 * @typedef {object} State
 * @property {'starting' | 'opening' | 'reading' | 'sending' | 'waiting' | 'done' | 'failed'} phase
 *   `waiting`: submitted, but the server cannot be reached
 * @property {any} me @property {any} task @property {import('./drafts.js').Draft} draft @property {any} progress
 * @property {{kind: 'told' | 'warning' | 'error', text: string} | null} message
 * @property {'online' | 'offline' | 'signed out' | 'outdated'} connection
 * @property {number} waiting reads in the outbox
 * @property {string[]} notes about this level
 * @property {string | null} menu what is open: 'skip', 'draw', 'name-drawn', 'remove', 'similar'
 * @property {any} menuData
 * @property {boolean} heat @property {boolean} boxesHidden @property {string | null} third series in the right picture
 */

export class Room {
  constructor() {
    /** @type {State} */
    this.state = {
      phase: 'starting', me: null, task: null, draft: emptyDraft(), progress: null, message: null, connection: 'online',
      waiting: 0, notes: [], menu: null, menuData: null, heat: false, boxesHidden: false, third: null,
    };
    /** @type {Set<(state: State) => void>} */
    this.listeners = new Set();
    /** @type {(task: any) => Promise<void>} shows a level's pictures; set by the reading desk */
    this.present = async () => {};
    /** @type {(task: any) => any} */
    this.faultOf = () => null;
    this.clock = new ReadingClock();
  }

  /** @param {(state: State) => void} listener */
  subscribe(listener) {
    this.listeners.add(listener);
    listener(this.state);
    return () => this.listeners.delete(listener);
  }

  /** @param {Partial<State>} change */
  set(change) {
    this.state = { ...this.state, ...change };
    for (const listener of this.listeners) listener(this.state);
  }

  /** @param {string} text @param {'told' | 'warning' | 'error'} [kind] */
  say(text, kind = 'told') {
    this.set({ message: { kind, text } });
  }

  /** @param {unknown} error */
  complain(error) {
    if (error instanceof ServerError) this.connection?.heard(error);
    if (!(error instanceof ServerError && error.unreachable)) this.say(/** @type {Error} */ (error).message, 'error');
  }

  /**
   * Take the seat and ask for the first level.
   * @param {URLSearchParams} query @param {string} study @returns {Promise<any | null>} the task, or null
   */
  async start(query, study) {
    this.seat = new Seat(query);
    this.connection = new Connection(this);
    const me = await this.connection.untilReached(() => call('GET', '/me'));
    this.drafts = new Drafts(localStorage, me.id);
    this.drafts.sweep();
    this.outbox = new Outbox(localStorage, me.id);
    this.set({ me });
    await this.flush();
    const { list, tab } = this.seat;
    const level_id = this.seat.levelOf(study);
    const wanted = level_id === null ? [{ list, tab, study }] : [{ list, tab, level_id }, { list, tab, study }];
    for (const body of wanted) {
      try {
        const task = await this.connection.untilReached(() => call('POST', '/next', body));
        return task.done ? this.finish(task.message) : this.accept(task);
      } catch (error) {
        this.complain(error);
      }
    }
    this.set({ phase: 'failed' });
    return null;
  }

  stop() {
    this.keepDraft();
    this.clock.stop();
    this.seat?.stop();
    this.connection?.stop();
  }

  /** @param {string} message */
  finish(message) {
    this.seat?.forgetLevel();
    this.set({ phase: 'done', task: null, menu: null, heat: false, message: { kind: 'told', text: message } });
    return null;
  }

  /** The pictures are there: the reader can begin. */
  begin() {
    this.clock.lap();
    this.set({ phase: 'reading' });
  }

  /** A level is now this reader's: what was typed before comes back. @param {any} task */
  accept(task) {
    const own = task.mode === 'adjudication' ? null : task.reads.at(-1);
    const kept = this.drafts?.load(task.level_id);
    const draft = task.draft ? draftOf(task.draft) : kept ?? (own ? { ...draftOf(own), box: null, boxes: [] } : emptyDraft());
    this.seat?.hold(task, (error) => this.leaseLost(error));
    this.set({
      phase: 'opening', task, draft, progress: task.progress, notes: task.notes, message: null,
      menu: null, menuData: null, heat: false, third: null,
    });
    return task;
  }

  /** @param {Error} error */
  leaseLost(error) {
    this.connection?.heard(error);
    if (error instanceof ServerError && !error.later) {
      this.say('This level is no longer held for you and somebody else may read it too. Your read is still taken.', 'warning');
    }
  }

  /** @param {Partial<import('./drafts.js').Draft>} change */
  enter(change) {
    if (this.state.phase !== 'reading' && this.state.phase !== 'opening') return;
    this.set({ draft: { ...this.state.draft, ...change }, message: null });
    this.keepDraft();
  }

  keepDraft() {
    const { task, phase } = this.state;
    if (!task || !this.drafts || (phase !== 'reading' && phase !== 'opening')) return;
    const draft = { ...this.state.draft, seconds: this.state.draft.seconds + this.clock.lap() };
    this.state = { ...this.state, draft };
    this.drafts.save(task.level_id, draft);
  }

  async submit() {
    const { task, phase } = this.state;
    if (phase === 'done' || phase === 'failed') return this.next();
    if (phase !== 'reading' || !task || !this.outbox || !this.seat) return;
    const lacking = missing(this.state.draft) ?? this.faultOf(task);
    if (lacking) return this.say(lacking, 'warning');
    performance.mark('reading:next-start');
    this.keepDraft();
    const token = newToken();
    this.outbox.put({ token, at: Date.now(), label: task.name, body: bodyOf(this.state.draft, task, this.seat.tab, token) });
    this.set({ phase: 'sending', message: null, menu: null, heat: false });
    await this.flush();
    // Refused reads have put the reader back to work; those on their way wait for the connection.
    if (this.state.phase === 'sending') {
      if (this.outbox.waiting().length) this.set({ phase: 'waiting' });
      else await this.next();
    }
  }

  /** Send what waits. @returns {Promise<boolean>} whether nothing waits */
  async flush() {
    if (!this.outbox) return true;
    let reached = true;
    const send = async (/** @type {object} */ body) => {
      try {
        return await call('POST', '/reads', body);
      } catch (error) {
        reached = false;
        this.connection?.heard(error);
        throw error;
      }
    };
    const empty = await this.outbox.flush(send, {
      sent: ({ body }, answer) => {
        this.drafts?.drop(/** @type {any} */ (body).level_id);
        this.seat?.forgetLevel();
        this.told = answer.notes;
        this.set({ progress: answer.progress });
      },
      refused: ({ label }, error) => {
        this.say(`${label}: ${error.message}`, 'error');
        if (this.state.phase === 'sending' || this.state.phase === 'waiting') this.set({ phase: 'reading' });
      },
    });
    if (reached) this.connection?.reached();
    this.set({ waiting: this.outbox.waiting().length });
    return empty;
  }

  /** The next level of the list, or one asked for. @param {number} [levelId] */
  async next(levelId) {
    if (!this.seat) return;
    const { list, tab } = this.seat;
    try {
      await this.show(await call('POST', '/next', levelId ? { list, tab, level_id: levelId } : { list, tab }));
    } catch (error) {
      this.complain(error);
      const unreachable = error instanceof ServerError && error.unreachable;
      this.set({ phase: unreachable ? 'waiting' : this.state.task ? 'reading' : 'failed' });
    }
  }

  /** @param {any} task */
  async show(task) {
    performance.mark('reading:selection');
    if (task.done) return void this.finish(task.message);
    const told = this.told?.splice(0) ?? [];
    this.accept(task);
    if (told.length) this.say(told.join(' '));
    await this.present(task);
  }

  async undo() {
    if (!this.seat || !this.outbox || this.state.phase === 'sending') return;
    const own = this.outbox.waiting().at(-1);
    if (this.state.phase === 'waiting' && own) {
      this.outbox.remove(own.token);
      return this.set({ phase: 'reading', waiting: this.outbox.waiting().length, message: null });
    }
    this.keepDraft();
    try {
      await this.show(await call('POST', '/undo', { tab: this.seat.tab }));
      this.say('Your last read is taken back: change it and submit it again.');
    } catch (error) {
      this.complain(error);
    }
  }

  /** @param {string} reason */
  async skip(reason) {
    const { task, draft } = this.state;
    if (!task || !this.seat || this.state.phase === 'sending') return;
    this.set({ phase: 'sending', menu: null });
    performance.mark('reading:next-start');
    try {
      const answer = await call('POST', '/skips', { level_id: task.level_id, tab: this.seat.tab, reason, note: draft.note.trim() });
      this.drafts?.drop(task.level_id);
      this.set({ progress: answer.progress });
    } catch (error) {
      this.set({ phase: 'reading' });
      return this.complain(error);
    }
    await this.next();
  }
}
