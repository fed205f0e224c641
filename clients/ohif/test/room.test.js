import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { Connection } from '../src/connection.js';
import { Dispatch } from '../src/dispatch.js';
import { Drafts } from '../src/drafts.js';
import { LevelEditing } from '../src/levels.js';
import { Room } from '../src/room.js';
import { CLIENT_VERSION } from '../src/server.js';
import { MemoryStore } from './memory-store.js';

globalThis.document ??= { visibilityState: 'visible', addEventListener: () => {}, removeEventListener: () => {} };
globalThis.window ??= { addEventListener: () => {}, removeEventListener: () => {} };
const { fetch } = globalThis;

const taskOf = (level_id, level_version = 1) => ({
  level_id, level_version, name: `L${level_id}`, study: '1.2', mode: 'blinded', list: 'blinded', lease_seconds: 900,
  reads: [], draft: null, notes: [], progress: {},
});
const progress = { session: 1, mine: 1, left: 1, waiting_reports: 0 };
const taken = () => ({ read: {}, progress, notes: [] });
const changed = () => [409, { detail: 'This level was changed.' }];

/** @type {Room} */
let room;
/** @type {MemoryStore} */
let store;
/** What the server answers, by path; arrays are [status, body]. */
let server;
let asked;
let forgotten;

beforeEach(() => {
  store = new MemoryStore();
  asked = [];
  forgotten = [];
  server = { '/me': () => ({ id: 'anna', client: CLIENT_VERSION }), '/reads': taken, '/next': () => taskOf(8) };
  globalThis.fetch = async (address, { body }) => {
    const path = address.replace('/review', '');
    const sent = body && JSON.parse(body);
    asked.push(sent ? [path, sent] : [path]);
    const answer = await server[path](sent);
    if (!answer) throw new TypeError('down');
    const [status, json] = Array.isArray(answer) ? answer : [200, answer];
    return new Response(JSON.stringify(json), { status });
  };
  room = sittingDown();
});

afterEach(() => {
  room.connection.stop();
  globalThis.fetch = fetch;
});

/** A room of this reader, as after the start of the page, with L7 before it. */
function sittingDown() {
  const made = new Room();
  made.seat = { list: 'blinded', tab: 't', hold: () => {}, forgetLevel: () => {}, doneWith: (level) => forgotten.push(level), stop: () => {} };
  made.connection = new Connection(made);
  made.drafts = new Drafts(store, 'anna');
  made.dispatch = new Dispatch(made, store, 'anna');
  made.present = async () => made.begin();
  made.accept(taskOf(7));
  made.begin();
  return made;
}

const fill = (of = room) => of.enter({ diagnosis: 'malignant', confidence: 4, note: 'pedicle' });
const older = (level_id) => ({ token: `old${level_id}`, at: 1, label: `L${level_id}`, list: 'blinded', body: { level_id, token: `old${level_id}`, diagnosis: 'normal', features: [], confidence: 2, basis: 'imaging', seconds: 3, note: 'typed before', name: null, box: null } });
const askedFor = (path) => asked.filter(([one]) => one === path).map(([, body]) => body);

test('a submitted read goes, and the next level comes', async () => {
  fill();
  await room.submit();
  assert.deepEqual([room.state.phase, room.state.task.level_id, forgotten], ['reading', 8, [7]]);
  assert.equal(store.length, 0);
});

test('a level that was changed meanwhile comes again as it is now, and the second try is taken', async () => {
  fill();
  server['/reads'] = ({ level_version }) => (level_version === 2 ? taken() : changed());
  server['/next'] = ({ level_id }) => (level_id === 7 ? taskOf(7, 2) : taskOf(8));
  await room.submit();
  await new Promise(setImmediate);
  assert.deepEqual([room.state.phase, room.state.task.level_version, room.state.draft.note], ['reading', 2, 'pedicle']);
  assert.equal(room.state.message.text, 'L7: This level was changed.');
  await room.submit();
  assert.deepEqual(askedFor('/reads').map((body) => body.level_version), [1, 2]);
  assert.deepEqual([room.state.task.level_id, room.state.refused, store.length], [8, [], 0]);
});

test('a read refused after a reload is listed, and opened again with what was entered', async () => {
  room.dispatch.outbox.put(older(3));
  server['/reads'] = changed;
  await room.dispatch.flush();
  assert.deepEqual(room.state.refused.map(({ label, why }) => `${label} ${why}`), ['L3 This level was changed.']);
  room.accept(taskOf(8));
  assert.equal(room.state.refused.length, 1);
  room.begin();
  server['/next'] = ({ level_id }) => taskOf(level_id, 2);
  await room.openRefused(room.state.refused[0]);
  const { task, draft, message } = room.state;
  assert.deepEqual([task.level_id, draft.diagnosis, draft.note, draft.seconds], [3, 'normal', 'typed before', 3]);
  assert.equal(message.text, 'L3: This level was changed.');
  server['/reads'] = taken;
  server['/next'] = () => taskOf(8);
  await room.submit();
  assert.deepEqual([room.state.refused, store.length], [[], 0]);
});

test('a refused read is dismissed by the reader', async () => {
  room.dispatch.outbox.put(older(3));
  server['/reads'] = changed;
  await room.dispatch.flush();
  room.dispatch.dismiss('old3');
  assert.deepEqual([room.state.refused, store.length], [[], 0]);
});

test('what becomes of an older read leaves the level being read alone', async () => {
  fill();
  room.dispatch.outbox.put(older(3));
  room.dispatch.outbox.put(older(4));
  server['/reads'] = ({ level_id }) => (level_id === 3 ? changed() : { ...taken(), notes: ['finished meanwhile'] });
  server['/next'] = () => false;
  await room.submit();
  // The level itself was stored; only the next one cannot be had.
  assert.equal(room.state.phase, 'waiting');
  assert.deepEqual(forgotten, [4, 7]);
  server['/next'] = () => taskOf(8);
  await room.next();
  assert.equal(room.state.message.text, 'L4: finished meanwhile finished meanwhile');
});

test('where no next level can be had nothing submitted is left to submit again', async () => {
  fill();
  server['/next'] = () => [500, { detail: 'no' }];
  await room.submit();
  assert.deepEqual([room.state.phase, room.state.task, room.state.message.text], ['failed', null, 'no']);
  server['/next'] = () => taskOf(8);
  await room.submit();
  assert.deepEqual([room.state.phase, room.state.task.level_id, askedFor('/reads').length], ['reading', 8, 1]);
});

test('a skipped level is not left to read where no next one can be had', async () => {
  server['/skips'] = () => ({ progress });
  server['/next'] = () => [500, { detail: 'no' }];
  await room.skip('other');
  assert.deepEqual([room.state.phase, room.state.task], ['failed', null]);
});

test('a read taken back while it is on its way keeps its draft', async () => {
  fill();
  server['/reads'] = () => false;
  await room.submit();
  assert.deepEqual([room.state.phase, room.state.waiting], ['waiting', 1]);
  let arrive;
  server['/reads'] = () => new Promise((resolve) => { arrive = () => resolve(taken()); });
  const retried = room.connection.retry();
  while (!arrive) await new Promise(setImmediate);
  await room.undo();
  room.enter({ note: 'changed my mind' });
  arrive();
  await retried;
  assert.deepEqual([room.state.phase, room.state.task.level_id, room.state.draft.note], ['reading', 7, 'changed my mind']);
  assert.equal(room.drafts.load(7).note, 'changed my mind');
  assert.deepEqual(forgotten, []);
  assert.match(room.state.message.text, /submit again to replace it/);
});

test('in a full browser nothing is submitted, and the form stays', async () => {
  fill();
  store.setItem = () => { throw new Error('quota'); };
  await room.submit();
  assert.deepEqual([room.state.phase, room.state.draft.note, askedFor('/reads').length], ['reading', 'pedicle', 0]);
  assert.match(room.state.message.text, /storage of this browser is full.*not submitted/);
});

test('a server that stumbles is asked again', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  fill();
  server['/reads'] = () => [500, { detail: 'no' }];
  await room.submit();
  assert.equal(room.state.phase, 'waiting');
  server['/reads'] = taken;
  t.mock.timers.tick(3000);
  while (room.state.phase !== 'reading') await new Promise(setImmediate);
  assert.equal(room.state.task.level_id, 8);
});

const editing = () => new LevelEditing(room, { boxes: { replace: () => {} }, annotations: { refresh: () => {} } });

test('undo brings a removed level back, with what was typed, until something else was done', async () => {
  server['/levels/7/remove'] = () => ({ levels: [] });
  server['/levels/7/restore'] = () => ({ levels: [] });
  server['/next'] = ({ level_id }) => taskOf(level_id ?? 8);
  const levels = editing();
  fill();
  await levels.removeNow();
  assert.deepEqual([room.state.task.level_id, room.state.removed], [8, { level_id: 7, name: 'L7' }]);
  await levels.bringBack();
  assert.deepEqual([room.state.phase, room.state.task.level_id, room.state.removed], ['reading', 7, null]);
  assert.deepEqual([room.state.draft.diagnosis, room.state.draft.note], ['malignant', 'pedicle']);
  await levels.removeNow();
  assert.equal(room.drafts.load(7).note, 'pedicle');
  fill();
  await room.submit();
  assert.deepEqual([room.state.removed, store.length], [null, 0]);
});

test('from the removal on undo is for it, and nothing is read of the level any more', async () => {
  server['/levels/7/remove'] = () => ({ levels: [] });
  server['/next'] = async () => {
    assert.deepEqual([room.state.phase, room.state.removed?.level_id], ['sending', 7]);
    await room.submit();
    return taskOf(8);
  };
  await editing().removeNow();
  assert.deepEqual([askedFor('/reads'), room.state.task.level_id], [[], 8]);
});

test('a removal that cannot be taken back is left, unless it may be later', async () => {
  server['/levels/7/remove'] = () => ({ levels: [] });
  const levels = editing();
  fill();
  await levels.removeNow();
  for (const away of [undefined, [401, {}], [500, {}]]) {
    server['/levels/7/restore'] = () => away;
    await levels.bringBack();
    assert.deepEqual([room.state.removed.level_id, room.drafts.load(7).note], [7, 'pedicle']);
  }
  server['/levels/7/restore'] = () => [409, { detail: 'There is an L7 by now.' }];
  await levels.bringBack();
  assert.deepEqual([room.state.removed, room.state.message.text, room.state.task.level_id], [null, 'There is an L7 by now.', 8]);
  assert.equal(store.length, 0);
});

test('a level that is back but cannot be opened is not said to be here', async () => {
  server['/levels/7/remove'] = () => ({ levels: [] });
  server['/levels/7/restore'] = () => ({ levels: [] });
  const levels = editing();
  await levels.removeNow();
  server['/next'] = () => [409, { detail: 'Another reader has it.' }];
  await levels.bringBack();
  assert.deepEqual([room.state.phase, room.state.message.text], ['failed', 'Another reader has it.']);
});

test('what was typed of a removed level goes when the next one is skipped or removed too', async () => {
  for (const level_id of [7, 8]) server[`/levels/${level_id}/remove`] = () => ({ levels: [] });
  server['/skips'] = () => ({ progress });
  const levels = editing();
  fill();
  await levels.removeNow();
  fill();
  server['/next'] = () => taskOf(9);
  await levels.removeNow();
  assert.deepEqual([room.state.removed.level_id, room.drafts.load(7), room.drafts.load(8).note], [8, null, 'pedicle']);
  await room.skip('other');
  assert.deepEqual([room.state.removed, store.length], [null, 0]);
});

test('a removal is told before what comes with the next level, and before the end of the list', async () => {
  for (const level_id of [7, 8]) server[`/levels/${level_id}/remove`] = () => ({ levels: [] });
  const levels = editing();
  room.dispatch.notes.push('L4: finished meanwhile');
  await levels.removeNow();
  assert.equal(room.state.message.text, 'L7 is removed: it was not a vertebra. Undo brings it back. L4: finished meanwhile');
  server['/next'] = () => ({ done: true, message: 'Nothing is left to read.' });
  await levels.removeNow();
  assert.deepEqual([room.state.phase, room.state.message.text], ['done', 'L8 is removed: it was not a vertebra. Undo brings it back. Nothing is left to read.']);
});

test('why no level comes after a removal stays on the screen, and undo still brings the removed one back', async () => {
  server['/levels/7/remove'] = () => ({ levels: [] });
  server['/levels/7/restore'] = () => ({ levels: [] });
  server['/next'] = () => [500, { detail: 'no' }];
  const levels = editing();
  await levels.removeNow();
  assert.deepEqual([room.state.phase, room.state.message.text], ['failed', 'no']);
  server['/next'] = ({ level_id }) => taskOf(level_id);
  await levels.bringBack();
  assert.deepEqual([room.state.phase, room.state.task.level_id], ['reading', 7]);
});

test('undo of a removal is offered when the next level is there, not while it is waited for', async () => {
  server['/levels/7/remove'] = () => ({ levels: [] });
  server['/next'] = () => false;
  const levels = editing();
  await levels.removeNow();
  assert.deepEqual([room.state.phase, room.state.message.text], ['waiting', 'L7 is removed.']);
  await levels.bringBack();
  assert.deepEqual(askedFor('/levels/7/restore'), []);
  server['/next'] = () => taskOf(8);
  await room.connection.retry();
  assert.deepEqual([room.state.phase, room.state.task.level_id, room.state.removed.level_id], ['reading', 8, 7]);
  assert.match(room.state.message.text, /Undo brings it back/);
});

test('the last level of a list, brought back as the connection goes, is read when it is there again', async () => {
  server['/levels/7/remove'] = () => ({ levels: [] });
  server['/levels/7/restore'] = () => ({ levels: [] });
  server['/next'] = () => ({ done: true, message: 'Nothing is left to read.' });
  const levels = editing();
  fill();
  await levels.removeNow();
  server['/next'] = () => false;
  await levels.bringBack();
  assert.deepEqual([room.state.phase, room.state.task, room.state.connection], ['waiting', null, 'offline']);
  assert.equal(room.state.message.text, 'L7 is part of the study again.');
  server['/next'] = () => taskOf(7, 2);
  await room.connection.retry();
  assert.deepEqual([room.state.phase, room.state.task.level_id, room.state.draft.note], ['reading', 7, 'pedicle']);
});

test('the level on the screen is read on where a removed one cannot be opened for want of a connection', async () => {
  server['/levels/7/remove'] = () => ({ levels: [] });
  server['/levels/7/restore'] = () => ({ levels: [] });
  const levels = editing();
  await levels.removeNow();
  server['/next'] = () => false;
  await levels.bringBack();
  assert.deepEqual([room.state.phase, room.state.task.level_id, room.state.message.text], ['reading', 8, 'L7 is part of the study again.']);
});
