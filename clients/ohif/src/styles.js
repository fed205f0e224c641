// The panel's looks, in the dark of the viewer round it.

export const STYLES = `
.sr { display: flex; flex-direction: column; position: absolute; inset: 0; overflow: hidden; background: #05070f; color: #dbe3f0;
  font: 400 13px/1.35 Inter, system-ui, sans-serif; }
.sr [hidden] { display: none !important; }
.sr h3 { margin: 0 0 4px; font-size: 11px; font-weight: 600; letter-spacing: .04em; color: #7f93b2; display: flex; gap: 8px; align-items: center; }
.sr p { margin: 0; }
.sr kbd { font: 500 10px/14px ui-monospace, Menlo, monospace; color: #9fb3d1; border: 1px solid #2c3a55; border-radius: 3px; padding: 0 4px;
  background: #0c1322; letter-spacing: 0; flex: none; }
.sr button { font: inherit; cursor: pointer; }
.sr button:disabled { opacity: .38; cursor: default; }
.sr button:focus-visible, .sr select:focus-visible, .sr textarea:focus-visible { outline: 2px solid #5acce6; outline-offset: 1px; }
.sr-row { display: flex; align-items: center; gap: 8px; }
.sr-head { padding: 8px 12px; border-bottom: 1px solid #17213a; position: relative; flex: none; }
.sr-caution { color: #ffb74d; font-size: 11px; font-weight: 600; margin-right: auto; }
.sr-home { color: #5acce6; font-size: 11px; }
.sr-mode { font-size: 11px; border-radius: 9px; padding: 0 8px; background: #123047; color: #8fd8ee; }
.sr-mode[data-mode=""] { display: none; }
.sr-mode[data-mode="blinded"] { background: #33260a; color: #ffca62; }
.sr-mode[data-mode="adjudication"] { background: #2d1741; color: #d9b3ff; }
.sr .sr-level { font: 700 24px/28px Inter, system-ui, sans-serif; color: #ffc107; background: transparent; border: 0; border-radius: 5px; padding: 0 22px 0 0; margin: 0;
  min-width: 84px; height: 30px; background-position: right 2px center; cursor: pointer; }
.sr-level option { font-size: 14px; background: #0b1222; color: #fff; }
.sr-reason { min-height: 36px; }
.sr-unsure { font-size: 11px; color: #ffb74d; border: 1px solid #6b4a12; border-radius: 9px; padding: 0 7px; }
.sr-where { margin-left: auto; color: #7f93b2; font-size: 11px; }
.sr-notes { color: #ffca62; }
.sr-progress { color: #7f93b2; font-size: 11px; margin-top: 2px; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.sr-banner { margin: 6px -12px -8px; padding: 6px 12px; background: #5a1a1a; color: #ffe1e1; font-weight: 500; }
.sr-banner[data-kind="online"] { background: #33260a; color: #ffca62; }
.sr-scroll { flex: 1; overflow-y: auto; overflow-x: hidden; scrollbar-width: thin; scrollbar-color: #2c3a55 transparent; }
.sr-empty { flex: 1; padding: 24px 16px; color: #9fb3d1; }
.sr-section { padding: 6px 12px; border-bottom: 1px solid #101830; }
.sr-section h3:not(:first-child) { margin-top: 7px; }
.sr-uncertainty { margin-right: auto; font-weight: 500; letter-spacing: 0; }
.sr h3 .sr-button { letter-spacing: 0; font-weight: 500; min-height: 22px; font-size: 11px; color: #dbe3f0; }
.sr-bar { display: grid; grid-template-columns: 100px 1fr 40px; align-items: center; gap: 8px; height: 16px; font-size: 12px; }
.sr-bar b { text-align: right; font-weight: 500; font-variant-numeric: tabular-nums; }
.sr-track { height: 8px; border-radius: 4px; background: #121b30; overflow: hidden; }
.sr-track i { display: block; height: 100%; border-radius: 4px; }
.sr-parts { color: #7f93b2; font-size: 11px; line-height: 15px; margin: 3px 0 0; display: grid; grid-template-columns: 1fr 1fr; column-gap: 16px; }
.sr-parts span { display: flex; justify-content: space-between; }
.sr-parts b { font-weight: 500; color: #9fb3d1; font-variant-numeric: tabular-nums; }
.sr-actions { display: flex; gap: 6px; }
.sr-button, .sr-choice { display: flex; align-items: center; justify-content: space-between; gap: 6px; border: 1px solid #24324f; border-radius: 5px;
  background: #0b1222; color: #dbe3f0; padding: 3px 8px; min-height: 28px; text-align: left; }
.sr-button:hover:not(:disabled), .sr-choice:hover:not(:disabled) { border-color: #3f5d8d; background: #101a31; }
.sr-small { min-height: 24px; padding: 1px 7px; font-size: 12px; }
.sr [aria-pressed="true"] { background: #0d3d52; border-color: #5acce6; color: #fff; }
.sr-primary { background: #0e5d7a; border-color: #2b9fc4; color: #fff; font-weight: 600; }
.sr-primary:hover:not(:disabled) { background: #127498; }
.sr-primary kbd { color: #d7f3fc; border-color: #2b9fc4; background: #0a4a61; }
.sr-classes { display: grid; grid-template-columns: 1fr 1fr; gap: 5px; }
.sr-classes .sr-choice { min-height: 28px; font-weight: 500; }
.sr-confidences { display: grid; grid-template-columns: repeat(5, 1fr); gap: 4px; }
.sr-confidences .sr-choice { padding: 3px 5px; font-size: 12px; gap: 3px; }
.sr-line { display: grid; grid-template-columns: 58px 1fr; gap: 6px; align-items: center; margin-top: 6px; }
.sr-line h3 { margin: 0 !important; }
.sr-bases { display: grid; grid-template-columns: repeat(4, auto); gap: 4px; }
.sr-bases .sr-choice { min-height: 24px; padding: 0 4px; font-size: 11px; justify-content: center; }
.sr-features { display: grid; grid-template-columns: 1fr 1fr; column-gap: 8px; }
.sr-feature { display: flex; align-items: center; gap: 6px; height: 20px; border: 0; background: none; color: #c6d2e6; padding: 0 2px; font-size: 12px; text-align: left; border-radius: 4px; }
.sr-feature:hover:not(:disabled) { background: #101a31; }
.sr-feature span { flex: 1; white-space: nowrap; }
.sr-feature i { width: 12px; height: 12px; border: 1px solid #4a5f86; border-radius: 3px; flex: none; }
.sr-feature[aria-checked="true"] { color: #fff; }
.sr-feature[aria-checked="true"] i { background: #5acce6; border-color: #5acce6; box-shadow: inset 0 0 0 2px #0b1222; }
.sr-note { width: 100%; resize: none; border: 1px solid #24324f; border-radius: 5px; background: #0b1222; color: #fff; padding: 5px 7px; font: inherit; }
.sr-select { background: #0b1222; color: #fff; border: 1px solid #24324f; border-radius: 5px; padding: 2px 6px; font: inherit; min-width: 72px; }
.sr-tools { display: grid; grid-template-columns: 1fr 1fr; gap: 4px; }
.sr-tools + .sr-tools { margin-top: 8px; }
.sr-small span { white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.sr-faint { color: #64789a; font-size: 11px; margin-top: 6px !important; }
.sr-columns { display: grid; grid-template-columns: 1fr 1fr; gap: 8px; }
.sr-column { border: 1px solid #24324f; border-radius: 6px; padding: 6px 8px; background: #0b1222; font-size: 12px; display: flex; flex-direction: column; gap: 2px; min-width: 0; }
.sr-column h4 { margin: 0; color: #8fd8ee; font-weight: 600; overflow: hidden; text-overflow: ellipsis; }
.sr-column ul { margin: 2px 0; padding-left: 14px; list-style: disc; }
.sr-column blockquote { margin: 2px 0; color: #9fb3d1; font-style: italic; overflow-wrap: anywhere; }
.sr-column .sr-button { margin-top: auto; }
.sr-differs { color: #ffca62; }
.sr-menu { position: absolute; left: 0; right: 0; bottom: 88px; background: #0a1120; border-top: 2px solid #5acce6; padding: 10px 12px; display: flex;
  flex-direction: column; gap: 6px; box-shadow: 0 -12px 24px rgba(0, 0, 0, .6); z-index: 2; max-height: 70%; overflow-y: auto; }
.sr-menu > .sr-button { align-self: flex-start; }
.sr-similar { display: grid; grid-template-columns: repeat(3, 1fr); gap: 6px; }
.sr-similar img { width: 100%; aspect-ratio: 1; object-fit: cover; border-radius: 4px; }
.sr-similar figcaption { font-size: 11px; color: #9fb3d1; }
.sr-refused { flex: none; max-height: 132px; overflow-y: auto; padding: 6px 12px; background: #3a1416; color: #ffe1e1; font-size: 12px;
  display: flex; flex-direction: column; gap: 4px; }
.sr-refused .sr-row { justify-content: flex-end; }
.sr-foot { flex: none; border-top: 1px solid #17213a; padding: 6px 12px 10px; background: #05070f; z-index: 3; }
.sr-message { height: 36px; overflow: hidden; font-size: 12px; line-height: 17px; color: #9fb3d1; display: flex; align-items: center; }
.sr-message[data-kind="warning"] { color: #ffca62; }
.sr-message[data-kind="error"] { color: #ff8a80; }
.sr-foot .sr-primary { flex: 1; }
.sr-foot .sr-button { min-height: 34px; }
`;
