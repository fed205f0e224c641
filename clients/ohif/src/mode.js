// The OHIF mode at /viewer/review: two pictures, our tools, our panel.

import { Desk } from './desk.js';
import { ID, PANEL } from './extension.js';
import { Keyboard } from './keyboard.js';
import { TOOL } from './level-box-tool.js';
import { extensionManager, services } from './ohif.js';
import { overlayTexts } from './overlay.js';
import { adaptPage } from './page-style.js';
import { Room } from './room.js';
import { hungSeries, PROTOCOL, protocolFor, TOOL_GROUP, watchViewports } from './stage.js';
import { forgetStudies } from './series.js';
import { sitting } from './sitting.js';
import { exposeForTests, hideFromTests } from './testing.js';

const CORNERSTONE = '@ohif/extension-cornerstone';
const STACK = '@ohif/extension-default.sopClassHandlerModule.stack';
const NOT_PICTURES = ['SR', 'SEG', 'KO', 'PR', 'RTSTRUCT', 'SM', 'ECG'];
const PANEL_WIDTH = 384;

let stopWatching = () => {};
let restorePage = () => {};
/** @type {(() => void) | null} */
let restoreConfig = null;

/** The first drag in a picture must already move a corner; studies change in place, so the head names no patient. @param {any} config */
function adaptConfig(config) {
  const { activateViewportBeforeInteraction, showPatientInfo } = config;
  Object.assign(config, { activateViewportBeforeInteraction: false, showPatientInfo: 'disabled' });
  return () => Object.assign(config, { activateViewportBeforeInteraction, showPatientInfo });
}

/** Mouse: left for the window and for corners, middle to move, right to zoom, wheel to scroll. */
function makeToolGroup() {
  const { toolNames, Enums } = extensionManager().getModuleEntry(`${CORNERSTONE}.utilityModule.tools`).exports;
  const { Primary, Secondary, Auxiliary, Wheel } = Enums.MouseBindings;
  services().toolGroupService.createToolGroupAndAddTools(TOOL_GROUP, {
    active: [
      { toolName: toolNames.WindowLevel, bindings: [{ mouseButton: Primary }] },
      { toolName: toolNames.Pan, bindings: [{ mouseButton: Auxiliary }] },
      { toolName: toolNames.Zoom, bindings: [{ mouseButton: Secondary }] },
      { toolName: toolNames.StackScroll, bindings: [{ mouseButton: Wheel }] },
    ],
    passive: [{ toolName: TOOL }],
  });
}

function modeFactory() {
  return {
    id: '/ohif-spine/mode.js',
    routeName: 'review',
    displayName: 'Read levels',
    validationTags: { study: [], series: [] },
    isValidMode: ({ modalities = '' }) => ({
      valid: modalities.split('\\').some((/** @type {string} */ one) => !NOT_PICTURES.includes(one)),
      description: 'Reading needs pictures: this study has none.',
    }),

    onModeInit({ appConfig }) {
      restoreConfig ??= adaptConfig(appConfig);
    },

    onModeEnter() {
      makeToolGroup();
      // All keys are ours: OHIF's digits would change the window of the level that gets a class.
      services().customizationService.setCustomizations({ 'ohif.hotkeyBindings': { $set: [] }, ...overlayTexts() }, 'mode');
      const room = new Room();
      const desk = new Desk(room);
      forgetStudies();
      restorePage = adaptPage();
      stopWatching = watchViewports(() => void desk.pictures.recentre());
      sitting.begin(room, desk, new Keyboard(room, desk));
      exposeForTests(room, desk);
    },

    onModeExit() {
      sitting.end();
      hideFromTests();
      stopWatching();
      restorePage();
      restoreConfig?.();
      restoreConfig = null;
      const { toolGroupService, syncGroupService, cornerstoneViewportService, uiDialogService, uiModalService } = services();
      uiDialogService.hideAll();
      uiModalService.hide();
      toolGroupService.destroy();
      syncGroupService.destroy();
      cornerstoneViewportService.destroy();
    },

    /** Pictures are on their way to the screen: the level's slice and boxes come with them. */
    onSetupRouteComplete() {
      const { room } = sitting;
      if (room?.state.task) void room.present(room.state.task);
    },

    routes: [
      {
        path: 'review',
        layoutTemplate: () => ({
          id: '@ohif/extension-default.layoutTemplateModule.viewerLayout',
          props: {
            leftPanels: [],
            rightPanels: [PANEL],
            rightPanelClosed: false,
            rightPanelResizable: false,
            rightPanelInitialExpandedWidth: PANEL_WIDTH,
            rightPanelMinimumExpandedWidth: PANEL_WIDTH,
            viewports: [{ namespace: `${CORNERSTONE}.viewportModule.cornerstone`, displaySetsToDisplay: [STACK] }],
          },
        }),
        init: ({ studyInstanceUIDs }) => openStudy(studyInstanceUIDs[0]),
      },
    ],
    extensions: { '@ohif/extension-default': '^3.0.0', [CORNERSTONE]: '^3.0.0', [ID]: '^1.0.0' },
    hangingProtocol: PROTOCOL,
    sopClassHandlers: [STACK],
    hotkeys: { name: 'spine-reading' },
  };
}

/** Which level is read decides what hangs, so the server is asked before OHIF hangs anything. @param {string} study */
async function openStudy(study) {
  const { hangingProtocolService } = services();
  const query = new URLSearchParams(window.location.search);
  const { room } = sitting;
  const task = await room?.start(query, study);
  // Nothing is hung for a room that was left: the viewer shows something else by now.
  if (room?.stopped) return new Promise(() => {});
  const address = new URL(window.location.href);
  if (task && task.study !== study) {
    address.searchParams.set('StudyInstanceUIDs', task.study);
    window.location.replace(address);
    return new Promise(() => {});
  }
  hangingProtocolService.addProtocol(PROTOCOL, protocolFor(task ? hungSeries(task) : []));
  return undefined;
}

export default { id: '/ohif-spine/mode.js', modeFactory, extensionDependencies: { [ID]: '^1.0.0' } };
