import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { StudyBoxes } from '../src/boxes.js';
import { useManagers } from '../src/ohif.js';
import { PictureTools } from '../src/picture-tools.js';

const { fetch } = globalThis;
const SLICES = 5;
/** Index that each viewport shows. */
let shown;
let asked;
let room;
let pictures;

/** A sagittal series whose slices the viewer holds from right to left: the server counts them the other way. */
const placed = (series, slice) => ({ series, sop: `${series}.${slice}`, slice, box: [0, 0, 10, 10] });

beforeEach(() => {
  shown = { 'reading-left': 2, 'reading-right': 2 };
  asked = [];
  const uids = { 'reading-left': 't1', 'reading-right': 't2' };
  const sets = Object.values(uids).map((uid) => ({ displaySetInstanceUID: `set-${uid}`, SeriesInstanceUID: uid, images: [{}] }));
  const imageId = (uid, index) => `${uid}/${SLICES - 1 - index}`;
  const modules = {
    sopCommonModule: (image) => ({ sopInstanceUID: image.replace('/', '.') }),
    imagePlaneModule: (image) => ({ imagePositionPatient: [-4 * Number(image.split('/')[1]), 0, 0], rowCosines: [0, 1, 0], columnCosines: [0, 0, -1] }),
    imagePixelModule: () => ({ columns: 100, rows: 100 }),
  };
  globalThis.window = { cornerstone: { metaData: { get: (name, image) => modules[name](image) } } };
  useManagers({
    servicesManager: { services: {
      cornerstoneViewportService: { getCornerstoneViewport: (id) => ({ getCurrentImageIdIndex: () => shown[id], getCurrentImageId: () => imageId(uids[id], shown[id]) }) },
      viewportGridService: { getState: () => ({ viewports: new Map(Object.entries(uids).map(([id, uid]) => [id, { displaySetInstanceUIDs: [`set-${uid}`] }])) }) },
      displaySetService: { getDisplaySetByUID: (uid) => sets.find((one) => one.displaySetInstanceUID === uid), getActiveDisplaySets: () => sets },
    } },
    extensionManager: { getActiveDataSource: () => [{ getImageIdsForDisplaySet: (set) => Array.from({ length: SLICES }, (_, index) => imageId(set.SeriesInstanceUID, index)) }] },
  });
  globalThis.fetch = async (address) => {
    asked.push(address.split('?')[1]);
    return new Response('{}');
  };
  room = {
    state: { task: { level_id: 7, name: 'L1', opinion: {} }, heat: false, message: null },
    set: (change) => { room.state = { ...room.state, ...change }; },
    say: (text) => room.set({ message: text }),
    complain: (error) => { throw error; },
  };
  const boxes = new StudyBoxes([{ id: 7, version: 1, name: 'L1', source: 'detected', boxes: [placed('t1', 3), placed('t1', 4), placed('t2', 4)] }]);
  pictures = new PictureTools(room, /** @type {any} */ ({ boxes }));
  pictures.heat.lay = () => {};
});

afterEach(() => {
  globalThis.fetch = fetch;
});

test('the heat map is asked for by the server’s number of the slice in view', async () => {
  shown = { 'reading-left': 0, 'reading-right': 0 };
  await pictures.toggleHeat();
  assert.deepEqual([asked, room.state.heat], [['series=t1&slice=4', 'series=t2&slice=4'], true]);
});

test('a picture on whose slice the level has no box is left out', async () => {
  shown = { 'reading-left': 1, 'reading-right': 1 };
  pictures.desk.boxes.change(7, placed('t2', 3)); // the reader's own box is not the server's
  await pictures.toggleHeat();
  assert.deepEqual(asked, ['series=t1&slice=3']);
});

test('where the level has no box on the slice in view, nothing is asked and the way back is said', async () => {
  await pictures.toggleHeat();
  assert.deepEqual([asked, room.state.heat], [[], false]);
  assert.equal(room.state.message, 'L1 has no box on this slice: Space goes back to one that has.');
});
