// Submitted reads that the server did not take, until the reader has opened or dismissed them.

import { h, show } from './dom.js';

/** @param {import('./room.js').Room} room @returns {import('./panel.js').Section} */
export function refusedSection(room) {
  const node = h('div.sr-refused', { key: 'refused', role: 'alert' });
  let listed = '';
  return {
    node,
    update({ refused, task }) {
      // Of the level being read the message says it, and the form has it.
      const others = refused.filter(({ body }) => body.level_id !== task?.level_id);
      show(node, others.length > 0);
      const now = others.map(({ token }) => token).join();
      if (now === listed) return;
      listed = now;
      node.replaceChildren(...others.flatMap((posting) => [
        h('p', {}, `Your read of ${posting.label} was not taken: ${posting.why}`),
        h('div.sr-row', {}, button('open', 'Open again', posting, () => void room.openRefused(posting)), button('dismiss', 'Dismiss', posting, () => room.dispatch?.dismiss(posting.token))),
      ]));
    },
  };
}

/** @param {string} key @param {string} label @param {import('./outbox.js').Posting} posting @param {() => void} onclick */
const button = (key, label, { body }, onclick) =>
  h('button.sr-button.sr-small', { type: 'button', key: `refused-${key}-${body.level_id}`, onclick }, label);
