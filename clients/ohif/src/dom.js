// A few words for building DOM.

/**
 * @param {string} tag "button.primary"
 * @param {Record<string, any>} [props] `on…` are listeners, `data` the dataset, `key` a data-testid
 * @param {...(Node | string | null | undefined)} children
 * @returns {any}
 */
export function h(tag, props = {}, ...children) {
  const [name, ...classes] = tag.split('.');
  const element = document.createElement(name);
  element.classList.add(...classes);
  for (const [key, value] of Object.entries(props)) {
    if (key === 'key') element.dataset.testid = value;
    else if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else if (key in element) /** @type {any} */ (element)[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(.../** @type {any[]} */ (children.filter((child) => child !== null && child !== undefined)));
  return element;
}

/** A key as printed on a button. @param {string} bound */
export const keycap = (bound) => h('kbd', {}, bound.replace('Shift+', '⇧').replace('Enter', '↵'));

/** Set a text only where it differs, so that nothing flickers. @param {HTMLElement} element @param {string} text */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** @param {HTMLElement} element @param {boolean} shown */
export function show(element, shown) {
  element.hidden = !shown;
}
