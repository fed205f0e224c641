import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { LevelAnnotations } from '../src/annotations.js';
import { StudyBoxes } from '../src/boxes.js';
import { corners } from '../src/geometry.js';
import { numbered } from '../src/slice-numbers.js';
import { sagittal } from './slices.js';

/** A series of three frames of one file, the first of them on the patient's right: the server counts from the left. */
const multiFrame = (uid) => ({
  uid,
  slices: numbered([-4, 0, 4].map((x, index) => ({ sop: `${uid}.1`, imageId: `${uid}/frames/${index + 1}`, plane: sagittal({ origin: [x, -100, 200] }) }))),
});
const pane = (id, uid, index) => ({ id, series: multiFrame(uid), index, viewport: { element: {}, getFrameOfReferenceUID: () => 'for', render: () => {} } });
const placed = (uid, slice, box) => ({ series: uid, sop: `${uid}.1`, slice, box });

let known;
let shown;
let told;
let annotations;
/** What cornerstone tells of. @type {Record<string, (event: any) => void>} */
let heard;

beforeEach(() => {
  known = new Map();
  heard = {};
  told = [];
  const state = {
    getAllAnnotations: () => [...known.values()],
    getAnnotation: (uid) => known.get(uid),
    addAnnotation: (one) => known.set(one.annotationUID, one),
    removeAnnotation: (uid) => known.delete(uid),
  };
  globalThis.window = {
    addEventListener: () => {}, removeEventListener: () => {},
    cornerstone: { eventTarget: { addEventListener: (name, listener) => { heard[name] = listener; } } },
    cornerstoneTools: { annotation: { state }, Enums: { Events: { ANNOTATION_MODIFIED: 'modified', ANNOTATION_COMPLETED: 'completed' } } },
  };
  shown = [pane('left', 't1', 0), pane('right', 't2', 0)];
  annotations = new LevelAnnotations(() => shown, { moved: (_level, box) => told.push(box), drawn: (box) => told.push(box) });
  annotations.show(new StudyBoxes([{ id: 1, version: 1, name: 'L1', source: 'detected', boxes: [
    placed('t1', 1, [20, 20, 60, 60]), placed('t1', 2, [30, 30, 70, 70]), placed('t2', 1, [20, 20, 60, 60]), placed('t2', 2, [30, 30, 70, 70]),
  ] }]), 1);
});

const scrollTo = (...indices) => {
  indices.forEach((index, at) => { shown[at] = { ...shown[at], index }; });
  annotations.refresh();
};
const on = (image) => [...known.values()].find((one) => one.metadata.referencedImageId === image);

test('each frame of a file has the box of its own slice, and none where the level does not reach', () => {
  const box = (image) => on(image)?.data.handles.points;
  assert.deepEqual(box('t1/frames/1'), corners(shown[0].series.slices[0].plane, [30, 30, 70, 70]));
  scrollTo(1, 1);
  assert.deepEqual(box('t1/frames/2'), corners(shown[0].series.slices[1].plane, [20, 20, 60, 60]));
  assert.equal(known.size, 2);
  scrollTo(2, 2);
  assert.equal(known.size, 0);
});

test('a box dragged on a frame is that slice’s of the server, and moves on the same slice beside it', () => {
  const one = on('t1/frames/1');
  one.data.handles.points = corners(shown[0].series.slices[0].plane, [30, 30, 70, 74]);
  heard.modified({ detail: { annotation: one } });
  const near = (box) => box.map((value) => Math.round(value * 1e6) / 1e6);
  assert.deepEqual([told[0].slice, near(told[0].box)], [2, [30, 30, 70, 74]]);
  const changed = annotations.boxes.changed(1).map(({ series, slice, box }) => [series, slice, near(box)]);
  assert.deepEqual(changed, [['t2', 2, [30, 30, 70, 74]], ['t1', 2, [30, 30, 70, 74]]]);
});

test('where the other picture shows another frame, the level’s nearest slice there is changed', () => {
  scrollTo(0, 2);
  const one = on('t1/frames/1');
  one.data.handles.points = corners(shown[0].series.slices[0].plane, [30, 30, 70, 74]);
  heard.modified({ detail: { annotation: one } });
  assert.deepEqual(annotations.boxes.changed(1).map(({ series, slice }) => [series, slice]), [['t2', 2], ['t1', 2]]);
});

test('a level drawn on a frame lies on that slice of the server', () => {
  scrollTo(2, 2);
  const plane = shown[0].series.slices[2].plane;
  const drawing = { annotationUID: 'new', metadata: { toolName: 'SpineLevelBox', referencedImageId: 't1/frames/3' }, data: { handles: { points: corners(plane, [5, 5, 45, 45]) } } };
  heard.completed({ detail: { annotation: drawing } });
  assert.deepEqual([told[0].sop, told[0].slice], ['t1.1', 0]);
});
