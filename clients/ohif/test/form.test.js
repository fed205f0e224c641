import assert from 'node:assert/strict';
import { test } from 'node:test';
import { emptyDraft } from '../src/drafts.js';
import { bodyOf, draftOf, missing, tick } from '../src/form.js';
import { excludedBy, FEATURES } from '../src/words.js';

const task = { level_id: 3, level_version: 2, name: 'L3' };

test('features that exclude each other cannot be ticked together', () => {
  const wedge = tick(emptyDraft(), 'anterior_wedge');
  assert.deepEqual(tick(wedge, 'no_collapse').features, ['anterior_wedge']);
  assert.deepEqual(tick(wedge, 'anterior_wedge').features, []);
  assert.match(excludedBy('diffuse_change', ['homogeneous_marrow']) ?? '', /Even marrow/);
  assert.equal(excludedBy('cleft', ['anterior_wedge']), null);
});

test('fifteen features, each with help', () => {
  assert.equal(FEATURES.length, 15);
  assert.ok(FEATURES.every((one) => one.help.length > 20));
});

test('what is missing is said, in the order of the keys', () => {
  assert.match(missing(emptyDraft()) ?? '', /class/);
  assert.match(missing({ ...emptyDraft(), diagnosis: 'normal' }) ?? '', /confident/);
  assert.equal(missing({ ...emptyDraft(), diagnosis: 'normal', confidence: 4 }), null);
});

test('an untouched box and an unchanged name are not sent', () => {
  const body = bodyOf({ ...emptyDraft(), diagnosis: 'normal', confidence: 4, name: 'L3', note: ' x ' }, task, 'tab', 'token');
  assert.equal(body.box, null);
  assert.equal(body.name, null);
  assert.equal(body.note, 'x');
  assert.equal(body.level_version, 2);
});

test('a withdrawn read comes back as it was', () => {
  const box = { series: 's', sop: 'i', slice: 4, box: [1, 2, 3, 4] };
  const draft = draftOf({ diagnosis: 'other', features: ['cleft'], confidence: 2, basis: 'biopsy', note: 'n', name: 'L4', box });
  assert.equal(draft.name, 'L4');
  assert.deepEqual(bodyOf(draft, task, 'tab', 'token').box, box);
});
