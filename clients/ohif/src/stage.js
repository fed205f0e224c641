// The one or two pictures on the screen: which series, which slice, where they look.

import { centreOn, windowFor } from './camera.js';
import { core, services } from './ohif.js';
import { indexOf, isGone, loadStudy, seriesHere, whenHere, whyNot } from './series.js';

export const PROTOCOL = 'spine-reading';
export const TOOL_GROUP = 'spine-reading';
export const PANES = ['reading-left', 'reading-right'];

/** @typedef {import('./series.js').Series} Series */
/** @typedef {{id: string, viewport: any, series: Series, index: number}} Pane */

/** Which series hang, left to right. @param {any} task @returns {string[]} */
export function hungSeries(task) {
  const pair = ['t1', 't2'].map((role) => task.series.find((/** @type {any} */ one) => one.role === role)?.uid).filter(Boolean);
  return pair.length ? pair : task.series.slice(0, 1).map((/** @type {any} */ one) => one.uid);
}

/** OHIF's hanging protocol for these series side by side; without any, for whatever picture there is. @param {string[]} known */
export function protocolFor(known) {
  const uids = known.length ? known : [''];
  const selector = (/** @type {string} */ uid) => ({
    seriesMatchingRules: uid
      ? [{ attribute: 'SeriesInstanceUID', weight: 10, required: true, constraint: { equals: { value: uid } } }]
      : [{ attribute: 'numImageFrames', weight: 10, required: true, constraint: { greaterThan: { value: 0 } } }],
  });
  return {
    id: PROTOCOL,
    name: 'Read levels',
    protocolMatchingRules: [],
    numberOfPriorsReferenced: -1,
    displaySetSelectors: Object.fromEntries(uids.map((uid, index) => [PANES[index], selector(uid)])),
    defaultViewport: { viewportOptions: { viewportType: 'stack', toolGroupId: TOOL_GROUP, allowUnmatchedView: true }, displaySets: [] },
    stages: [
      {
        name: 'side by side',
        viewportStructure: { layoutType: 'grid', properties: { rows: 1, columns: uids.length } },
        viewports: uids.map((_uid, index) => ({ viewportOptions: options(index), displaySets: [{ id: PANES[index] }] })),
      },
    ],
  };
}

const options = (/** @type {number} */ index) => ({
  viewportId: PANES[index], viewportType: 'stack', toolGroupId: TOOL_GROUP, allowUnmatchedView: true,
});

/** What is on the screen now. @returns {Pane[]} */
export function panes() {
  const { cornerstoneViewportService, viewportGridService, displaySetService } = services();
  const shown = [];
  for (const id of PANES) {
    const viewport = cornerstoneViewportService.getCornerstoneViewport(id);
    const set = displaySetService.getDisplaySetByUID(viewportGridService.getState().viewports.get(id)?.displaySetInstanceUIDs?.[0] ?? '');
    const series = set && seriesHere(set.SeriesInstanceUID);
    if (!viewport?.getCurrentImageIdIndex || !series) continue;
    const index = series.slices.findIndex((slice) => slice.imageId === viewport.getCurrentImageId());
    if (index >= 0) shown.push({ id, viewport, series, index });
  }
  return shown;
}

/**
 * Have these series in the viewer, ready to hang without leaving the page.
 * @param {string} study @param {string[]} uids
 * @returns {Promise<Series[]>} those that the archive still has; rejects where another could not be fetched
 */
export async function bring(study, uids) {
  // One series that is gone fails the whole request; the others are here, or come, all the same.
  const failure = uids.every(seriesHere) ? null : await loadStudy(study).then(() => null, (error) => error);
  const found = await Promise.allSettled(uids.map((uid) => whenHere(uid)));
  const here = found.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  if (failure && !isGone(failure) && here.length < uids.length) throw whyNot(failure);
  return here;
}

/** Which display set each viewport has finished loading; OHIF sets the window and camera until then. @type {Map<string, string>} */
const loaded = new Map();

/**
 * Learn when viewports have what they were given.
 * @param {() => void} again told when OHIF gave a viewport once more what it had, and so moved it
 * @returns {() => void} to stop
 */
export function watchViewports(again) {
  const { cornerstoneViewportService: service } = services();
  loaded.clear();
  const { unsubscribe } = service.subscribe(service.EVENTS.VIEWPORT_DATA_CHANGED, (/** @type {any} */ { viewportId, viewportData }) => {
    const set = viewportData.data[0].displaySetInstanceUID;
    if (loaded.get(viewportId) === set) again();
    loaded.set(viewportId, set);
  });
  return unsubscribe;
}

/** @param {Series[]} wanted left to right @param {number[]} slices to open them on */
export async function hang(wanted, slices) {
  const { viewportGridService } = services();
  const hung = [...viewportGridService.getState().viewports.keys()].filter((id) => PANES.includes(id));
  const pane = (/** @type {number} */ index) => ({
    viewportId: PANES[index],
    displaySetInstanceUIDs: [wanted[index].displaySet],
    displaySetOptions: [{}],
    viewportOptions: { ...options(index), initialImageOptions: { index: slices[index], useOnce: true } },
  });
  const changed = wanted.map((_series, index) => index).filter((index) => displayed(index) !== wanted[index].displaySet);
  for (const index of changed) loaded.delete(PANES[index]);
  if (hung.length === wanted.length) {
    if (changed.length) await viewportGridService.setDisplaySetsForViewports(changed.map(pane));
    return;
  }
  for (const id of hung.slice(wanted.length)) loaded.delete(id);
  await viewportGridService.setLayout({ numRows: 1, numCols: wanted.length, isHangingProtocolLayout: true, findOrCreateViewport: pane });
}

const displayed = (/** @type {number} */ index) =>
  services().viewportGridService.getState().viewports.get(PANES[index])?.displaySetInstanceUIDs?.[0];

/** The viewport of a pane once it has loaded this series. @param {number} index @param {Series} series @param {() => boolean} wanted */
export async function holding(index, series, wanted) {
  while (wanted()) {
    const viewport = services().cornerstoneViewportService.getCornerstoneViewport(PANES[index]);
    if (viewport && loaded.get(PANES[index]) === series.displaySet) return viewport;
    await new Promise((resolve) => setTimeout(resolve, 8));
  }
  return null;
}

/** The slice to open for a box, or the middle one. @param {Series} series @param {import('./boxes.js').PlacedBox | null} placed */
export function sliceFor(series, placed) {
  const at = placed ? indexOf(series, placed.sop, placed.slice) : -1;
  return at >= 0 ? at : Math.floor(series.slices.length / 2);
}

/**
 * Show a box: its slice, centred, at a size to read it, in a sensible window.
 * @param {any} viewport @param {Series} series @param {import('./boxes.js').PlacedBox | null} placed
 */
export async function lookAt(viewport, series, placed) {
  const index = sliceFor(series, placed);
  // OHIF scrolls back a moment after a resize to the slice it knew, which is not this one.
  clearTimeout(viewport.debouncedTimeout);
  await viewport.setImageIdIndex(index);
  const { imageId, plane } = series.slices[index];
  const voiRange = windowFor(imageId, placed?.box ?? null);
  if (voiRange) viewport.setProperties({ voiRange });
  if (placed) centreOn(viewport, plane, placed.box);
  viewport.render();
}

/**
 * Hide the pictures while they are not those of the level that the panel names.
 * @param {boolean} closed
 */
export function curtain(closed) {
  for (const id of PANES) {
    const element = services().cornerstoneViewportService.getCornerstoneViewport(id)?.element;
    if (element) element.style.visibility = closed ? 'hidden' : '';
  }
}

/** Pixels of a slice in the cache. @param {string} imageId @param {'interaction' | 'prefetch'} urgency */
export const pixelsOf = (imageId, urgency) =>
  core().imageLoader.loadAndCacheImage(imageId, { requestType: urgency, priority: urgency === 'interaction' ? -10 : 10 });
