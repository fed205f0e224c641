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
  assert.deepEqual(await Promise.all([outbox.flush(send, silent), outbox.flush(send, silent)]), [true, true]);
  assert.equal(count, 1);
});

test('a refused read is kept with the reason, over a reload, until its level is answered', async () => {
  const store = new MemoryStore();
  const outbox = new Outbox(store, 'anna');
  outbox.put(posting('a', 1));
  outbox.put(posting('b', 2));
  await outbox.flush(async () => { throw new Error('This level was changed.'); }, silent);
  const again = new Outbox(store, 'anna');
  assert.deepEqual(again.refused(), [{ ...posting('a', 1), why: 'This level was changed.' }, { ...posting('b', 2), why: 'This level was changed.' }]);
  again.settle(1);
  again.dismiss('b');
  assert.equal(store.length, 0);
});

test('in a full store a refused read stays where it is', async () => {
  const store = new MemoryStore();
  const outbox = new Outbox(store, 'anna');
  outbox.put(posting('a', 1));
  store.setItem = () => { throw new Error('quota'); };
  assert.equal(outbox.put(posting('b', 2)), false);
  const told = [];
  const empty = await outbox.flush(async () => { throw new Error('no'); }, { ...silent, refused: ({ token }) => told.push(token) });
  assert.deepEqual([empty, told, outbox.waiting().map(({ token }) => token)], [false, ['a'], ['a']]);
});

test('what is taken back while another is sent is not sent, and what comes meanwhile is', async () => {
  const outbox = new Outbox(new MemoryStore(), 'anna');
  outbox.put(posting('a', 1));
  outbox.put(posting('b', 2));
  const sent = [];
  const send = async ({ token }) => {
    sent.push(token);
    if (token !== 'a') return;
    outbox.remove('b');
    outbox.put(posting('c', 3));
  };
  assert.equal(await outbox.flush(send, silent), true);
  assert.deepEqual(sent, ['a', 'c']);
});

test('a read taken back while it was on its way is not kept as refused', async () => {
  const outbox = new Outbox(new MemoryStore(), 'anna');
  outbox.put(posting('a', 1));
  await outbox.flush(async () => {
    outbox.remove('a');
    throw new Error('no');
  }, silent);
  assert.deepEqual(outbox.refused(), []);
});

test('a reader sends only what is theirs', async () => {
  const store = new MemoryStore();
  new Outbox(store, 'anna').put(posting('a', 1));
  assert.deepEqual(new Outbox(store, 'bert').waiting(), []);
});
