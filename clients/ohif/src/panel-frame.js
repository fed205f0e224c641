// Head and foot of the panel: level, reason, progress, connection; submit, skip, undo.

import { h, keycap, setText, show } from './dom.js';
import { KEYS } from './keyboard.js';
import { keepFocus } from './panel-read.js';
import { LISTS } from './words.js';

/** @typedef {import('./panel.js').Section} Section */
/** @typedef {import('./room.js').State} State */

const MODES = { assisted: 'Assisted', blinded: 'Blinded', adjudication: 'Adjudication' };

/** @param {import('./room.js').Room} room @param {any} keyboard @returns {Section} */
export function headSection(room, keyboard) {
  // A typed name changes with each of its letters, and its digits are no keys of the panel: the list keeps
  // the focus until Enter or Esc. What is chosen from the open list is whole.
  let typed = false;
  const name = h('select.sr-level', {
    key: 'name-select', title: 'Another name for this level (L): type it or use the arrow keys, then Enter',
    onfocus: () => keyboard.typing(),
    onpointerdown: () => { typed = false; },
    onkeydown: (/** @type {KeyboardEvent} */ event) => {
      typed = !opensList(event);
      if (event.key === 'Enter') name.blur();
    },
    onchange: () => rename(),
  });
  const rename = () => {
    const chosen = name.value === room.state.task?.name ? null : name.value;
    room.enter({ name: chosen });
    if (!typed) name.blur();
  };
  keyboard.fields.name = name;
  keepFocus(name);
  /** @type {any} */
  let listed = null;
  const unsure = h('span.sr-unsure', { key: 'numbering-unsure', title: 'Counting from both ends did not agree: check the name, and move all names if needed.' }, 'numbering unsure');
  const mode = h('span.sr-mode', { key: 'mode' });
  const where = h('span.sr-where', { key: 'centre' });
  const why = h('p.sr-why', { key: 'why' });
  const notes = h('p.sr-notes', { key: 'notes' });
  const progress = h('p.sr-progress', { key: 'progress' });
  const banner = h('div.sr-banner', { key: 'connection-banner', role: 'alert' });
  const home = h('a.sr-home', { href: '/', key: 'home', title: 'Back to the work lists' }, 'Work lists');
  return {
    node: h('header.sr-head', {},
      h('div.sr-row', {}, h('span.sr-caution', { key: 'not-for-clinical-use' }, 'Not for clinical use'), mode, home),
      h('div.sr-row', {}, name, keycap(KEYS.name), unsure, where),
      h('div.sr-reason', {}, why, notes), progress, banner),
    update(state) {
      const { task } = state;
      if (task && listed !== task.names) {
        listed = task.names;
        name.replaceChildren(...task.names.map((/** @type {string} */ one) => h('option', { value: one }, one)));
      }
      const wanted = task ? state.draft.name ?? task.name : '';
      if (name.value !== wanted) name.value = wanted;
      show(name.parentElement, task !== null);
      show(unsure, Boolean(task && !task.numbering_sure));
      setText(mode, task ? MODES[/** @type {keyof typeof MODES} */ (task.mode)] ?? task.mode : '');
      mode.dataset.mode = task?.mode ?? '';
      setText(where, task?.centre ? `centre ${task.centre}` : '');
      setText(why, task ? task.why.charAt(0).toUpperCase() + task.why.slice(1) : '');
      setText(notes, state.notes.join(' '));
      setText(progress, progressText(state));
      const text = connectionText(state);
      show(banner, text !== '');
      setText(banner, text);
      banner.dataset.kind = state.connection;
    },
  };
}

/** Whether a key opens a list to choose from, instead of changing what is chosen. @param {KeyboardEvent} event */
const opensList = ({ key, altKey }) => key === ' ' || key === 'F4' || altKey;

/** @param {State} state */
function progressText({ progress, task }) {
  if (!progress) return '';
  const list = task ? LISTS[/** @type {keyof typeof LISTS} */ (task.list)] ?? task.list : '';
  const reports = progress.waiting_reports;
  const parts = [list, `${progress.session} read now`, `${progress.mine} in all`, `${progress.left} left`];
  if (reports) parts.push(`${reports} ${reports === 1 ? 'report' : 'reports'} waiting`);
  return parts.filter(Boolean).join(' · ');
}

/** @param {State} state */
function connectionText({ connection, waiting, task }) {
  const kept = waiting ? ` ${waiting} submitted ${waiting === 1 ? 'read is' : 'reads are'} kept here and sent when it is back.` : task ? ' What you have entered is kept here.' : '';
  if (connection === 'offline') return `No connection to the server.${kept} Trying again…`;
  if (connection === 'signed out') return `You are no longer signed in.${kept} Sign in again in another tab, then go on here.`;
  if (connection === 'outdated') return `This page is older than the server: reload it. What you have entered is kept${waiting ? ' and what you have submitted is sent then' : ''}.`;
  return waiting ? `${waiting} submitted ${waiting === 1 ? 'read waits' : 'reads wait'} to be sent.` : '';
}

/** @param {(action: string) => void} act @returns {Section} */
export function footerSection(act) {
  const button = (/** @type {string} */ action, /** @type {string} */ label, /** @type {string} */ style = '') =>
    h(`button.sr-button${style}`, { type: 'button', key: action, onclick: () => act(action) }, label, keycap(KEYS[/** @type {keyof typeof KEYS} */ (action)]));
  const message = h('p.sr-message', { key: 'message', role: 'status' });
  const submit = button('submit', 'Submit', '.sr-primary');
  const skip = button('skip', 'Skip');
  const undo = button('undo', 'Undo');
  undo.title = 'Take back the last submitted read or removed level (U or Ctrl+Z)';
  const label = submit.firstChild;
  return {
    node: h('footer.sr-foot', {}, message, h('div.sr-actions', {}, submit, skip, undo)),
    update({ phase, message: told, task, removed }) {
      setText(message, told?.text ?? (phase === 'opening' ? 'Opening the pictures…' : ''));
      message.dataset.kind = told?.kind ?? '';
      const over = phase === 'done' || phase === 'failed';
      submit.disabled = phase !== 'reading' && !over;
      skip.disabled = phase !== 'reading';
      // A removed level can be brought back when the next one is there: two at once would come in any order.
      undo.disabled = phase === 'sending' || phase === 'starting' || (phase === 'waiting' && removed !== null);
      const words = phase === 'sending' ? 'Sending…' : phase === 'waiting' ? 'Waiting…' : over ? 'Next level' : task?.mode === 'adjudication' ? 'Decide' : 'Submit';
      if (label.textContent !== words) label.textContent = words;
    },
  };
}
