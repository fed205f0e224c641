// The right panel: what is read and why, what the reader says, what happens next.

import { h, setText, show } from './dom.js';
import { levelSection } from './panel-levels.js';
import { menuSection } from './panel-menu.js';
import { opinionSection } from './panel-opinion.js';
import { readSection } from './panel-read.js';
import { readsSection } from './panel-reads.js';
import { refusedSection } from './panel-refused.js';
import { footerSection, headSection } from './panel-frame.js';
import { sitting } from './sitting.js';
import { STYLES } from './styles.js';
import { PANEL_TAG } from './tag.js';

/**
 * A part of the panel.
 * @typedef {object} Section
 * @property {HTMLElement} node
 * @property {(state: import('./room.js').State) => void} update
 */

/** Put the panel's element into the page's registry, once. */
export function definePanel() {
  if (customElements.get(PANEL_TAG)) return;

  customElements.define(PANEL_TAG, class extends HTMLElement {
    connectedCallback() {
      this.begin = () => this.build();
      sitting.waiting.add(this.begin);
      this.build();
    }

    disconnectedCallback() {
      sitting.waiting.delete(/** @type {() => void} */ (this.begin));
      this.leave?.();
    }

    build() {
      this.leave?.();
      const { room, keyboard } = sitting;
      if (!room) return this.replaceChildren();
      const act = (/** @type {string} */ action) => keyboard.act(action);
      const body = [opinionSection(act), readsSection(act), readSection(act, room, keyboard), levelSection(act)];
      const scroll = h('div.sr-scroll', {}, ...body.map((section) => section.node));
      const empty = h('div.sr-empty', { key: 'panel-empty' });
      const head = headSection(room, keyboard);
      const menu = menuSection(act, room, keyboard);
      const refused = refusedSection(room);
      const footer = footerSection(act);
      this.className = 'sr';
      this.dataset.testid = 'reading-panel';
      this.replaceChildren(h('style', {}, STYLES), head.node, scroll, empty, menu.node, refused.node, footer.node);
      const sections = [head, ...body, menu, refused, footer];
      this.leave = room.subscribe((state) => {
        this.dataset.phase = state.phase;
        show(scroll, state.task !== null);
        show(empty, state.task === null);
        setText(empty, nothing(state));
        for (const section of sections) section.update(state);
      });
    }
  });
}

/** @param {import('./room.js').State} state */
function nothing({ phase }) {
  if (phase === 'done') return 'All read. Choose another work list on the start page.';
  if (phase === 'failed') return 'No level can be read here. See the message below, or go back to the start page.';
  return 'Asking for a level…';
}
