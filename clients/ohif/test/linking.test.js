import assert from 'node:assert/strict';
import { test } from 'node:test';
import { besides, carried, companion, inPlane, nearest, sameChange } from '../src/linking.js';
import { sagittal } from './slices.js';

const close = (actual, expected) => actual.forEach((value, index) => assert.ok(Math.abs(value - expected[index]) < 1e-9, `${actual} is not ${expected}`));
const stack = (depths, changes = {}) => depths.map((x) => sagittal({ origin: [x, -100, 200], ...changes }));

test('a corner moved by millimetres moves the other box by as many, whatever its pixels', () => {
  const fine = sagittal({ columnSpacing: 0.25, rowSpacing: 0.4 });
  // 10 columns of 0.5 mm are 20 columns of 0.25 mm.
  close(sameChange(sagittal(), [20, 30, 60, 70], [20, 30, 70, 75], fine, [100, 100, 200, 200]), [100, 100, 220, 210]);
});

test('what the other box is off by, it stays off by', () => {
  close(sameChange(sagittal(), [20, 30, 60, 70], [22, 30, 60, 70], sagittal({ origin: [10, -93, 204] }), [5, 6, 45, 46]), [7, 6, 45, 46]);
});

test('in a picture that runs the other way the opposite edge moves', () => {
  const turned = sagittal({ row: [0, -1, 0] });
  close(sameChange(sagittal(), [20, 30, 60, 70], [20, 30, 70, 70], turned, [100, 30, 140, 70]), [90, 30, 140, 70]);
});

test('a box without a counterpart is carried over through the patient', () => {
  const fine = sagittal({ columnSpacing: 0.25, rowSpacing: 0.4 });
  const [x0, , x1] = carried(sagittal(), [20, 30, 60, 70], fine);
  assert.ok(Math.abs(x1 - x0 - 80) < 1e-9);
});

test('scrolling keeps how the two series lay when they were opened', () => {
  const t1 = stack([0, 4, 8, 12, 16]);
  const t2 = stack([1, 5, 9, 13, 17]);
  assert.equal(companion(t1, 2, 4, t2, 2), 4);
  // T2 was opened one slice further on because it lies 4 mm off: it stays one further on.
  assert.equal(companion(t1, 2, 1, t2, 3), 2);
});

test('series in opposite order of slices scroll the same way through the patient', () => {
  assert.equal(companion(stack([0, 4, 8, 12]), 1, 2, stack([12, 8, 4, 0]), 2), 1);
});

test('series of different thickness meet at the nearest slice', () => {
  assert.equal(companion(stack([0, 4, 8, 12]), 0, 3, stack([0, 6, 12, 18]), 0), 2);
  assert.equal(nearest([], 3, [1, 0, 0]), -1);
});

test('only the part of a movement that lies in the picture counts', () => {
  close(inPlane(sagittal(), [5, 2, -3]), [0, 2, -3]);
});

test('a level is found in a series without boxes', () => {
  const found = besides(sagittal({ origin: [8.5, -100, 200] }), [20, 30, 60, 70], stack([0, 4, 8, 12]));
  assert.equal(found?.index, 2);
  close(found?.box ?? [], [20, 30, 60, 70]);
  assert.equal(besides(sagittal(), [20, 30, 60, 70], []), null);
});
