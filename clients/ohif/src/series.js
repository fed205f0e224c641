// A series as the viewer holds it: its display set, and each slice with its place in the patient.

import { isOn } from './boxes.js';
import { core, dataSource, services } from './ohif.js';
import { ServerError } from './server.js';
import { numbered } from './slice-numbers.js';

/**
 * @typedef {object} Slice
 * @property {string} sop @property {string} imageId @property {import('./geometry.js').Plane} plane
 * @property {number} number as the server counts the slices @property {boolean} shared whether other frames of its file have its UID
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
    promise.catch(() => forget(study));
    loading.set(study, promise);
  }
  return promise;
}

/** What failed is asked for anew: OHIF gives its first answer again, a failure too, until it is told to forget it. @param {string} study */
function forget(study) {
  const source = dataSource();
  source.deleteStudyMetadataPromise(`${source.getConfig().name}:${study}`);
  loading.delete(study);
}

/** Whether the archive said of what was asked that it has it no longer. @param {any} error of OHIF or of cornerstone */
export const isGone = (error) => (error?.status ?? error?.error?.status) === 404;

/** Of a study whose pictures the archive no longer has. */
export const gone = () => new Error('The pictures of this study are no longer in the archive. Skip the level, and tell the data manager.');

/** Why pictures did not come, in words, and so that the connection is looked at unless they are gone. @param {any} error */
export const whyNot = (error) =>
  isGone(error) ? gone() : new ServerError('The pictures of this study could not be fetched. They are asked for again when the connection is back, and on Space.', 500);

/**
 * A series, as soon as the viewer has made a display set of it.
 * @param {string} uid @returns {Promise<Series>} rejects where it does not come
 */
export async function whenHere(uid) {
  const until = performance.now() + WAIT_MS;
  for (;;) {
    const series = seriesHere(uid);
    if (series) return series;
    if (performance.now() > until) throw new Error('A series of this study did not come.');
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
    slices: numbered(imageIds.map((/** @type {string} */ imageId) => ({ imageId, sop: sopOf(imageId), plane: planeOf(imageId) }))),
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
 * Where in the viewer's series a slice is, or -1.
 * @param {Series} series @param {string} sop @param {number} slice as the server counts them
 */
export const indexOf = (series, sop, slice) => series.slices.findIndex((candidate) => isOn({ sop, slice }, candidate));
