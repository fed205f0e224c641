// What the reader says of the level: class, confidence, signs, basis, note.

import { h, keycap } from './dom.js';
import { KEYS } from './keyboard.js';
import { featureKey } from './keys.js';
import { BASES, CLASSES, CONFIDENCES, excludedBy, FEATURES } from './words.js';

/**
 * @param {(action: string) => void} act @param {import('./room.js').Room} room @param {any} keyboard
 * @returns {import('./panel.js').Section}
 */
export function readSection(act, room, keyboard) {
  const choice = (/** @type {string} */ action, /** @type {string} */ label, /** @type {string} */ bound, /** @type {string} */ testid) =>
    h('button.sr-choice', { type: 'button', key: testid, onclick: () => act(action) }, h('span', {}, label), keycap(bound));
  const classes = CLASSES.map(({ id, label }, index) => ({ id, node: choice(`class:${id}`, label, String(index + 1), `class-${id}`) }));
  const confidences = CONFIDENCES.map(({ value, label, key }) => ({ value, node: choice(`confidence:${value}`, label, key, `confidence-${value}`) }));
  const bases = BASES.map(({ id, label }) => ({ id, node: h('button.sr-choice', { type: 'button', key: `basis-${id}`, onclick: () => act(`basis:${id}`) }, h('span', {}, label)) }));
  const features = FEATURES.map(({ id, label, help }, index) => {
    const node = h('button.sr-feature', { type: 'button', role: 'checkbox', key: `feature-${id}`, onclick: () => act(`feature:${id}`) },
      h('i', {}), h('span', {}, label), keycap(featureKey(index)));
    return { id, help, node };
  });
  const note = h('textarea.sr-note', {
    key: 'note-text', rows: 2, maxLength: 2000, placeholder: 'Nothing that names a patient',
    onfocus: () => keyboard.typing(),
    oninput: () => room.enter({ note: note.value }),
  });
  keyboard.fields.note = note;
  keepFocus(note);
  const node = h('section.sr-section', { key: 'read-form' },
    h('h3', {}, 'Class'), h('div.sr-classes', {}, ...classes.map((one) => one.node)),
    h('h3', {}, 'Confidence'), h('div.sr-confidences', {}, ...confidences.map((one) => one.node)),
    h('h3', {}, 'Signs'), h('div.sr-features', {}, ...features.map((one) => one.node)),
    h('div.sr-line', {}, h('h3', {}, 'Basis', keycap(KEYS.basis)), h('div.sr-bases', {}, ...bases.map((one) => one.node))),
    h('div.sr-line', {}, h('h3', {}, 'Note', keycap(KEYS.note)), note));
  return {
    node,
    update({ draft, phase }) {
      const busy = phase === 'sending' || phase === 'waiting';
      const mark = (/** @type {any} */ button, /** @type {boolean} */ on) => {
        button.setAttribute('aria-pressed', String(on));
        button.disabled = busy;
      };
      for (const one of classes) mark(one.node, draft.diagnosis === one.id);
      for (const one of confidences) mark(one.node, draft.confidence === one.value);
      for (const one of bases) mark(one.node, draft.basis === one.id);
      for (const one of features) {
        const ticked = draft.features.includes(one.id);
        const excluded = ticked ? null : excludedBy(one.id, draft.features);
        one.node.setAttribute('aria-checked', String(ticked));
        one.node.disabled = busy || excluded !== null;
        one.node.title = excluded ? `${one.help} ${excluded}` : one.help;
      }
      if (note.value !== draft.note) note.value = draft.note;
      note.readOnly = busy;
    },
  };
}

/**
 * OHIF takes the focus away from whatever has it when the mouse enters the pictures, and the rest of a
 * sentence would then be read as commands. While a note is typed it does not hear of the mouse.
 * @param {HTMLElement} field
 */
export function keepFocus(field) {
  const silence = (/** @type {Event} */ event) => event.stopImmediatePropagation();
  const kinds = ['mouseover', 'mouseout', 'pointerover', 'pointerout'];
  field.addEventListener('focus', () => kinds.forEach((kind) => window.addEventListener(kind, silence, true)));
  field.addEventListener('blur', () => kinds.forEach((kind) => window.removeEventListener(kind, silence, true)));
}
