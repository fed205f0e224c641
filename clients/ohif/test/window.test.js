import assert from 'node:assert/strict';
import { test } from 'node:test';
import { windowOf } from '../src/window.js';

/** Marrow of 300 in a box of 100 to 140, fat of 3000 at the right edge, air elsewhere. */
function picture() {
  const pixels = new Uint16Array(200 * 200).fill(20);
  for (let y = 0; y < 200; y += 1) {
    for (let x = 0; x < 200; x += 1) {
      if (x >= 100 && x < 140 && y >= 100 && y < 140) pixels[y * 200 + x] = 300;
      if (x >= 190) pixels[y * 200 + x] = 3000;
    }
  }
  return { pixels, columns: 200, rows: 200 };
}
const BOX = [100, 100, 140, 140];

test('a header’s window that shows the level is kept', () => {
  assert.deepEqual(windowOf(picture(), BOX, { width: 600, centre: 300 }), { lower: 0, upper: 600 });
});

test('a window for the bright fat gives way to one for the level', () => {
  const range = windowOf(picture(), BOX, { width: 3000, centre: 1500 });
  assert.ok(range && range.upper < 600 && range.upper > 300);
});

test('absent and silly windows are replaced', () => {
  for (const header of [{}, { width: 0, centre: 100 }, { width: 10, centre: 4000 }]) {
    const range = windowOf(picture(), BOX, header);
    assert.ok(range && range.lower <= 20 && range.upper > 300);
  }
});

test('stored values are scaled to the units of the modality', () => {
  const range = windowOf({ ...picture(), slope: 2, intercept: -10 }, BOX, {});
  assert.ok(range && range.lower === 30 && range.upper > 590);
});

test('an even picture has no window of its own', () => {
  assert.equal(windowOf({ pixels: new Uint8Array(100), columns: 10, rows: 10 }, null, {}), null);
});
