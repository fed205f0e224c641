// What of OHIF's page is in the way of reading, while the mode is open: its notice lies over the pictures
// and the panel's buttons, and its own undo is not the reader's.

const RULES = `
.fixed.bottom-2.z-50.w-full { bottom: auto; top: 3px; left: 190px; width: calc(100% - 560px); height: 44px; }
.fixed.bottom-2.z-50.w-full > div { padding-top: 2px; padding-bottom: 2px; }
.fixed.bottom-2.z-50.w-full svg, .fixed.bottom-2.z-50.w-full a { display: none; }
.fixed.bottom-2.z-50.w-full .text-\\[19px\\] { font-size: 14px; }
.absolute.right-0 > .text-primary.cursor-pointer:has(> button + button) { display: none; }
`;

/** @returns {() => void} to take it away again */
export function adaptPage() {
  const style = document.createElement('style');
  style.textContent = RULES;
  document.head.append(style);
  return () => style.remove();
}
