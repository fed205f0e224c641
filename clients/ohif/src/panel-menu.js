// What opens over the panel: reasons to skip, the name of a drawn level, a question, similar levels.

import { h, keycap, show } from './dom.js';
import { className, SKIP_REASONS } from './words.js';

/**
 * @param {(action: string) => void} act @param {import('./room.js').Room} room @param {any} keyboard
 * @returns {import('./panel.js').Section}
 */
export function menuSection(act, room, keyboard) {
  const node = h('div.sr-menu', { key: 'menu' });
  /** @type {any[]} */
  let drawn = [];
  const close = () => h('button.sr-button.sr-small', { type: 'button', key: 'menu-close', onclick: () => act('cancel') }, 'Close', keycap('Esc'));
  return {
    node,
    update(state) {
      const now = [state.menu, state.menuData, state.task?.level_id];
      show(node, state.menu !== null);
      if (now.every((part, index) => part === drawn[index]) && drawn.length) return;
      drawn = now;
      node.replaceChildren(...content(state, room, keyboard), close());
      if (state.menu === 'name-drawn') keyboard.fields.drawnName.focus();
    },
  };
}

/**
 * @param {import('./room.js').State} state @param {import('./room.js').Room} room @param {any} keyboard
 * @returns {HTMLElement[]}
 */
function content({ menu, menuData, task }, room, keyboard) {
  const title = (/** @type {string} */ text) => h('h3', {}, text);
  if (menu === 'skip') {
    return [title('Skip this level: why?'), ...SKIP_REASONS.map(({ id, label }, index) =>
      h('button.sr-choice', { type: 'button', key: `skip-${id}`, onclick: () => void room.skip(id) }, h('span', {}, label), keycap(String(index + 1))))];
  }
  if (menu === 'draw') return [title('Draw the box'), h('p', {}, 'Drag from corner to corner round the vertebral body, in either picture.')];
  if (menu === 'remove') {
    return [title(`Remove ${task?.name}?`), h('p', {}, 'It leaves this study for every reader. Do this where no vertebra is in the box.'),
      h('button.sr-button.sr-primary', { type: 'button', key: 'remove-yes', onclick: () => void keyboard.levels.removeNow() }, 'Remove', keycap('Enter'))];
  }
  if (menu === 'name-drawn') {
    const suggested = keyboard.levels.suggestion();
    const select = h('select.sr-select', { key: 'drawn-name' }, ...task.names.map((/** @type {string} */ one) => h('option', { value: one, selected: one === suggested }, one)));
    keyboard.fields.drawnName = select;
    return [title('Which level is it?'), select,
      h('button.sr-button.sr-primary', { type: 'button', key: 'drawn-add', onclick: () => void keyboard.levels.add(select.value) }, 'Add', keycap('Enter'))];
  }
  if (menu === 'similar') {
    if (!menuData) return [title('Similar levels'), h('p', {}, 'Looking…')];
    if (!menuData.length) return [title('Similar levels'), h('p', {}, 'No labelled level to compare with yet.')];
    return [title('Most similar labelled levels'), h('div.sr-similar', {}, ...menuData.map((/** @type {any} */ one) =>
      h('figure', { key: `similar-${one.level_id}` }, h('img', { src: one.thumbnail, alt: '' }), h('figcaption', {}, `${one.name} ${className(one.diagnosis)}`))))];
  }
  return [];
}
