import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { Room } from '../src/room.js';
import { Seat } from '../src/seat.js';
import { CLIENT_VERSION } from '../src/server.js';
import { MemoryStore } from './memory-store.js';

/** Tabs that said they give back what they hold. @type {string[]} */
let left;

beforeEach(() => {
  left = [];
  globalThis.window = { addEventListener: () => {}, removeEventListener: () => {} };
  globalThis.document = { visibilityState: 'visible', addEventListener: () => {}, removeEventListener: () => {} };
  globalThis.sessionStorage = new MemoryStore();
  globalThis.localStorage = new MemoryStore();
  Object.defineProperty(globalThis, 'navigator', {
    configurable: true,
    value: { sendBeacon: async (_address, body) => left.push(JSON.parse(await body.text()).tab) },
  });
});

const seat = (query = '') => new Seat(new URLSearchParams(query), sessionStorage);

test('who has left gives back what comes late, but not what the next seat of the same tab holds', async () => {
  const first = seat('tab=a');
  first.stop();
  first.giveBack();
  await new Promise(setImmediate);
  assert.deepEqual(left, ['a', 'a']);
  assert.equal(seat().tab, 'a');
  first.giveBack();
  await new Promise(setImmediate);
  assert.deepEqual(left, ['a', 'a']);
});

test('a room that was left while its first level was asked for takes none', async (t) => {
  const { fetch } = globalThis;
  t.after(() => { globalThis.fetch = fetch; });
  const room = new Room();
  globalThis.fetch = async (address, { headers }) => {
    if (address === '/review/me') return new Response(JSON.stringify({ id: 'anna', client: CLIENT_VERSION }));
    assert.deepEqual([address, headers['X-Reading-User']], ['/review/next', 'anna']);
    room.stop();
    return new Response(JSON.stringify({ level_id: 7, study: '1.2', lease_seconds: 900, reads: [], draft: null }));
  };
  assert.equal(await room.start(new URLSearchParams('tab=a'), '1.2'), null);
  await new Promise(setImmediate);
  assert.deepEqual([left, room.state.task, room.seat.renewing], [['a', 'a'], null, undefined]);
});
