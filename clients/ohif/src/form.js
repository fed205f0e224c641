// What a reader may enter, and what is still missing. No viewer in here: node tests it.

import { emptyDraft, isEmpty } from './drafts.js';
import { CLASSES, CONFIDENCES, excludedBy } from './words.js';

/** @typedef {import('./drafts.js').Draft} Draft */

/** @param {Draft} draft @param {string} id @returns {Draft} */
export function tick(draft, id) {
  if (draft.features.includes(id)) return { ...draft, features: draft.features.filter((one) => one !== id) };
  if (excludedBy(id, draft.features)) return draft;
  return { ...draft, features: [...draft.features, id] };
}

/** What is missing before a read can be submitted, in words, or null. @param {Draft} draft */
export function missing(draft) {
  if (!draft.diagnosis) return `Choose a class first: keys 1 to ${CLASSES.length}.`;
  if (!draft.confidence) return `Say how confident you are: keys ${CONFIDENCES.map((one) => one.key).join(', ')}.`;
  return null;
}

/** A draft that repeats a read, to amend it or to agree with it. @param {any} read as the server tells it @returns {Draft} */
export function draftOf(read) {
  return {
    diagnosis: read.diagnosis, features: [...read.features], confidence: read.confidence, basis: read.basis ?? 'imaging',
    note: read.note ?? '', name: read.name ?? null, box: read.box ?? null, boxes: read.box ? [read.box] : [], seconds: 0,
  };
}

/**
 * What the form of a level opens with. What was typed is newer than any read. A box alone is no answer: it
 * was moved while a level beside it was read, and goes into the read.
 * @param {Draft | null} kept what was typed @param {Draft | null} before what was submitted @returns {Draft}
 */
export function opening(kept, before) {
  if (!kept || !before) return kept ?? before ?? emptyDraft();
  return isEmpty({ ...kept, boxes: [] }) ? { ...before, box: kept.box, boxes: kept.boxes } : kept;
}

/** The draft at a level of this name: what repeats it is no other name. @param {Draft} draft @param {string} name @returns {Draft} */
export const named = (draft, name) => (draft.name === name ? { ...draft, name: null } : draft);

/**
 * As POST /review/reads takes it.
 * @param {Draft} draft @param {{level_id: number, level_version: number, name: string}} task
 * @param {string} tab @param {string} token
 */
export const bodyOf = (draft, task, tab, token) => ({
  level_id: task.level_id,
  level_version: task.level_version,
  tab,
  token,
  diagnosis: draft.diagnosis,
  features: draft.features,
  confidence: draft.confidence,
  basis: draft.basis,
  seconds: Math.round(draft.seconds * 10) / 10,
  note: draft.note.trim(),
  name: named(draft, task.name).name,
  box: draft.box && { series: draft.box.series, sop: draft.box.sop, slice: draft.box.slice, box: draft.box.box },
});
