import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Drafts, emptyDraft } from '../src/drafts.js';
import { MemoryStore } from './memory-store.js';

const typed = { ...emptyDraft(), diagnosis: 'malignant', note: 'soft tissue' };

test('a draft comes back after a reload, to the same reader and level only', () => {
  const store = new MemoryStore();
  new Drafts(store, 'anna').save(7, typed);
  assert.deepEqual(new Drafts(store, 'anna').load(7), typed);
  assert.equal(new Drafts(store, 'anna').load(8), null);
  assert.equal(new Drafts(store, 'bert').load(7), null);
});

test('an empty draft leaves nothing behind', () => {
  const store = new MemoryStore();
  const drafts = new Drafts(store, 'anna');
  drafts.save(7, typed);
  drafts.save(7, emptyDraft());
  assert.equal(store.length, 0);
});

test('a draft that cannot be read is no draft', () => {
  const store = new MemoryStore();
  const drafts = new Drafts(store, 'anna');
  store.setItem(drafts.key(7), '{"draft": {"diagn');
  assert.equal(drafts.load(7), null);
});

test('a draft of an older page has what it lacks filled in', () => {
  const store = new MemoryStore();
  const drafts = new Drafts(store, 'anna');
  store.setItem(drafts.key(7), JSON.stringify({ saved: 1, draft: { diagnosis: 'normal' } }));
  assert.deepEqual(drafts.load(7), { ...emptyDraft(), diagnosis: 'normal' });
});

test('old drafts go, and nothing else of the browser’s store', () => {
  const store = new MemoryStore();
  store.setItem('ohif', 'x');
  let now = 0;
  const drafts = new Drafts(store, 'anna', () => now);
  drafts.save(1, typed);
  now = 59 * 86_400_000;
  drafts.save(2, typed);
  now = 61 * 86_400_000;
  drafts.sweep();
  assert.equal(drafts.load(1), null);
  assert.deepEqual(drafts.load(2), typed);
  assert.equal(store.getItem('ohif'), 'x');
});

/** A store with room for so many entries. */
function small(store, room) {
  const put = store.setItem.bind(store);
  store.setItem = (key, value) => {
    if (store.getItem(key) === null && store.length >= room) throw new Error('quota');
    put(key, value);
  };
  return store;
}

test('when the store is full the oldest drafts of this reader give way, and no more than needed', () => {
  const store = small(new MemoryStore(), 4);
  let now = 5;
  const anna = new Drafts(store, 'anna', () => now);
  new Drafts(store, 'bert', () => 1).save(1, typed);
  anna.save(1, typed);
  now = 3;
  anna.save(2, typed);
  now = 7;
  anna.save(3, typed);
  assert.equal(anna.save(4, typed), true);
  assert.deepEqual([1, 2, 3, 4].map((level) => anna.load(level) !== null), [true, false, true, true]);
  assert.deepEqual(new Drafts(store, 'bert').load(1), typed);
});

test('a draft that fits nowhere is said not to be kept', () => {
  assert.equal(new Drafts(small(new MemoryStore(), 0), 'anna').save(1, typed), false);
});
