import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StudyBoxes } from '../src/boxes.js';
import { suggestedName } from '../src/suggest.js';

const placed = (series, slice, box = [0, 0, 10, 10]) => ({ series, sop: `${series}.${slice}`, slice, box });
const on = (series, slice) => ({ sop: `${series}.${slice}`, number: slice, shared: false });
const level = (id, name, boxes) => ({ id, version: 1, name, source: 'detected', boxes });

test('a changed box replaces the server’s on its slice only', () => {
  const boxes = new StudyBoxes([level(1, 'L1', [placed('a', 1), placed('a', 2)])]);
  boxes.change(1, placed('a', 2, [5, 5, 20, 20]));
  assert.deepEqual(boxes.of(1, 'a', on('a', 2))?.box, [5, 5, 20, 20]);
  assert.deepEqual(boxes.served(1, 'a', on('a', 2))?.box, [0, 0, 10, 10]);
  assert.deepEqual(boxes.of(1, 'a', on('a', 1))?.box, [0, 0, 10, 10]);
  assert.deepEqual(boxes.on('a', on('a', 2)).map(({ level: one }) => one.name), ['L1']);
  assert.equal(boxes.inSeries(1, 'a').length, 2);
});

test('changes stay when levels are renamed, and go when asked', () => {
  const boxes = new StudyBoxes([level(1, 'L1', [placed('a', 1)])]);
  boxes.change(1, placed('a', 1, [5, 5, 20, 20]));
  boxes.replace([level(1, 'L2', [placed('a', 1)])]);
  assert.deepEqual(boxes.of(1, 'a', on('a', 1))?.box, [5, 5, 20, 20]);
  boxes.forget(1);
  assert.deepEqual(boxes.of(1, 'a', on('a', 1))?.box, [0, 0, 10, 10]);
});

test('a slice with a UID of its own is found by it, however the server counts by now', () => {
  const boxes = new StudyBoxes([level(1, 'L1', [placed('a', 2)])]);
  assert.equal(boxes.of(1, 'a', { ...on('a', 2), number: 5 })?.slice, 2);
});

test('frames of one file have boxes of their own', () => {
  const frame = (slice, box) => ({ series: 'a', sop: 'a', slice, box });
  const boxes = new StudyBoxes([level(1, 'L1', [frame(1, [0, 0, 10, 10]), frame(2, [1, 1, 11, 11])])]);
  const of = (number) => boxes.of(1, 'a', { sop: 'a', number, shared: true })?.box ?? null;
  assert.deepEqual([0, 1, 2].map(of), [null, [0, 0, 10, 10], [1, 1, 11, 11]]);
  boxes.change(1, frame(2, [5, 5, 20, 20]));
  assert.deepEqual([0, 1, 2].map(of), [null, [0, 0, 10, 10], [5, 5, 20, 20]]);
  assert.deepEqual(boxes.inSeries(1, 'a').map(({ slice }) => slice), [1, 2]);
});

const NAMES = ['T11', 'T12', 'T13', 'L1', 'L2', 'L3', 'L4', 'L5', 'L6', 'S1'];
const column = (...names) => names.map((name, index) => ({ name, height: index * 30 }));

test('a drawn level gets the name missing between its neighbours', () => {
  assert.equal(suggestedName([{ name: 'L1', height: 0 }, { name: 'L3', height: 60 }], 30, NAMES), 'L2');
  assert.equal(suggestedName(column('T12', 'L1'), -30, NAMES), 'T11');
  assert.equal(suggestedName(column('L4', 'L5'), 90, NAMES), 'S1');
});

test('where no name is free between them it is a supernumerary one', () => {
  assert.equal(suggestedName(column('T12', 'L1'), 15, NAMES), 'T13');
  assert.equal(suggestedName(column('L5', 'S1'), 15, NAMES), 'L6');
  assert.equal(suggestedName(NAMES.map((name, index) => ({ name, height: index })), 3.5, NAMES), null);
});

test('elsewhere it is the nearest name that is free', () => {
  assert.equal(suggestedName(column('T11', 'T12', 'L1', 'L2', 'L3', 'L4', 'L5', 'S1'), 75, NAMES), 'T13');
});
