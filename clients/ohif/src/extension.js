// The runtime extension for stock OHIF: its panel. Not for clinical use.

import { registerLevelBoxTool } from './level-box-tool.js';
import { useManagers } from './ohif.js';
import { definePanel } from './panel.js';
import { PROTOCOL, protocolFor } from './stage.js';
import { PANEL_TAG } from './tag.js';

/** OHIF matches a mode's extensions by the address they were loaded from. */
export const ID = '/ohif-spine/extension.js';
export const PANEL = `${ID}.panelModule.reading`;

/** One React element that names our custom element, which does the rest in plain DOM. */
const panelElement = () => ({
  $$typeof: Symbol.for('react.element'), type: PANEL_TAG, key: null, ref: null, props: {}, _owner: null, _store: {},
});

export default {
  id: ID,

  /** @param {any} managers */
  preRegistration(managers) {
    useManagers(managers);
    definePanel();
  },

  onModeEnter() {
    registerLevelBoxTool();
  },

  /** OHIF wants a mode's protocol to exist when it opens; the one for the level comes when the level is known. */
  getHangingProtocolModule: () => [{ name: PROTOCOL, protocol: protocolFor([]) }],

  getPanelModule: () => [
    { name: 'reading', iconName: 'tab-linear', iconLabel: 'Reading', label: 'Reading', component: panelElement },
  ],
};
