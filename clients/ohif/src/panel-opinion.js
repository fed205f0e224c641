// What the models think. In a blinded read there is nothing to show: the server has sent none.

import { h, keycap, setText, show } from './dom.js';
import { KEYS } from './keyboard.js';
import { CLASSES, partWords, percent } from './words.js';

const MODEL_CLASSES = CLASSES.slice(0, 4);

/** @param {(action: string) => void} act @returns {import('./panel.js').Section} */
export function opinionSection(act) {
  const bars = new Map(MODEL_CLASSES.map(({ id, label, colour }) => {
    const fill = h('i', {});
    fill.style.background = colour;
    const value = h('b', { key: `probability-${id}` });
    return [id, { row: h('div.sr-bar', {}, h('span', {}, label), h('div.sr-track', {}, fill), value), fill, value }];
  }));
  const uncertainty = h('span.sr-uncertainty', { key: 'uncertainty' });
  const parts = h('div.sr-parts', { key: 'uncertainty-parts' });
  const heat = h('button.sr-button.sr-small', { type: 'button', key: 'heat', onclick: () => act('heat') }, 'Heat map', keycap(KEYS.heat));
  const similar = h('button.sr-button.sr-small', { type: 'button', key: 'similar', onclick: () => act('similar') }, 'Similar', keycap(KEYS.similar));
  const node = h('section.sr-section', { key: 'opinion' },
    h('h3', {}, 'Model', uncertainty, heat, similar),
    ...[...bars.values()].map(({ row }) => row), parts);
  return {
    node,
    update({ task, heat: heatOn, menu }) {
      const opinion = task?.opinion;
      show(node, Boolean(opinion));
      if (!opinion) return;
      for (const [id, { fill, value }] of bars) {
        const share = opinion.probabilities[id] ?? 0;
        fill.style.width = `${share * 100}%`;
        setText(value, percent(share));
      }
      setText(uncertainty, `uncertainty ${opinion.uncertainty.toFixed(2)}`);
      parts.replaceChildren(...Object.entries(opinion.parts).map(([part, value]) => {
        const [name, meaning] = partWords(part);
        return h('span', { title: meaning }, name, h('b', {}, Number(value).toFixed(2)));
      }));
      node.title = `Detector ${opinion.detector_version}, classifier ${opinion.classifier_version}. Probabilities are calibrated.`;
      heat.setAttribute('aria-pressed', String(heatOn));
      similar.setAttribute('aria-pressed', String(menu === 'similar'));
    },
  };
}
