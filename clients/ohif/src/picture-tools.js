// What a reader does to the pictures beside scrolling: other series, boxes on and off, heat map, drawing.

import { HeatMap } from './heatmap.js';
import { KEYS } from './keyboard.js';
import { TOOL } from './level-box-tool.js';
import { besides } from './linking.js';
import { services } from './ohif.js';
import { indexOf } from './series.js';
import { call } from './server.js';
import { bring, hungSeries, lookAt, panes, TOOL_GROUP } from './stage.js';

export class PictureTools {
  /** @param {import('./room.js').Room} room @param {import('./desk.js').Desk} desk */
  constructor(room, desk) {
    this.room = room;
    this.desk = desk;
    this.heat = new HeatMap();
  }

  /** Once more as it was opened: slice, place, zoom and window. */
  async recentre() {
    const { task } = this.room.state;
    if (!task) return;
    for (const { viewport, series } of panes()) await lookAt(viewport, series, this.desk.viewOf(task, series.uid));
    this.desk.following.start(panes());
    this.desk.annotations.refresh();
  }

  /** STIR or contrast in the right picture, then T2 again; a series that is not to be had is passed over. */
  async cycleThird() {
    const { task, third } = this.room.state;
    if (!task) return;
    const hung = hungSeries(task);
    const others = task.series.map((/** @type {any} */ one) => one.uid).filter((/** @type {string} */ uid) => !hung.includes(uid));
    if (!others.length) return this.room.say('This study has no further series, such as STIR or contrast.');
    const current = () => this.room.state.task === task && this.room.state.third === third;
    try {
      const usual = await bring(task.study, hung);
      const gone = [];
      let next;
      // From the first, where none is shown yet.
      for (const uid of others.slice(others.indexOf(third) + 1)) {
        [next] = await bring(task.study, [uid]);
        if (next) break;
        gone.push(task.series.find((/** @type {any} */ one) => one.uid === uid).sequence);
      }
      if (!current()) return;
      if (gone.length) this.room.say(`No longer in the archive: ${gone.join(', ')}.`, 'warning');
      if (!next && third === null) return;
      const series = next ? [...usual.slice(0, 1), next] : usual;
      const views = series.map((one) => this.desk.viewOf(task, one.uid) ?? this.alongside(task, one));
      this.dropHeat();
      this.room.set({ third: next?.uid ?? null });
      await this.desk.open(series, views, () => this.room.state.task === task);
    } catch (error) {
      this.room.complain(error);
    }
  }

  /**
   * Where the level lies in a series that has no boxes, by the patient's millimetres.
   * @param {any} task @param {import('./series.js').Series} series @returns {import('./boxes.js').PlacedBox | null}
   */
  alongside(task, series) {
    const here = panes()[0];
    const from = here && this.desk.viewOf(task, here.series.uid);
    const at = from ? indexOf(here.series, from.sop, from.slice) : -1;
    const there = from && at >= 0 ? besides(here.series.slices[at].plane, from.box, series.slices.map((slice) => slice.plane)) : null;
    if (!there) return null;
    const { sop, number } = series.slices[there.index];
    return { series: series.uid, sop, slice: number, box: there.box };
  }

  toggleBoxes() {
    const boxesHidden = !this.room.state.boxesHidden;
    this.desk.annotations.hidden = boxesHidden;
    this.room.set({ boxesHidden });
    this.desk.annotations.refresh();
  }

  async toggleHeat() {
    const { task, heat } = this.room.state;
    if (!task?.opinion) return;
    if (heat) return this.dropHeat();
    // The server explains a level on the slices that it has boxes on.
    const asked = panes().flatMap((pane) => {
      const placed = this.desk.boxes.served(task.level_id, pane.series.uid, pane.series.slices[pane.index]);
      return placed ? [{ pane, slice: placed.slice }] : [];
    });
    if (!asked.length) {
      return this.room.say(`${task.name} has no box on this slice: ${KEYS.recentre} goes back to one that has.`, 'warning');
    }
    this.room.set({ heat: true });
    try {
      for (const { pane, slice } of asked) {
        const map = await call('GET', `/levels/${task.level_id}/heatmap?series=${encodeURIComponent(pane.series.uid)}&slice=${slice}`);
        if (this.room.state.heat && this.room.state.task === task) this.heat.lay(pane, map);
      }
    } catch (error) {
      if (!this.heat.shown) this.room.set({ heat: false });
      this.room.complain(error);
    }
  }

  dropHeat() {
    this.heat.clear();
    if (this.room.state.heat) this.room.set({ heat: false });
  }

  /** Draw a new level with the primary button, or no longer. @param {boolean} on */
  drawing(on) {
    const group = services().toolGroupService.getToolGroup(TOOL_GROUP);
    const [active, passive] = on ? [TOOL, 'WindowLevel'] : ['WindowLevel', TOOL];
    group.setToolPassive(passive);
    group.setToolActive(active, { bindings: [{ mouseButton: 1 }] });
  }
}
