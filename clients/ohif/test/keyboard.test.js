import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { emptyDraft } from '../src/drafts.js';

/** As much of an element as the keyboard asks of one. */
class Field {
  /** @param {string} tagName @param {() => void} [focused] */
  constructor(tagName, focused = () => {}) {
    this.tagName = tagName;
    this.focused = focused;
  }

  closest(selector) {
    return selector === 'vertebra-review' ? this : null;
  }

  focus() {
    document.activeElement = this;
    this.focused();
  }

  blur() {
    document.activeElement = null;
  }
}
Object.assign(globalThis, {
  Element: Field, HTMLElement: Field, document: { activeElement: null }, window: { addEventListener: () => {}, removeEventListener: () => {} },
});
const { Keyboard } = await import('../src/keyboard.js');

/** @type {any} */
let room;
/** @type {any} */
let keyboard;
let done;

beforeEach(() => {
  done = [];
  room = {
    state: { phase: 'reading', task: { level_id: 7 }, draft: emptyDraft(), menu: null },
    set: (change) => { room.state = { ...room.state, ...change }; },
    enter: (change) => done.push(change),
    skip: (reason) => done.push(reason),
    submit: () => done.push('submit'),
  };
  keyboard = new Keyboard(room, /** @type {any} */ ({ pictures: { drawing: (on) => done.push(`drawing ${on}`) } }));
  keyboard.levels.removeNow = () => done.push('removed');
  keyboard.levels.add = (name) => done.push(name);
  const note = new Field('TEXTAREA', () => keyboard.typing());
  Object.assign(keyboard.fields, { note, name: new Field('SELECT', () => keyboard.typing()), drawnName: Object.assign(new Field('SELECT'), { value: 'L3' }) });
  document.activeElement = null;
});

/** @param {string} key @param {any} [target] */
const press = (key, target = document.activeElement ?? new Field('BODY')) => {
  const event = { key, code: /\d/.test(key) ? `Digit${key}` : key, target, preventDefault: () => done.push('kept'), stopImmediatePropagation: () => {} };
  keyboard.press(event);
};

test('in a menu, digits and Enter answer it', () => {
  room.set({ menu: 'skip' });
  press('1');
  room.set({ menu: 'remove' });
  press('Enter');
  assert.deepEqual(done, ['poor_quality', 'kept', 'removed', 'kept']);
});

for (const [menu, key] of [['skip', '1'], ['remove', 'Enter'], ['name-drawn', 'Enter']]) {
  test(`what is typed into a field does not answer the menu ${menu}`, () => {
    for (const field of ['note', 'name']) {
      room.set({ menu });
      press(key, keyboard.fields[field]);
    }
    assert.deepEqual(done, []);
  });
}

test('Enter in the list of names gives the drawn level its name', () => {
  room.set({ menu: 'name-drawn' });
  press('Enter', keyboard.fields.drawnName);
  assert.deepEqual(done, ['L3', 'kept']);
});

test('who goes to a field is asked nothing more', () => {
  for (const [menu, key] of [['skip', 'c'], ['remove', 'c'], ['remove', 'l'], ['draw', 'c']]) {
    document.activeElement = null;
    room.set({ menu });
    press(key);
    assert.equal(room.state.menu, null);
  }
  document.activeElement = null;
  done = [];
  room.set({ menu: 'similar' }); // it asks nothing
  press('c');
  assert.deepEqual([room.state.menu, done], ['similar', ['kept']]);
});

test('a field is left for a question, so that nothing typed goes into the next level’s note', () => {
  for (const action of ['skip', 'remove']) {
    room.set({ menu: null });
    keyboard.fields.note.focus();
    keyboard.act(action);
    assert.deepEqual([room.state.menu, document.activeElement], [action, null]);
  }
});
