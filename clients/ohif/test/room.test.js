import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { Connection } from '../src/connection.js';
import { Dispatch } from '../src/dispatch.js';
import { Drafts, emptyDraft } from '../src/drafts.js';
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
/** What became of the levels that the seat was given. */
let held;

beforeEach(() => {
  store = new MemoryStore();
  asked = [];
  forgotten = [];
  held = [];
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
  made.seat = { list: 'blinded', tab: 't', hold: () => held.push('held'), giveBack: () => held.push('given back'), forgetLevel: () => {}, doneWith: (level) => forgotten.push(level), stop: () => {} };
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

/** A read as the server tells it. */
const readOf = (changes = {}) => ({ id: 1, reader: 'anna', diagnosis: 'normal', features: ['no_collapse'], confidence: 5, basis: 'imaging', note: 'as submitted', name: 'L7', box: null, ...changes });
const box = (slice, x = 0) => ({ series: 't1', sop: `t1.${slice}`, slice, box: [x, 0, 10, 10] });
/** An answer that comes when it is told to. */
function later(answer) {
  let arrive;
  const come = new Promise((resolve) => { arrive = () => resolve(answer); });
  return { arrive: () => { arrive(); return new Promise(setImmediate); }, answer: () => come };
}

test('undo pressed twice within one round trip takes one read back', async () => {
  const { arrive, answer } = later({ ...taskOf(6), draft: readOf() });
  server['/undo'] = answer;
  const first = room.undo();
  assert.equal(room.state.phase, 'sending');
  await room.undo();
  await room.submit();
  await arrive();
  await first;
  assert.deepEqual([askedFor('/undo').length, askedFor('/reads').length], [1, 0]);
  assert.deepEqual([room.state.phase, room.state.task.level_id, room.state.draft.note], ['reading', 6, 'as submitted']);
});

test('pictures that come while an undo is on its way let nobody press it again', async () => {
  room.accept(taskOf(8));
  server['/undo'] = later(null).answer;
  void room.undo();
  room.begin();
  assert.equal(room.state.phase, 'sending');
});

test('a refused undo leaves the reader where they were', async () => {
  server['/undo'] = () => [404, { detail: 'There is nothing to take back in this window.' }];
  await room.undo();
  assert.deepEqual([room.state.phase, room.state.task.level_id, room.state.message.text], ['reading', 7, 'There is nothing to take back in this window.']);
  const presented = [];
  room.present = async ({ level_id }) => presented.push(level_id);
  room.accept(taskOf(8));
  await room.undo();
  assert.deepEqual([room.state.phase, presented], ['opening', [8]]);
});

test('a read that is taken back is kept over a reload at once', async () => {
  server['/undo'] = () => ({ ...taskOf(6), draft: readOf({ box: box(3) }) });
  await room.undo();
  const again = sittingDown();
  again.connection.stop();
  again.accept(taskOf(6));
  assert.deepEqual([again.state.draft.diagnosis, again.state.draft.note, again.state.draft.box], ['normal', 'as submitted', box(3)]);
});

test('what was typed since is not replaced by the read that is taken back, and a moved box goes into it', async () => {
  fill();
  server['/undo'] = () => ({ ...taskOf(7), draft: readOf() });
  await room.undo();
  assert.deepEqual([room.state.draft.diagnosis, room.drafts.load(7).note], ['malignant', 'pedicle']);
  room.drafts.save(6, { ...emptyDraft(), box: box(2), boxes: [box(2)] });
  server['/undo'] = () => ({ ...taskOf(6), draft: readOf({ box: box(3) }) });
  await room.undo();
  assert.deepEqual([room.state.draft.note, room.state.draft.box, room.state.draft.boxes], ['as submitted', box(2), [box(2)]]);
});

test('undo names the level on the page, and none where what is on it is answered', async () => {
  server['/undo'] = () => [404, { detail: 'nothing' }];
  await room.undo();
  server['/next'] = () => [503, {}];
  fill();
  await room.submit();
  assert.equal(room.state.phase, 'waiting');
  await room.undo();
  server['/next'] = () => ({ done: true, message: 'Nothing is left to read.' });
  await room.next();
  await room.undo();
  assert.deepEqual(askedFor('/undo').map(({ level_id }) => level_id), [7, null, null]);
});

test('an undo without an answer is said to be unsure, and is asked again for the same level', async () => {
  fill();
  server['/undo'] = () => false;
  await room.undo();
  assert.deepEqual([room.state.phase, room.state.draft.note], ['reading', 'pedicle']);
  assert.match(room.state.message.text, /may be taken back or not/);
  server['/undo'] = () => ({ ...taskOf(6), draft: readOf() });
  await room.undo();
  assert.deepEqual(askedFor('/undo'), [{ tab: 't', level_id: 7 }, { tab: 't', level_id: 7 }]);
  assert.equal(room.drafts.load(7).note, 'pedicle');
});

test('an undo refused while the next level is waited for does not end the waiting', async () => {
  server['/next'] = () => [503, {}];
  fill();
  await room.submit();
  server['/undo'] = () => [409, { detail: 'Somebody else has it.' }];
  server['/next'] = () => taskOf(8);
  await room.undo();
  while (room.state.phase !== 'reading') await new Promise(setImmediate);
  assert.equal(room.state.task.level_id, 8);
});

test('a removed level is brought back once, and undo is nothing else while it is opened', async () => {
  server['/levels/7/remove'] = () => ({ levels: [] });
  const levels = editing();
  await levels.removeNow();
  const restored = later({ levels: [] });
  const opened = later(taskOf(7));
  server['/levels/7/restore'] = restored.answer;
  server['/next'] = opened.answer;
  const first = levels.bringBack();
  await levels.bringBack();
  await restored.arrive();
  await room.undo();
  await opened.arrive();
  await first;
  assert.deepEqual([askedFor('/levels/7/restore').length, askedFor('/undo').length, room.state.task.level_id], [1, 0, 7]);
});

test('looked at again, a read keeps its own box, also where one beside it was dragged meanwhile', () => {
  room.accept({ ...taskOf(9), reads: [readOf({ box: box(3) })] });
  assert.deepEqual([room.state.draft.note, room.state.draft.box, room.state.draft.boxes], ['as submitted', box(3), [box(3)]]);
  room.drafts.save(9, { ...emptyDraft(), box: box(4), boxes: [box(4)] });
  room.accept({ ...taskOf(9), reads: [readOf({ box: box(3) })] });
  assert.deepEqual([room.state.draft.diagnosis, room.state.draft.note, room.state.draft.box], ['normal', 'as submitted', box(4)]);
  room.drafts.drop(9);
  room.dispatch.outbox.write(room.dispatch.outbox.refusedPrefix, { ...older(9), why: 'no' });
  room.drafts.save(9, { ...emptyDraft(), box: box(4), boxes: [box(4)] });
  room.accept(taskOf(9));
  assert.deepEqual([room.state.draft.note, room.state.draft.box], ['typed before', box(4)]);
});

test('a name that the level has by now is no other name of the reader’s', async () => {
  room.enter({ name: 'L6' });
  server['/studies/1.2/shift'] = () => ({ levels: [{ id: 7, version: 2, name: 'L6', boxes: [] }] });
  await editing().shift(1);
  assert.deepEqual([room.state.task.name, room.state.draft.name, room.drafts.load(7)], ['L6', null, null]);
  room.accept({ ...taskOf(7), reads: [readOf()] });
  assert.equal(room.state.draft.name, null);
});

test('names are shifted once for one press, from what the page shows', async () => {
  const { arrive, answer } = later({ levels: [{ id: 7, version: 2, name: 'L6', boxes: [] }] });
  server['/studies/1.2/shift'] = answer;
  const levels = editing();
  const first = levels.shift(1);
  await levels.shift(1);
  await arrive();
  await first;
  assert.deepEqual(askedFor('/studies/1.2/shift'), [{ by: 1, tab: 't', level_id: 7, level_version: 1 }]);
  assert.deepEqual([room.state.phase, room.state.task.name, room.state.task.level_version], ['reading', 'L6', 2]);
});

test('a shift whose answer was lost is not done twice: the names come as they are, with what was entered', async () => {
  fill();
  server['/studies/1.2/shift'] = () => false;
  const levels = editing();
  await levels.shift(1);
  assert.match(room.state.message.text, /may have been saved or not/);
  server['/studies/1.2/shift'] = () => [409, { detail: 'The names were changed meanwhile.' }];
  server['/next'] = ({ level_id }) => ({ ...taskOf(level_id, 2), name: 'L6' });
  await levels.shift(1);
  assert.deepEqual([room.state.phase, room.state.task.name, room.state.task.level_version, room.state.draft.note], ['reading', 'L6', 2, 'pedicle']);
  assert.equal(room.state.message.text, 'The names were changed meanwhile.');
});

test('a level that comes after the reader has left goes back', async () => {
  const { arrive, answer } = later(taskOf(8));
  server['/next'] = answer;
  fill();
  const submitted = room.submit();
  while (!askedFor('/next').length) await new Promise(setImmediate);
  held = [];
  room.stop();
  await arrive();
  await submitted;
  assert.deepEqual([held, room.state.task.level_id], [['given back'], 7]);
});

test('a read taken back after the reader has left is kept for when they come again', async () => {
  const { arrive, answer } = later({ ...taskOf(6), draft: readOf() });
  server['/undo'] = answer;
  const undone = room.undo();
  room.stop();
  await arrive();
  await undone;
  assert.deepEqual([held.at(-1), room.drafts.load(6).note], ['given back', 'as submitted']);
});

test('a room that was left asks for no more levels when the connection returns', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  fill();
  const lost = later(false);
  server['/reads'] = lost.answer;
  const submitted = room.submit();
  while (!askedFor('/reads').length) await new Promise(setImmediate);
  room.stop();
  await lost.arrive();
  await submitted;
  server['/reads'] = taken;
  t.mock.timers.tick(3000);
  await new Promise(setImmediate);
  assert.deepEqual([askedFor('/reads').length, askedFor('/next').length], [1, 0]);
});

test('a read is sent by nobody but its reader: where another has signed in the page is loaded anew', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let reloaded = 0;
  room.set({ me: { id: 'anna' } });
  t.after(() => { delete window.location; });
  window.location = { reload: () => { reloaded += 1; } };
  server['/me'] = () => ({ id: 'bert', client: CLIENT_VERSION });
  server['/reads'] = () => [401, { detail: 'Somebody else is signed in.' }];
  fill();
  await room.submit();
  assert.deepEqual([room.state.connection, room.state.waiting], ['signed out', 1]);
  t.mock.timers.tick(3000);
  while (!reloaded) await new Promise(setImmediate);
  const berts = new Dispatch(room, store, 'bert');
  await berts.flush();
  assert.equal(askedFor('/reads').length, 1);
  assert.equal(new Drafts(store, 'bert').load(7), null);
  assert.deepEqual([room.dispatch.outbox.waiting().length, room.drafts.load(7).note], [1, 'pedicle']);
});

test('pictures that could not be fetched are asked for again when the connection returns', async () => {
  const presented = [];
  let here = false;
  room.hasPictures = () => here;
  room.present = async ({ level_id }) => {
    presented.push(level_id);
    here = true;
    room.begin();
  };
  room.say('The pictures could not be fetched.', 'error');
  await room.connection.retry();
  await room.connection.retry();
  assert.deepEqual([presented, room.state.phase, room.state.message], [[7], 'reading', null]);
});
