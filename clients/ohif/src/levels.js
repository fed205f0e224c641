// Levels drawn, removed and renamed by the reader.

import { named } from './form.js';
import { middle } from './geometry.js';
import { indexOf, seriesHere } from './series.js';
import { call } from './server.js';
import { suggestedName } from './suggest.js';

/** @typedef {import('./room.js').Room} Room */
/** @typedef {import('./desk.js').Desk} Desk */

export class LevelEditing {
  /** @param {Room} room @param {Desk} desk */
  constructor(room, desk) {
    this.room = room;
    this.desk = desk;
  }

  get ready() {
    return this.room.state.phase === 'reading' && this.room.state.task;
  }

  draw() {
    if (!this.ready) return;
    const drawing = this.room.state.menu === 'draw';
    this.desk.pictures.drawing(!drawing);
    this.room.set({ menu: drawing ? null : 'draw', message: null });
  }

  cancel() {
    this.desk.pictures.drawing(false);
    this.room.set({ menu: null, menuData: null });
  }

  /** Names in the order in which the drawn box makes them likely. @returns {string | null} */
  suggestion() {
    const { task, menuData } = this.room.state;
    const series = menuData && seriesHere(menuData.series);
    if (!task || !series) return null;
    const heightOf = (/** @type {import('./boxes.js').PlacedBox} */ placed) => {
      const slice = series.slices[Math.max(indexOf(series, placed.sop, placed.slice), 0)];
      return -middle(slice.plane, placed.box)[2]; // patient's z grows towards the head
    };
    const present = [...this.desk.boxes.levels.values()].flatMap((level) => {
      const [one] = this.desk.boxes.inSeries(level.id, series.uid);
      return one ? [{ name: level.name, height: heightOf(one) }] : [];
    });
    return suggestedName(present, heightOf(menuData), task.names);
  }

  /** @param {string} name */
  async add(name) {
    const { task, menuData } = this.room.state;
    if (!this.ready || !menuData) return;
    const { series, sop, slice, box } = menuData;
    const body = { study: task.study, name, series, sop, slice, box, tab: this.room.seat?.tab };
    await this.ask('/levels', body, `${name} is added. It comes up for reading like the others.`);
  }

  remove() {
    if (!this.ready) return;
    this.room.set({ menu: this.room.state.menu === 'remove' ? null : 'remove', message: null });
  }

  async removeNow() {
    const { task } = this.room.state;
    if (!this.ready || !task) return;
    const error = await this.ask(`/levels/${task.level_id}/remove`, { tab: this.room.seat?.tab }, '');
    if (error) return;
    // Before the next level is there: nothing more is read of this one, and Undo is for it, not for the read before it.
    this.room.forgetRemoved();
    this.room.set({ phase: 'sending', removed: { level_id: task.level_id, name: task.name } });
    this.room.say(`${task.name} is removed.`); // what comes next says that Undo brings it back
    this.room.dispatch?.settle(task.level_id);
    this.room.seat?.forgetLevel();
    await this.room.next();
  }

  /** Take the last removal back, and read the level after all. */
  async bringBack() {
    const { removed, phase } = this.room.state;
    if (!removed || phase === 'sending' || phase === 'waiting') return;
    try {
      await this.room.alone(() => call('POST', `/levels/${removed.level_id}/restore`, { tab: this.room.seat?.tab }));
    } catch (error) {
      this.room.complain(error);
      // What was refused would be refused again: Undo is for the last read once more.
      if (!(/** @type {any} */ (error).later)) this.room.forgetRemoved();
      return;
    }
    this.room.set({ removed: null });
    await this.room.reopen(removed.level_id);
    // True also where only the connection keeps it away; where it cannot be opened the server has said why.
    if (this.room.state.phase !== 'failed') this.room.say(`${removed.name} is part of the study again.`);
  }

  /** @param {1 | -1} by 1: everything one up, so that L2 becomes L1 */
  async shift(by) {
    const { task } = this.room.state;
    if (!this.ready || !task) return;
    const { level_id, level_version } = task;
    const direction = by === 1 ? 'up' : 'down';
    const body = { by, tab: this.room.seat?.tab, level_id, level_version };
    const error = await this.ask(`/studies/${encodeURIComponent(task.study)}/shift`, body, `All names are moved one ${direction}. Shift and the other arrow takes it back.`);
    if (error?.status !== 409 || error.later) return;
    // The names are others than the page knows, perhaps by a shift of its own whose answer was lost.
    await this.room.reopen(level_id);
    if (this.room.state.phase !== 'failed') this.room.say(error.message, 'error');
  }

  /** @param {string} path @param {object} body @param {string} told @returns {Promise<any>} why it was not done, or null */
  async ask(path, body, told) {
    try {
      const { levels } = await this.room.alone(() => call('POST', path, body));
      this.room.set({ phase: 'reading', menu: null, menuData: null });
      this.take(levels);
      if (told) this.room.say(told);
      return null;
    } catch (error) {
      this.room.complain(error);
      if (/** @type {any} */ (error).unreachable) this.room.say('The server cannot be reached: this may have been saved or not. Try again when the connection is back.', 'error');
      return error;
    }
  }

  /** @param {import('./boxes.js').Level[]} levels */
  take(levels) {
    const { task, draft } = this.room.state;
    this.desk.boxes.replace(levels);
    const own = levels.find((level) => level.id === task?.level_id);
    if (task && own) {
      this.room.set({ task: { ...task, name: own.name, level_version: own.version, levels }, draft: named(draft, own.name) });
      this.room.keepDraft();
    }
    this.desk.annotations.refresh();
  }
}
