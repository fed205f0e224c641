import assert from 'node:assert/strict';
import { test } from 'node:test';
import { indexOf } from '../src/series.js';
import { numbered } from '../src/slice-numbers.js';
import { sagittal } from './slices.js';

/** Slices at these origins, of one file. */
const frames = (origins, changes = {}) => numbered(origins.map((origin) => ({ sop: 'f', plane: sagittal({ origin, ...changes }) })));
const numbers = (slices) => slices.map(({ number }) => number);

test('the server counts a sagittal series from the left, whichever frame comes first in the file', () => {
  assert.deepEqual(numbers(frames([[-4, 0, 0], [0, 0, 0], [4, 0, 0]])), [2, 1, 0]);
  assert.deepEqual(numbers(frames([[4, 0, 0], [0, 0, 0], [-4, 0, 0]])), [0, 1, 2]);
  // Frames of two interleaved passes, and rows that run the other way.
  assert.deepEqual(numbers(frames([[0, 0, 0], [8, 0, 0], [4, 0, 0], [12, 0, 0]], { row: [0, -1, 0] })), [3, 1, 2, 0]);
});

test('other series are counted along their normal', () => {
  const axial = { row: [1, 0, 0], column: [0, 1, 0] };
  assert.deepEqual(numbers(frames([[0, 0, 8], [0, 0, 0], [0, 0, 4]], axial)), [2, 0, 1]);
  const coronal = { row: [1, 0, 0], column: [0, 0, -1] };
  assert.deepEqual(numbers(frames([[0, 0, 0], [0, 4, 0]], coronal)), [0, 1]);
  // Turned by more than 35 degrees, a stack is sagittal no longer.
  const turned = (row) => ({ row, column: [0, 0, -1] });
  assert.deepEqual(numbers(frames([[0, 0, 0], [9.6, 2.8, 0]], turned([0.28, -0.96, 0]))), [1, 0]);
  assert.deepEqual(numbers(frames([[0, 0, 0], [8, 6, 0]], turned([0.6, -0.8, 0]))), [0, 1]);
});

test('pictures without a place keep the order of the viewer', () => {
  assert.deepEqual(numbers(frames([[0, 0, 0], [0, 0, 0], [0, 0, 0]])), [0, 1, 2]);
  assert.deepEqual(numbered([]), []);
});

test('a place of the server is found by its number where the UID is shared, else by its UID', () => {
  const series = { slices: frames([[-4, 0, 0], [0, 0, 0], [4, 0, 0]]) };
  assert.deepEqual([0, 1, 2, 3].map((slice) => indexOf(series, 'f', slice)), [2, 1, 0, -1]);
  const single = { slices: numbered([-4, 4].map((x) => ({ sop: `s${x}`, plane: sagittal({ origin: [x, 0, 0] }) }))) };
  assert.equal(indexOf(single, 's4', 7), 1);
  assert.equal(indexOf(single, 'gone', 0), -1);
});
