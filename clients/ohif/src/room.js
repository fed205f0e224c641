// The reading room: which level is read, what the reader has entered, and the way to the server.

import { Connection } from './connection.js';
import { Dispatch } from './dispatch.js';
import { Drafts, emptyDraft } from './drafts.js';
import { draftOf, missing } from './form.js';
import { ReadingClock } from './reading-clock.js';
import { Seat } from './seat.js';
import { call, ServerError } from './server.js';

/**
 * @typedef {object} State
 * @property {'starting' | 'opening' | 'reading' | 'sending' | 'waiting' | 'done' | 'failed'} phase
 *   `waiting`: nothing is left to do here, and the next level comes when the server can be reached
 * @property {any} me @property {any} task @property {import('./drafts.js').Draft} draft @property {any} progress
 * @property {{kind: 'told' | 'warning' | 'error', text: string} | null} message
 * @property {'online' | 'offline' | 'signed out' | 'outdated'} connection
 * @property {number} waiting reads in the outbox
 * @property {import('./outbox.js').Posting[]} refused reads that the server did not take
 * @property {string[]} notes about this level
 * @property {string | null} menu what is open: 'skip', 'draw', 'name-drawn', 'remove', 'similar'
 * @property {any} menuData
 * @property {{level_id: number, name: string} | null} removed the level that Undo brings back: nothing was read since
 * @property {boolean} heat @property {boolean} boxesHidden @property {string | null} third series in the right picture
 */

const FULL = 'The storage of this browser is full.';

export class Room {
  constructor() {
    /** @type {State} */
    this.state = {
      phase: 'starting', me: null, task: null, draft: emptyDraft(), progress: null, message: null, connection: 'online',
      waiting: 0, refused: [], notes: [], menu: null, menuData: null, removed: null, heat: false, boxesHidden: false, third: null,
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
    this.dispatch = new Dispatch(this, localStorage, me.id);
    this.set({ me });
    await this.dispatch.flush();
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
    this.set({ phase: 'done', task: null, menu: null, heat: false });
    this.say([...this.toldFirst(), message].join(' '));
    return null;
  }

  /** The pictures are there: the reader can begin. */
  begin() {
    this.clock.lap();
    this.set({ phase: 'reading' });
  }

  /** What is told before the words that come with a level or with the end of the list. */
  toldFirst() {
    const { removed } = this.state;
    const notes = this.dispatch?.notes.splice(0) ?? [];
    return removed ? [`${removed.name} is removed: it was not a vertebra. Undo brings it back.`, ...notes] : notes;
  }

  /** Undo is for something else from now on: the removal is final, and what was typed of the level is of no use. */
  forgetRemoved() {
    const { removed, task } = this.state;
    if (removed && removed.level_id !== task?.level_id) this.drafts?.drop(removed.level_id);
    this.set({ removed: null });
  }

  /** A level is now this reader's: what was typed before comes back. @param {any} task */
  accept(task) {
    const own = task.mode === 'adjudication' ? null : task.reads.at(-1);
    const refused = this.dispatch?.refusedOf(task.level_id);
    const kept = this.drafts?.load(task.level_id) ?? (refused ? { ...draftOf(refused.body), seconds: refused.body.seconds } : null);
    const told = this.toldFirst();
    if (refused) told.push(`${refused.label}: ${refused.why}`);
    if (this.dispatch) this.dispatch.posted = null;
    const draft = task.draft ? draftOf(task.draft) : kept ?? (own ? { ...draftOf(own), box: null, boxes: [] } : emptyDraft());
    this.seat?.hold(task, (error) => this.leaseLost(error));
    this.set({
      phase: 'opening', task, draft, progress: task.progress, notes: task.notes,
      message: told.length ? { kind: refused ? 'error' : 'told', text: told.join(' ') } : null, menu: null, menuData: null, heat: false, third: null,
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
    if (!this.drafts.save(task.level_id, draft)) this.say(`${FULL} What you enter is kept only while this page is open.`, 'warning');
  }

  async submit() {
    const { task, phase } = this.state;
    if (phase === 'done' || phase === 'failed') return this.next();
    if (phase !== 'reading' || !task || !this.dispatch) return;
    const lacking = missing(this.state.draft) ?? this.faultOf(task);
    if (lacking) return this.say(lacking, 'warning');
    performance.mark('reading:next-start');
    this.keepDraft();
    if (!this.dispatch.post(task)) return this.say(`${FULL} ${task.name} is not submitted, and what you entered stays here: ask for space to be made, and submit again.`, 'error');
    this.set({ phase: 'sending', message: null, menu: null, heat: false });
    this.forgetRemoved();
    await this.dispatch.flush();
    // A refused read has put the reader back to work; one on its way waits for the connection.
    if (this.state.phase === 'sending') {
      if (this.dispatch.underway) this.set({ phase: 'waiting' });
      else await this.next();
    }
  }

  /** The next level of the list. */
  async next() {
    if (!this.seat) return;
    const { list, tab } = this.seat;
    try {
      await this.show(await call('POST', '/next', { list, tab }));
    } catch (error) {
      // The level before is answered: nothing is left on the screen that could be answered again.
      const unreachable = error instanceof ServerError && error.unreachable;
      this.set(unreachable ? { phase: 'waiting' } : { phase: 'failed', task: null, menu: null, heat: false });
      this.complain(error);
    }
  }

  /** A level as it is now, with what was entered and why it was not taken. @param {number} levelId */
  async reopen(levelId) {
    if (!this.seat) return;
    const { list, tab } = this.seat;
    this.set({ phase: 'opening' });
    try {
      await this.show(await call('POST', '/next', { list, tab, level_id: levelId }));
    } catch (error) {
      const unreachable = error instanceof ServerError && error.unreachable;
      // With no level on the screen to go on with, the next one comes when the server is back.
      const phase = this.state.task ? 'reading' : 'waiting';
      this.set(unreachable ? { phase } : { phase: 'failed', task: null });
      this.complain(error);
    }
  }

  /** A read that the server did not take, to look at and to submit again. @param {import('./outbox.js').Posting} posting */
  async openRefused({ list, body: { level_id } }) {
    if (!this.seat || !['reading', 'done', 'failed'].includes(this.state.phase)) return;
    this.keepDraft();
    try {
      await this.show(await call('POST', '/next', { list, tab: this.seat.tab, level_id }));
    } catch (error) {
      this.complain(error);
    }
  }

  /** @param {any} task */
  async show(task) {
    performance.mark('reading:selection');
    if (task.done) return void this.finish(task.message);
    this.accept(task);
    await this.present(task);
  }

  async undo() {
    if (!this.seat || this.state.phase === 'sending') return;
    if (this.state.phase === 'waiting' && this.dispatch?.takeBack()) return this.set({ phase: 'reading', message: null });
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
    const { task, draft, phase } = this.state;
    if (!task || !this.seat || (phase !== 'reading' && phase !== 'opening')) return;
    this.set({ phase: 'sending', menu: null });
    this.forgetRemoved();
    performance.mark('reading:next-start');
    try {
      const answer = await call('POST', '/skips', { level_id: task.level_id, tab: this.seat.tab, reason, note: draft.note.trim() });
      this.drafts?.drop(task.level_id);
      this.dispatch?.settle(task.level_id);
      this.set({ progress: answer.progress });
    } catch (error) {
      this.set({ phase: 'reading' });
      return this.complain(error);
    }
    await this.next();
  }
}
