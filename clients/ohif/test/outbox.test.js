import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newToken, Outbox } from '../src/outbox.js';
import { MemoryStore } from './memory-store.js';

const posting = (token, at) => ({ token, at, label: 'L3', body: { token, level_id: at } });
const silent = { sent: () => {}, refused: () => {} };
const later = Object.assign(new Error('down'), { later: true });

test('tokens differ', () => {
  assert.match(newToken(), /^[0-9a-f]{32}$/);
  assert.notEqual(newToken(), newToken());
});

test('what waits is sent oldest first, and leaves only when it was taken', async () => {
  const outbox = new Outbox(new MemoryStore(), 'anna');
  outbox.put(posting('b', 2));
  outbox.put(posting('a', 1));
  const sent = [];
  assert.equal(await outbox.flush(async (body) => sent.push(body.token), silent), true);
  assert.deepEqual(sent, ['a', 'b']);
  assert.deepEqual(outbox.waiting(), []);
});

test('without a connection everything stays, and the next try sends the same token', async () => {
  const store = new MemoryStore();
  const outbox = new Outbox(store, 'anna');
  outbox.put(posting('a', 1));
  assert.equal(await outbox.flush(async () => { throw later; }, silent), false);
  const tokens = [];
  await new Outbox(store, 'anna').flush(async (body) => tokens.push(body.token), silent);
  assert.deepEqual(tokens, ['a']);
});

test('a refused read blocks nothing and is told', async () => {
  const outbox = new Outbox(new MemoryStore(), 'anna');
  outbox.put(posting('a', 1));
  outbox.put(posting('b', 2));
  const told = [];
  const send = async (body) => {
    if (body.token === 'a') throw new Error('This level was removed.');
    return { ok: true };
  };
  await outbox.flush(send, { sent: ({ token }) => told.push(`sent ${token}`), refused: ({ token }, error) => told.push(`${token}: ${error.message}`) });
  assert.deepEqual(told, ['a: This level was removed.', 'sent b']);
  assert.deepEqual(outbox.waiting(), []);
});

test('two flushes at once send once', async () => {
  const outbox = new Outbox(new MemoryStore(), 'anna');
  outbox.put(posting('a', 1));
  let count = 0;
  const send = async () => { count += 1; };
  await Promise.all([outbox.flush(send, silent), outbox.flush(send, silent)]);
  assert.equal(count, 1);
});

test('a reader sends only what is theirs', async () => {
  const store = new MemoryStore();
  new Outbox(store, 'anna').put(posting('a', 1));
  assert.deepEqual(new Outbox(store, 'bert').waiting(), []);
});
