// The reading room: which level is read, what the reader has entered, and the way to the server.

import { Connection } from './connection.js';
import { Dispatch } from './dispatch.js';
import { Drafts, emptyDraft } from './drafts.js';
import { draftOf, missing, named, opening } from './form.js';
import { ReadingClock } from './reading-clock.js';
import { Seat } from './seat.js';
import { call, callAs, ServerError } from './server.js';

/**
 * @typedef {object} State
 * @property {'starting' | 'opening' | 'reading' | 'sending' | 'waiting' | 'done' | 'failed'} phase
 *   `sending`: the server is asked for a change, and nothing else is done meanwhile
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
    /** @type {(task: any) => boolean} whether a level's pictures could be shown; set by the reading desk */
    this.hasPictures = () => true;
    /** @type {(task: any) => any} */
    this.faultOf = () => null;
    this.clock = new ReadingClock();
    /** Whether the reader has left: nobody sees what comes from now on. */
    this.stopped = false;
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
    callAs(me.id);
    this.drafts = new Drafts(localStorage, me.id);
    this.drafts.sweep();
    this.dispatch = new Dispatch(this, localStorage, me.id);
    this.set({ me });
    await this.dispatch.flush();
    if (this.stopped) return null;
    const { list, tab } = this.seat;
    const level_id = this.seat.levelOf(study);
    const wanted = level_id === null ? [{ list, tab, study }] : [{ list, tab, level_id }, { list, tab, study }];
    for (const body of wanted) {
      try {
        const task = await this.connection.untilReached(() => call('POST', '/next', body));
        return this.take(task);
      } catch (error) {
        this.complain(error);
      }
    }
    this.set({ phase: 'failed' });
    return null;
  }

  stop() {
    this.stopped = true;
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

  /** The pictures are there: the reader can begin, unless they have asked for something else meanwhile. */
  begin() {
    if (this.state.phase !== 'opening') return;
    this.clock.lap();
    this.set({ phase: 'reading' });
  }

  /** The pictures of the level on the screen once more, where they could not be fetched. */
  async presentAgain() {
    const { task, phase } = this.state;
    if (phase !== 'reading' || !task || this.hasPictures(task)) return;
    this.set({ phase: 'opening', message: null });
    await this.present(task);
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

  /**
   * What the server gives is before the reader now, or goes back where they have left.
   * @param {any} task a level, or that there is none @returns {any | null} the level, or null
   */
  take(task) {
    if (this.stopped) {
      if (!task.done) this.draftFor(task);
      this.seat?.giveBack();
      return null;
    }
    return task.done ? this.finish(task.message) : this.accept(task);
  }

  /** What the form of a level opens with. @param {any} task @returns {import('./drafts.js').Draft} */
  draftFor(task) {
    const own = task.mode === 'adjudication' ? null : task.reads.at(-1);
    const refused = this.dispatch?.refusedOf(task.level_id);
    const read = task.draft ?? own;
    const before = refused ? { ...draftOf(refused.body), seconds: refused.body.seconds } : read ? draftOf(read) : null;
    const draft = named(opening(this.drafts?.load(task.level_id) ?? null, before), task.name);
    // A read that was taken back is in no other form any more, and the page may be reloaded before a key is pressed.
    if (task.draft) this.drafts?.save(task.level_id, draft);
    return draft;
  }

  /** A level is now this reader's: what was typed before comes back. @param {any} task */
  accept(task) {
    const refused = this.dispatch?.refusedOf(task.level_id);
    const told = this.toldFirst();
    if (refused) told.push(`${refused.label}: ${refused.why}`);
    if (this.dispatch) this.dispatch.posted = null;
    const draft = this.draftFor(task);
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
    const { task, draft, phase } = this.state;
    if (phase !== 'reading' && phase !== 'opening') return;
    this.set({ draft: named({ ...draft, ...change }, task?.name), message: null });
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
    // A refused read is no longer the one posted, and is the reader's again; one on its way waits for the connection.
    if (this.state.phase !== 'sending' || !this.dispatch.posted) return;
    if (this.dispatch.underway) this.set({ phase: 'waiting' });
    else await this.next();
  }

  /**
   * Ask the server for a change, and do nothing else until it answers: a key pressed twice is no second wish.
   * @template T @param {() => Promise<T>} ask @returns {Promise<T>} rejects with the reader where they were
   */
  async alone(ask) {
    this.keepDraft();
    const { phase, task } = this.state;
    this.set({ phase: 'sending' });
    try {
      return await ask();
    } catch (error) {
      this.set({ phase });
      // What came meanwhile has found the room busy, and comes once more.
      if (phase === 'opening') void this.present(task);
      if (phase === 'waiting') void this.connection?.retry();
      throw error;
    }
  }

  /** The next level of the list. */
  async next() {
    if (!this.seat || this.stopped) return;
    const { list, tab } = this.seat;
    this.set({ phase: 'sending' });
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
    this.set({ phase: 'sending' });
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
    const { seat } = this;
    if (!seat || !['reading', 'done', 'failed'].includes(this.state.phase)) return;
    try {
      await this.show(await this.alone(() => call('POST', '/next', { list, tab: seat.tab, level_id })));
    } catch (error) {
      this.complain(error);
    }
  }

  /** @param {any} task */
  async show(task) {
    performance.mark('reading:selection');
    const taken = this.take(task);
    if (taken) await this.present(taken);
  }

  async undo() {
    const { seat } = this;
    const { task, phase } = this.state;
    if (!seat || phase === 'sending' || phase === 'starting') return;
    if (phase === 'waiting' && this.dispatch?.takeBack()) return this.set({ phase: 'reading', message: null });
    // By it the server knows an undo whose answer was lost. What waits is answered, and so lies before nobody.
    const level_id = phase === 'waiting' ? null : task?.level_id ?? null;
    try {
      await this.show(await this.alone(() => call('POST', '/undo', { tab: seat.tab, level_id })));
      this.say('Your last read is taken back: change it and submit it again.');
    } catch (error) {
      this.complain(error);
      if (error instanceof ServerError && error.unreachable) this.say('The server cannot be reached: your last read may be taken back or not. Undo again when the connection is back.', 'error');
    }
  }

  /** @param {string} reason */
  async skip(reason) {
    const { seat } = this;
    const { task, draft, phase } = this.state;
    if (!task || !seat || (phase !== 'reading' && phase !== 'opening')) return;
    this.set({ menu: null });
    this.forgetRemoved();
    performance.mark('reading:next-start');
    try {
      const answer = await this.alone(() => call('POST', '/skips', { level_id: task.level_id, tab: seat.tab, reason, note: draft.note.trim() }));
      this.drafts?.drop(task.level_id);
      this.dispatch?.settle(task.level_id);
      this.set({ progress: answer.progress });
    } catch (error) {
      return this.complain(error);
    }
    await this.next();
  }
}
