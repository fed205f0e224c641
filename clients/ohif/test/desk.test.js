import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { StudyBoxes } from '../src/boxes.js';
import { Desk } from '../src/desk.js';
import { Drafts } from '../src/drafts.js';
import { LevelEditing } from '../src/levels.js';
import { useManagers } from '../src/ohif.js';
import { Room } from '../src/room.js';
import { forgetStudies } from '../src/series.js';
import { bring } from '../src/stage.js';
import { MemoryStore } from './memory-store.js';

const { fetch } = globalThis;
const box = (slice, x = 0) => ({ series: 't1', sop: `t1.${slice}`, slice, box: [x, 0, 10, 10] });
const level = (name) => ({ id: 7, version: 1, name, source: 'detected', boxes: [box(1)] });
const task = { level_id: 7, level_version: 1, name: 'L2', study: '1.2', mode: 'adjudication', series: [{ uid: 't1', role: 't1' }], levels: [level('L2')], views: [], reads: [], draft: null, notes: [] };

/** Series that the viewer has made display sets of. @type {string[]} */
let here;
/** How the archive fails. @type {any} */
let failure;
/** How often the archive was asked for headers, and what OHIF was told to forget. */
let archive;
/** @type {Room} */
let room;
/** @type {Desk} */
let desk;
let refreshed;

beforeEach(() => {
  const quiet = { addEventListener: () => {}, removeEventListener: () => {} };
  globalThis.document = { visibilityState: 'visible', ...quiet };
  globalThis.window = {
    ...quiet,
    cornerstone: { eventTarget: quiet, metaData: { get: () => undefined } },
    cornerstoneTools: { annotation: { state: { getAllAnnotations: () => [] } }, Enums: { Events: {} } },
  };
  here = [];
  failure = Object.assign(new Error('request failed'), { status: 0 });
  archive = { asked: 0, forgotten: [] };
  const set = (uid) => ({ displaySetInstanceUID: uid, SeriesInstanceUID: uid, images: [{}] });
  const source = {
    retrieve: { series: { metadata: async () => {
      archive.asked += 1;
      if (failure) throw failure;
    } } },
    getConfig: () => ({ name: 'archive' }),
    deleteStudyMetadataPromise: (key) => archive.forgotten.push(key),
    getImageIdsForDisplaySet: () => ['image'],
  };
  useManagers({
    servicesManager: { services: {
      displaySetService: { getActiveDisplaySets: () => here.map(set), getDisplaySetByUID: () => undefined },
      cornerstoneViewportService: { getCornerstoneViewport: () => undefined },
      viewportGridService: { getState: () => ({ viewports: new Map() }) },
    } },
    extensionManager: { getActiveDataSource: () => [source] },
  });
  forgetStudies();
  room = new Room();
  room.drafts = new Drafts(new MemoryStore(), 'anna');
  desk = new Desk(room);
  room.accept(task);
});

afterEach(() => {
  globalThis.fetch = fetch;
});

/** The level's pictures are on the screen, as open() leaves them. */
function shown() {
  desk.study = task.study;
  desk.boxes = new StudyBoxes(task.levels);
  desk.annotations.show(desk.boxes, 7);
  desk.follow();
  room.begin();
  refreshed = 0;
  desk.annotations.refresh = () => { refreshed += 1; };
}

test('the pictures show the box and the name of the draft, whoever changed it', () => {
  shown();
  desk.boxes.change(7, box(1, 3));
  desk.moved(7, desk.boxes.changed(7)[0]);
  assert.equal(refreshed, 0); // it is in the hand
  room.enter({ name: 'L3' });
  assert.deepEqual([desk.annotations.renamed, refreshed], ['L3', 1]);
  room.enter({ box: null, boxes: [], name: 'L4' });
  assert.deepEqual([desk.boxes.changed(7), desk.annotations.renamed, refreshed], [[], 'L4', 2]);
  room.enter({ note: 'nothing that shows' });
  assert.equal(refreshed, 2);
});

test('the box is put back as the server sent it', () => {
  shown();
  desk.boxes.change(7, box(1, 3));
  desk.moved(7, desk.boxes.changed(7)[0]);
  desk.resetBox();
  assert.deepEqual([desk.boxes.changed(7), room.state.draft.boxes, refreshed], [[], [], 1]);
});

test('a corner dragged while nothing can be entered springs back', () => {
  shown();
  room.set({ phase: 'sending' });
  desk.boxes.change(7, box(1, 3));
  desk.moved(7, desk.boxes.changed(7)[0]);
  room.set({ phase: 'reading' });
  assert.deepEqual([desk.boxes.changed(7), room.state.draft.box], [[], null]);
});

test('names that were shifted are those beside the boxes', () => {
  shown();
  room.enter({ name: 'L1' });
  new LevelEditing(room, desk).take([level('L1')]);
  assert.deepEqual([desk.annotations.renamed, desk.boxes.levels.get(7).name], [null, 'L1']);
});

test('the level before keeps its name on the pictures until the next one is there', () => {
  shown();
  room.accept({ ...task, level_id: 8, draft: { diagnosis: 'normal', features: [], confidence: 1, name: 'L5' } });
  assert.deepEqual([desk.annotations.renamed, refreshed], [null, 0]);
});

test('a failure of the network is not taken for pictures that are gone', async () => {
  await assert.rejects(bring('1.2', ['t1']), { message: /could not be fetched/, later: true });
  failure = Object.assign(new Error('request failed'), { status: 404 });
  assert.deepEqual(await bring('1.2', ['t1']), []);
  // OHIF would give the same failure again, however often it is asked.
  assert.deepEqual([archive.asked, archive.forgotten], [2, ['archive:1.2', 'archive:1.2']]);
});

test('what came although another series failed is shown', async () => {
  here = ['t1'];
  assert.deepEqual((await bring('1.2', ['t1'])).map(({ uid }) => uid), ['t1']);
});

test('pictures that could not be fetched are said to be, and come on Space', async () => {
  await desk.present(task);
  const { phase, message } = room.state;
  assert.deepEqual([phase, message.kind, desk.annotations.current], ['reading', 'error', null]);
  assert.match(message.text, /could not be fetched.*Space/);
  assert.match(room.faultOf(task), /could not be fetched/);
  const presented = [];
  room.present = async ({ level_id }) => presented.push(level_id);
  await desk.recentre();
  assert.deepEqual([presented, room.state.phase, room.state.message], [[7], 'opening', null]);
});

test('a level whose pictures are gone is to be skipped', async () => {
  failure = null;
  await desk.present(task);
  assert.match(room.state.message.text, /no longer in the archive. Skip/);
  assert.match(room.faultOf(task), /Skip/);
});
