// For an adjudicator: the two reads side by side.

import { h, keycap, show } from './dom.js';
import { BASES, className, CONFIDENCES, FEATURES } from './words.js';

/** @param {(action: string) => void} act @returns {import('./panel.js').Section} */
export function readsSection(act) {
  const columns = h('div.sr-columns', {});
  const node = h('section.sr-section', { key: 'reads' }, h('h3', {}, 'The reads'), columns);
  /** @type {any} */
  let drawn = null;
  return {
    node,
    update({ task }) {
      const reads = task?.mode === 'adjudication' ? task.reads : [];
      show(node, reads.length > 0);
      if (drawn === task) return;
      drawn = task;
      columns.replaceChildren(...reads.map((/** @type {any} */ read, /** @type {number} */ index) => column(read, index, reads, act)));
    },
  };
}

/** @param {any} read @param {number} index @param {any[]} reads @param {(action: string) => void} act */
function column(read, index, reads, act) {
  const others = reads.filter((one) => one !== read);
  const differs = (/** @type {(one: any) => any} */ part) => others.some((one) => part(one) !== part(read));
  const line = (/** @type {string} */ text, /** @type {boolean} */ different) => h(`p${different ? '.sr-differs' : ''}`, {}, text);
  const features = FEATURES.filter((one) => read.features.includes(one.id)).map((one) =>
    h(`li${others.some((other) => !other.features.includes(one.id)) ? '.sr-differs' : ''}`, { title: one.help }, one.label));
  const confidence = CONFIDENCES.find((one) => one.value === read.confidence)?.label ?? '';
  return h('article.sr-column', { key: `read-${index + 1}` },
    h('h4', {}, read.reader),
    line(className(read.diagnosis), differs((one) => one.diagnosis)),
    line(`Name ${read.name ?? '—'}`, differs((one) => one.name)),
    line(`Confidence: ${confidence}`, false),
    line(BASES.find((one) => one.id === read.basis)?.label ?? '', false),
    h('ul', {}, ...features),
    read.note ? h('blockquote', {}, read.note) : null,
    index < 2 ? h('button.sr-button.sr-small', { type: 'button', key: `agree-${index + 1}`, onclick: () => act(`agree:${index}`) }, 'Take over', keycap(`Shift+${index + 1}`)) : null);
}
