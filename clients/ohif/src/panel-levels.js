// The study's levels, and what the pictures show.

import { h, keycap } from './dom.js';
import { KEYS } from './keyboard.js';
import { hungSeries } from './stage.js';

/** @param {(action: string) => void} act @returns {import('./panel.js').Section} */
export function levelSection(act) {
  const button = (/** @type {string} */ action, /** @type {string} */ label, /** @type {string} */ title) =>
    h('button.sr-button.sr-small', { type: 'button', key: action, title, onclick: () => act(action) }, h('span', {}, label), keycap(KEYS[/** @type {keyof typeof KEYS} */ (action)]));
  const reset = button('reset', 'Reset box', 'Back to the box as it was opened');
  const third = button('third', 'STIR, contrast', 'Other series in the right picture');
  const boxes = button('boxes', 'Hide boxes', 'Hide the boxes of the other levels');
  const tools = h('div.sr-tools', {},
    button('draw', 'Draw a level', 'Draw the box of a vertebra that was missed'),
    button('remove', 'Remove level', 'This is not a vertebra'),
    button('up', 'All names up', 'Every level gets the name of the one above: L2 becomes L1'),
    button('down', 'All names down', 'Every level gets the name of the one below: L2 becomes L3'));
  const views = h('div.sr-tools', {}, third, boxes, reset, button('recentre', 'Level as opened', 'Slice, zoom and window as opened'));
  const node = h('section.sr-section', { key: 'level-tools' },
    tools, views,
    h('p.sr-faint', {}, '↑ ↓ slices, + − zoom, right drag zoom, middle drag move, left drag window'));
  return {
    node,
    update({ task, draft, third: shown, boxesHidden, menu }) {
      if (!task) return;
      const others = task.series.filter((/** @type {any} */ one) => !hungSeries(task).includes(one.uid));
      third.disabled = others.length === 0;
      const label = shown ? `Showing ${task.series.find((/** @type {any} */ one) => one.uid === shown)?.sequence}` : others.length ? others.map((/** @type {any} */ one) => one.sequence).join(', ') : 'No STIR or contrast';
      if (third.firstChild.textContent !== label) third.firstChild.textContent = label;
      third.setAttribute('aria-pressed', String(shown !== null));
      boxes.setAttribute('aria-pressed', String(boxesHidden));
      reset.disabled = draft.boxes.length === 0;
      tools.firstChild?.setAttribute('aria-pressed', String(menu === 'draw'));
    },
  };
}
