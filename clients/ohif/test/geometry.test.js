import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clipped, corners, extent, fault, normal, spanned, toPixel, toWorld } from '../src/geometry.js';
import { sagittal } from './slices.js';

test('the corner of the first pixel lies half a pixel before its centre', () => {
  assert.deepEqual(toWorld(sagittal(), [0.5, 0.5]), [10, -100, 200]);
  assert.deepEqual(toWorld(sagittal(), [0, 0]), [10, -100.25, 200.4]);
});

test('a point goes to the patient and comes back', () => {
  const back = toPixel(sagittal(), toWorld(sagittal(), [123.4, 56.7]));
  assert.ok(Math.abs(back[0] - 123.4) < 1e-9 && Math.abs(back[1] - 56.7) < 1e-9);
});

test('a box survives its corners, whichever corner was dragged over which', () => {
  const points = corners(sagittal(), [20, 30, 60, 70]);
  assert.deepEqual(spanned(sagittal(), points).map(Math.round), [20, 30, 60, 70]);
  assert.deepEqual(spanned(sagittal(), points.reverse()).map(Math.round), [20, 30, 60, 70]);
});

test('the normal stands on both axes', () => {
  assert.deepEqual(normal(sagittal()), [-1, 0, 0]);
});

test('sizes are in millimetres', () => {
  assert.deepEqual(extent(sagittal(), [0, 0, 40, 20]), { width: 20, height: 16 });
});

test('a box is cut at the edges of the picture', () => {
  assert.deepEqual(clipped(sagittal(), [-5, 10, 500, 20]), [0, 10, 400, 20]);
});

test('a box outside, and one without area, are refused in words', () => {
  assert.match(fault(sagittal(), [-50, 10, -20, 40]) ?? '', /outside the picture/);
  assert.match(fault(sagittal(), [400, 10, 400, 40]) ?? '', /outside the picture/);
  assert.match(fault(sagittal(), [10, 10, 12, 12]) ?? '', /too small/);
  assert.match(fault(sagittal(), [10, 10, 10, 10]) ?? '', /too small/);
  assert.equal(fault(sagittal(), [10, 10, 60, 40]), null);
});
