// A series as the viewer holds it: its display set, and each slice with its place in the patient.

import { core, dataSource, services } from './ohif.js';

/**
 * @typedef {object} Slice
 * @property {string} sop @property {string} imageId @property {import('./geometry.js').Plane} plane
 */
/**
 * @typedef {object} Series
 * @property {string} uid @property {string} displaySet @property {string} frameOfReference @property {Slice[]} slices
 */

const WAIT_MS = 2_500;

/** @type {Map<string, Promise<void>>} */
const loading = new Map();

/** Nothing of an earlier visit to the mode is in the viewer any more. */
export const forgetStudies = () => loading.clear();

/** Have a study's headers in the viewer; once a study. @param {string} study */
export function loadStudy(study) {
  let promise = loading.get(study);
  if (!promise) {
    promise = Promise.resolve(dataSource().retrieve.series.metadata({ StudyInstanceUID: study })).then(() => undefined);
    promise.catch(() => loading.delete(study));
    loading.set(study, promise);
  }
  return promise;
}

/**
 * A series, as soon as the viewer has made a display set of it.
 * @param {string} uid @returns {Promise<Series>} rejects where the archive no longer has it
 */
export async function whenHere(uid) {
  const until = performance.now() + WAIT_MS;
  for (;;) {
    const series = seriesHere(uid);
    if (series) return series;
    if (performance.now() > until) {
      throw new Error('A series of this study is no longer in the archive. Skip the level, and tell the data manager.');
    }
    await new Promise((resolve) => setTimeout(resolve, 15));
  }
}

/** @type {WeakMap<object, Series>} */
const made = new WeakMap();

/** @param {string} uid @returns {Series | null} */
export function seriesHere(uid) {
  // Only what this visit made: OHIF remembers display sets of earlier visits, which no viewport can show.
  const active = services().displaySetService.getActiveDisplaySets();
  const set = active.find((/** @type {any} */ one) => one.SeriesInstanceUID === uid && (one.images ?? one.instances)?.length);
  if (!set) return null;
  const known = made.get(set);
  if (known) return known;
  const imageIds = dataSource().getImageIdsForDisplaySet(set);
  const instances = set.images ?? set.instances;
  /** @type {Series} */
  const series = {
    uid,
    displaySet: set.displaySetInstanceUID,
    frameOfReference: instances[0].FrameOfReferenceUID ?? '',
    slices: imageIds.map((/** @type {string} */ imageId) => ({ imageId, sop: sopOf(imageId), plane: planeOf(imageId) })),
  };
  made.set(set, series);
  return series;
}

/** @param {string} imageId */
const sopOf = (imageId) => core().metaData.get('sopCommonModule', imageId)?.sopInstanceUID ?? '';

/**
 * Where a slice lies. Pictures without a place in the patient lie as the viewer draws them.
 * @param {string} imageId @returns {import('./geometry.js').Plane}
 */
function planeOf(imageId) {
  const plane = core().metaData.get('imagePlaneModule', imageId) ?? {};
  const pixels = core().metaData.get('imagePixelModule', imageId) ?? {};
  const list = (/** @type {any} */ values, /** @type {number[]} */ other) => (values ? Array.from(values, Number) : other);
  return {
    origin: list(plane.imagePositionPatient, [0, 0, 0]),
    row: list(plane.rowCosines, [1, 0, 0]),
    column: list(plane.columnCosines, [0, 1, 0]),
    columnSpacing: plane.columnPixelSpacing || 1,
    rowSpacing: plane.rowPixelSpacing || 1,
    columns: plane.columns ?? pixels.columns,
    rows: plane.rows ?? pixels.rows,
  };
}

/**
 * Index of a slice in its series; a multi-frame series has one SOP for all, so its number decides.
 * @param {Series} series @param {string} sop @param {number} slice
 */
export function indexOf(series, sop, slice) {
  const at = series.slices.findIndex((candidate) => candidate.sop === sop);
  const shared = at >= 0 && series.slices.filter((candidate) => candidate.sop === sop).length > 1;
  return shared ? Math.min(slice, series.slices.length - 1) : at;
}
