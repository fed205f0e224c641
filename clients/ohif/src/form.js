// What a reader may enter, and what is still missing. No viewer in here: node tests it.

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
  name: draft.name && draft.name !== task.name ? draft.name : null,
  box: draft.box && { series: draft.box.series, sop: draft.box.sop, slice: draft.box.slice, box: draft.box.box },
});
