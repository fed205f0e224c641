// Headers and pixels of the next studies, fetched while the reader reads this one.

import { indexOf, loadStudy, whenHere } from './series.js';
import { pixelsOf } from './stage.js';

const AHEAD = 2;

/**
 * @param {(path: string, body: object) => Promise<any>} post
 * @param {{list: string, tab: string}} seat
 * @param {() => boolean} wanted whether it is still worth going on
 * @returns {Promise<number>} studies fetched
 */
export async function prefetchNext(post, { list, tab }, wanted) {
  const { items } = await post('/upcoming', { list, tab, count: AHEAD });
  let fetched = 0;
  for (const item of items) {
    if (!wanted()) return fetched;
    try {
      await loadStudy(item.study);
      const all = await Promise.all(item.series.map(whenHere));
      const first = [];
      const rest = [];
      for (const series of all) {
        const view = item.views.find((/** @type {any} */ one) => one.series === series.uid);
        const at = view ? indexOf(series, view.sop, view.slice) : -1;
        const near = series.slices.map((slice, index) => ({ slice, off: Math.abs(index - at) })).sort((a, b) => a.off - b.off);
        first.push(...near.slice(0, 3));
        rest.push(...near.slice(3));
      }
      for (const { slice } of [...first, ...rest]) {
        if (!wanted()) return fetched;
        await pixelsOf(slice.imageId, 'prefetch');
      }
      fetched += 1;
    } catch {
      // what cannot be fetched ahead is fetched, or complained of, when it is opened
    }
  }
  return fetched;
}
