// Every key of the reading room, wherever the focus is.

import { draftOf, tick } from './form.js';
import { actionOf, featureKey, isTyping } from './keys.js';
import { LevelEditing } from './levels.js';
import { SimilarLevels } from './similar.js';
import { PANEL_TAG } from './tag.js';
import { BASES, CLASSES, CONFIDENCES, FEATURES, SKIP_REASONS } from './words.js';

/** What can be done, and its key. The panel prints the key on the button. */
export const KEYS = {
  submit: 'Enter', undo: 'U', skip: 'K', draw: 'N', remove: 'X', up: 'Shift+↑', down: 'Shift+↓', third: 'S', boxes: 'D',
  heat: 'H', similar: 'M', note: 'C', name: 'L', basis: 'B', recentre: 'Space', reset: 'Z', cancel: 'Esc',
  sliceUp: '↑', sliceDown: '↓', closer: '+', farther: '-',
};

export class Keyboard {
  /** @param {import('./room.js').Room} room @param {import('./desk.js').Desk} desk */
  constructor(room, desk) {
    this.room = room;
    this.desk = desk;
    this.levels = new LevelEditing(room, desk);
    this.similar = new SimilarLevels(room);
    /** The panel's note and name fields, for their keys. @type {Record<string, HTMLElement | undefined>} */
    this.fields = {};
    this.actions = this.listed();
    /** @type {Map<string, string>} */
    this.bound = new Map(Object.entries(KEYS).map(([action, key]) => [key, action]));
    this.bound.set('=', 'closer'); // the same key as +, without Shift
    this.bound.set('Ctrl+Z', 'undo');
    this.bound.set('Ctrl+Enter', 'submit');
    this.bound.set('Del', 'remove');
    CLASSES.forEach((one, index) => this.bound.set(String(index + 1), `class:${one.id}`));
    CONFIDENCES.forEach((one) => this.bound.set(one.key, `confidence:${one.value}`));
    FEATURES.forEach((one, index) => this.bound.set(featureKey(index), `feature:${one.id}`));
    [0, 1].forEach((index) => this.bound.set(`Shift+${index + 1}`, `agree:${index}`));
    this.pressed = (/** @type {KeyboardEvent} */ event) => this.press(event);
    // Before OHIF and before the browser's own buttons, so that Enter on a focused button submits too.
    window.addEventListener('keydown', this.pressed, true);
  }

  stop() {
    window.removeEventListener('keydown', this.pressed, true);
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    if (isElsewhere(event)) return;
    const inMenu = this.room.state.menu !== null && this.inMenu(event);
    const action = inMenu ? null : actionOf(this.bound, /** @type {any} */ (event));
    if (!inMenu && !action) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (action) this.act(action, event.repeat);
  }

  /** An open menu takes digits and Enter for itself, but not what is typed into a field. @param {KeyboardEvent} event */
  inMenu(event) {
    if (isTyping(/** @type {any} */ (event.target)) && event.target !== this.fields.drawnName) return false;
    const { menu } = this.room.state;
    const digit = Number(/^(?:Digit|Numpad)(\d)$/.exec(event.code)?.[1] ?? 0);
    const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
    if (menu === 'skip' && plain && digit >= 1 && digit <= SKIP_REASONS.length) {
      void this.room.skip(SKIP_REASONS[digit - 1].id);
      return true;
    }
    if (menu === 'remove' && event.key === 'Enter') {
      void this.levels.removeNow();
      return true;
    }
    if (menu === 'name-drawn' && event.key === 'Enter') {
      void this.levels.add(/** @type {HTMLSelectElement} */ (this.fields.drawnName).value);
      return true;
    }
    return false;
  }

  /** @param {string} action @param {boolean} [repeated] a key held down */
  act(action, repeated = false) {
    const [kind, what] = action.split(':');
    const again = ['sliceUp', 'sliceDown', 'closer', 'farther'].includes(kind);
    if (repeated && !again) return;
    this.actions[kind]?.(what);
  }

  /** @returns {Record<string, (what: string) => void>} */
  listed() {
    const { room, desk, levels } = this;
    const cycle = (/** @type {string} */ now) => BASES[(BASES.findIndex((one) => one.id === now) + 1) % BASES.length].id;
    return {
      class: (id) => room.enter({ diagnosis: id }),
      confidence: (value) => room.enter({ confidence: Number(value) }),
      feature: (id) => room.enter({ features: tick(room.state.draft, id).features }),
      basis: (id) => room.enter({ basis: id ?? cycle(room.state.draft.basis) }),
      agree: (index) => this.agree(Number(index)),
      submit: () => {
        unfocus();
        void room.submit();
      },
      undo: () => void (room.state.removed ? levels.bringBack() : room.undo()),
      skip: () => {
        unfocus();
        if (room.state.task) room.set({ menu: room.state.menu === 'skip' ? null : 'skip' });
      },
      draw: () => levels.draw(),
      remove: () => {
        unfocus();
        levels.remove();
      },
      up: () => void levels.shift(1),
      down: () => void levels.shift(-1),
      third: () => void desk.pictures.cycleThird(),
      boxes: () => desk.pictures.toggleBoxes(),
      heat: () => void desk.pictures.toggleHeat(),
      similar: () => void this.similar.toggle(),
      note: () => this.fields.note?.focus(),
      name: () => this.fields.name?.focus(),
      recentre: () => void desk.recentre(),
      reset: () => desk.resetBox(),
      sliceUp: () => desk.following.step(-1),
      sliceDown: () => desk.following.step(1),
      closer: () => desk.following.zoom(1 / 1.15),
      farther: () => desk.following.zoom(1.15),
      cancel: () => this.cancel(),
    };
  }

  /** The reader goes to a field: what a menu asked is no longer to be answered, or a later Enter would. */
  typing() {
    const { menu } = this.room.state;
    if (menu && menu !== 'similar') this.levels.cancel();
  }

  cancel() {
    unfocus();
    if (this.room.state.menu) this.levels.cancel();
    if (this.room.state.heat) this.desk.pictures.dropHeat();
    this.room.set({ message: null });
  }

  /** An adjudicator takes over one of the two reads, to submit or to change it. @param {number} index */
  agree(index) {
    const { task } = this.room.state;
    const read = task?.mode === 'adjudication' && task.reads[index];
    const { confidence, seconds } = this.room.state.draft;
    if (read) this.room.enter({ ...draftOf(read), box: null, boxes: [], confidence, seconds });
  }
}

/** The note is left, or the keys for the next level would go into it. */
function unfocus() {
  if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
}

/** Whether a key belongs to OHIF: to a dialog of its own, or to a button of its own that has the focus. @param {KeyboardEvent} event */
function isElsewhere({ target, key }) {
  if (!(target instanceof Element) || target.closest(PANEL_TAG)) return false;
  if (target.closest('[role="dialog"], [role="menu"]')) return true;
  return (key === 'Enter' || key === ' ') && target.closest('a, button') !== null;
}
