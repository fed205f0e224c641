// The reading desk: a level's pictures, boxes and overlays on the screen, as the room asks for them.

import { LevelAnnotations } from './annotations.js';
import { StudyBoxes } from './boxes.js';
import { Following } from './following.js';
import { fault } from './geometry.js';
import { core } from './ohif.js';
import { PictureTools } from './picture-tools.js';
import { prefetchNext } from './prefetch.js';
import { gone, indexOf, seriesHere, whyNot } from './series.js';
import { call } from './server.js';
import { bring, curtain, hang, holding, hungSeries, lookAt, panes, pixelsOf, sliceFor } from './stage.js';

export class Desk {
  /** @param {import('./room.js').Room} room */
  constructor(room) {
    this.room = room;
    this.boxes = new StudyBoxes([]);
    this.study = '';
    this.turn = 0;
    /** Why the level on the screen has no pictures, where it has none. */
    this.lacking = '';
    /** @type {number | null} */
    this.fetchedAhead = null;
    this.following = new Following(panes, () => this.scrolled());
    this.pictures = new PictureTools(room, this);
    this.annotations = new LevelAnnotations(panes, {
      moved: (levelId, placed) => this.moved(levelId, placed),
      drawn: (placed) => this.drawn(placed),
    });
    room.present = (task) => this.present(task);
    room.hasPictures = (task) => task.study === this.study;
    room.subscribe(({ task }) => {
      if (!task && this.study) this.clear();
      if (task && task.level_id === this.annotations.current) this.follow();
    });
    room.faultOf = (task) => this.faultOf(task);
  }

  stop() {
    this.turn += 1;
    this.following.stop();
    this.pictures.dropHeat();
    this.annotations.stop();
  }

  /** Nothing is read any more: no boxes on the last pictures. */
  clear() {
    this.study = '';
    this.turn += 1;
    this.pictures.dropHeat();
    this.boxes = new StudyBoxes([]);
    this.annotations.show(null, null);
  }

  /** Show the level of a task. @param {any} task */
  async present(task) {
    const turn = ++this.turn;
    this.fetchedAhead = null;
    const current = () => turn === this.turn;
    try {
      if (task.study !== this.study) curtain(true);
      this.takeIn(task);
      const series = await this.seriesOf(task);
      if (!current()) return;
      performance.mark('reading:metadata');
      const views = series.map((one) => this.viewOf(task, one.uid));
      const first = series.map((one, pane) => pixelsOf(one.slices[sliceFor(one, views[pane])].imageId, 'interaction'));
      await Promise.all(first).catch((error) => Promise.reject(whyNot(error)));
      if (!current()) return;
      performance.mark('reading:pixels');
      await this.open(series, views, current);
      if (!current()) return;
      curtain(false);
      performance.mark('reading:rendered');
      this.room.begin();
      window.history.replaceState(window.history.state, '', this.room.seat?.address(task.study));
      void this.prefetch(turn);
    } catch (error) {
      if (!current()) return;
      this.study = ''; // the pictures of the level before are no longer to be seen, and cannot be read
      this.lacking = /** @type {Error} */ (error).message;
      this.annotations.show(null, null);
      this.room.begin();
      this.room.complain(error);
    }
  }

  /** The boxes of a study, with what the reader has changed in any of its levels. @param {any} task */
  takeIn(task) {
    if (task.study === this.study) this.boxes.replace(task.levels);
    else this.boxes = new StudyBoxes(task.levels);
    this.study = task.study;
    this.takeBoxes(task.level_id);
    this.pictures.dropHeat();
  }

  /** Of the level being read the draft's boxes are the only changes. @param {number} levelId */
  takeBoxes(levelId) {
    this.boxes.forget(levelId);
    for (const placed of this.room.state.draft.boxes) this.boxes.change(levelId, placed);
  }

  /** The pictures show the boxes and the name that the draft has, whoever changed it. */
  follow() {
    const { task, draft } = this.room.state;
    const drawn = this.boxes.changed(task.level_id);
    const agree = drawn.length === draft.boxes.length && drawn.every((placed) => draft.boxes.includes(placed));
    // A box in the hand is in the draft already, and is not to be drawn again under it.
    if (agree && this.annotations.renamed === draft.name) return;
    this.takeBoxes(task.level_id);
    this.annotations.renamed = draft.name;
    this.annotations.refresh();
  }

  /** Series to hang that the archive still has. @param {any} task */
  async seriesOf(task) {
    const uids = hungSeries(task);
    if (!uids.length) throw new Error('No series of this study can be shown. Skip the level, and tell the data manager.');
    const found = await bring(task.study, uids);
    if (!found.length) throw gone();
    if (found.length < uids.length) {
      this.room.set({ notes: [...this.room.state.notes, 'One series of this study is no longer in the archive: the other is shown.'] });
    }
    return found;
  }

  /**
   * Where to open a series: on the server's box, so that a reload or a changed box moves no picture.
   * @param {any} task @param {string} uid @returns {import('./boxes.js').PlacedBox | null}
   */
  viewOf(task, uid) {
    const view = task.views.find((/** @type {any} */ one) => one.series === uid);
    const known = this.boxes.inSeries(task.level_id, uid);
    return view ?? known[Math.floor(known.length / 2)] ?? null;
  }

  /**
   * @param {import('./series.js').Series[]} series @param {(import('./boxes.js').PlacedBox | null)[]} views
   * @param {() => boolean} current
   */
  async open(series, views, current) {
    this.following.stop();
    await hang(series, series.map((one, pane) => sliceFor(one, views[pane])));
    const drawn = [];
    for (const [pane, one] of series.entries()) {
      const viewport = await holding(pane, one, current);
      if (!viewport || !current()) return;
      await lookAt(viewport, one, views[pane]);
      drawn.push(rendered(viewport));
    }
    if (!current()) return;
    this.annotations.show(this.boxes, this.room.state.task?.level_id ?? null);
    this.follow();
    await Promise.all(drawn);
    this.following.start(panes());
  }

  /** @param {number} turn */
  async prefetch(turn) {
    const { seat } = this.room;
    if (!seat) return;
    const fetched = await prefetchNext((path, body) => call('POST', path, body), seat, () => turn === this.turn).catch(() => 0);
    if (turn === this.turn) this.fetchedAhead = fetched;
  }

  scrolled() {
    this.annotations.refresh();
    this.pictures.dropHeat();
  }

  /** @param {number} levelId @param {import('./boxes.js').PlacedBox} placed */
  moved(levelId, placed) {
    const { task, draft } = this.room.state;
    if (!task || !this.room.drafts) return;
    const boxes = this.boxes.changed(levelId);
    if (levelId === task.level_id) return this.room.enter({ box: placed, boxes });
    // Another level's box: kept for when that level is read.
    const kept = this.room.drafts.load(levelId) ?? { ...draft, diagnosis: null, features: [], confidence: null, note: '', name: null, basis: 'imaging', seconds: 0 };
    this.room.drafts.save(levelId, { ...kept, box: placed, boxes });
    const name = this.boxes.levels.get(levelId)?.name ?? 'this level';
    this.room.say(`You changed the box of ${name}, not of the level being read. It is kept and sent when you read ${name}.`);
  }

  /** Back to the boxes that the server sent. */
  resetBox() {
    this.room.enter({ box: null, boxes: [] });
  }

  /** The level as it was opened; where its pictures could not be fetched, they are asked for once more. */
  async recentre() {
    const { task } = this.room.state;
    if (task && task.study !== this.study) await this.room.presentAgain();
    else await this.pictures.recentre();
  }

  /** Why a level cannot be submitted, in words, or null. @param {any} task */
  faultOf(task) {
    if (task.study !== this.study) return `A level is not read without its pictures. ${this.lacking}`;
    const { box } = this.room.state.draft;
    const series = box && seriesHere(box.series);
    const at = box && series ? indexOf(series, box.sop, box.slice) : -1;
    return box && series && at >= 0 ? fault(series.slices[at].plane, box.box) : null;
  }

  /** @param {import('./boxes.js').PlacedBox} placed */
  drawn(placed) {
    this.pictures.drawing(false);
    const series = seriesHere(placed.series);
    const wrong = series && fault(series.slices[indexOf(series, placed.sop, placed.slice)].plane, placed.box);
    if (wrong) return this.room.set({ menu: null, message: { kind: 'warning', text: wrong } });
    this.room.set({ menu: 'name-drawn', menuData: placed });
  }
}

/** The next picture that a viewport draws. */
const rendered = (/** @type {any} */ viewport) =>
  new Promise((resolve) => {
    viewport.element.addEventListener(core().Enums.Events.IMAGE_RENDERED, () => requestAnimationFrame(resolve), { once: true });
    setTimeout(resolve, 3000);
  });
