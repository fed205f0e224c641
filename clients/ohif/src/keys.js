// Which key does what. A binding is written as on its button: "1", "Enter", "Shift+A", "Ctrl+Z".

/**
 * @typedef {object} Pressed the parts of a KeyboardEvent that matter here
 * @property {string} key @property {string} code
 * @property {boolean} ctrlKey @property {boolean} metaKey @property {boolean} altKey @property {boolean} shiftKey
 */

/** Keys whose name on the button is not the browser's name. */
const NAMES = { ' ': 'Space', ArrowUp: '↑', ArrowDown: '↓', Escape: 'Esc', Delete: 'Del', Backspace: 'Del' };

/**
 * The binding a key press stands for. Digits go by place, so that they work on keyboards that need Shift
 * for them and on the number pad; letters go by what is printed on the key.
 * @param {Pressed} pressed
 */
export function binding(pressed) {
  const digit = /^(?:Digit|Numpad)(\d)$/.exec(pressed.code)?.[1];
  let key = digit ?? NAMES[/** @type {keyof typeof NAMES} */ (pressed.key)] ?? pressed.key;
  if (key.length === 1) key = key.toUpperCase();
  const shifted = pressed.shiftKey && (digit !== undefined || /^[A-Z]$/.test(key) || key.length > 1 || key === '↑' || key === '↓');
  const control = pressed.ctrlKey || pressed.metaKey;
  return `${control ? 'Ctrl+' : ''}${pressed.altKey ? 'Alt+' : ''}${shifted ? 'Shift+' : ''}${key}`;
}

/** What a reader is typing into, so that keys are letters there. @param {{tagName?: string, type?: string, isContentEditable?: boolean} | null} target */
export function isTyping(target) {
  if (!target) return false;
  if (target.isContentEditable || target.tagName === 'TEXTAREA' || target.tagName === 'SELECT') return true;
  return target.tagName === 'INPUT' && !['checkbox', 'radio', 'button', 'range'].includes(target.type ?? 'text');
}

/** Bindings that act even while a note is typed. */
const THROUGH_TYPING = new Set(['Esc', 'Ctrl+Enter']);

/**
 * The action of a key press, or null.
 * @param {Map<string, string>} actions binding to action
 * @param {Pressed & {target?: any, isComposing?: boolean}} pressed
 */
export function actionOf(actions, pressed) {
  if (pressed.isComposing) return null;
  const bound = binding(pressed);
  if (isTyping(pressed.target ?? null) && !THROUGH_TYPING.has(bound)) return null;
  return actions.get(bound) ?? null;
}

/** A letter for each feature. @param {number} index */
export const featureKey = (index) => `Shift+${String.fromCharCode(65 + index)}`;

