// Who sits where: the work list and the id of this browser tab, kept over a reload, and the hold on a level.

import { call, releaseLeases } from './server.js';

const TAB = 'spine-reading:tab';
const LIST = 'spine-reading:list';
const LEVEL = 'spine-reading:level';

/** The seat taken last in this page. @type {Seat | null} */
let taken = null;

export class Seat {
  /** @param {URLSearchParams} query @param {Storage} [store] */
  constructor(query, store = sessionStorage) {
    this.store = store;
    const given = query.get('tab');
    if (given && given !== store.getItem(TAB)) store.removeItem(LEVEL);
    this.tab = given ?? store.getItem(TAB) ?? crypto.randomUUID();
    this.list = query.get('list') ?? store.getItem(LIST) ?? 'assisted';
    store.setItem(TAB, this.tab);
    store.setItem(LIST, this.list);
    /** @type {ReturnType<typeof setInterval> | undefined} */
    this.renewing = undefined;
    this.leave = () => releaseLeases(this.tab);
    // A page that the browser kept and shows again has given its level back: it asks anew.
    this.back = (/** @type {PageTransitionEvent} */ event) => event.persisted && window.location.reload();
    window.addEventListener('pagehide', this.leave);
    window.addEventListener('pageshow', this.back);
    taken = this;
  }

  /** The level that was being read when the page was reloaded. @param {string} study @returns {number | null} */
  levelOf(study) {
    const [kept, level] = (this.store.getItem(LEVEL) ?? '').split('/');
    return kept === study && level ? Number(level) : null;
  }

  /** @param {any} task @param {(error: Error) => void} lost told when the hold on the level cannot be kept */
  hold(task, lost) {
    this.store.setItem(LEVEL, `${task.study}/${task.level_id}`);
    this.letGo();
    this.renewing = setInterval(async () => {
      try {
        await call('POST', `/leases/${task.level_id}/renew`, { tab: this.tab });
      } catch (error) {
        lost(/** @type {Error} */ (error));
      }
    }, (task.lease_seconds * 1000) / 3);
  }

  letGo() {
    clearInterval(this.renewing);
  }

  /** A read of this level is stored: should it be the one that this window holds, it is let go. @param {number} levelId */
  doneWith(levelId) {
    if (this.store.getItem(LEVEL)?.split('/')[1] === String(levelId)) this.forgetLevel();
  }

  forgetLevel() {
    this.letGo();
    this.store.removeItem(LEVEL);
  }

  stop() {
    this.letGo();
    window.removeEventListener('pagehide', this.leave);
    window.removeEventListener('pageshow', this.back);
    this.leave();
  }

  /** What came after the seat was left goes back, unless who sits here now holds it under the same tab. */
  giveBack() {
    if (taken === this) this.leave();
  }

  /** The address of a study in this list, without the tab: a link that is passed on shares no seat. @param {string} study */
  address(study) {
    const url = new URL(window.location.href);
    url.search = new URLSearchParams({ StudyInstanceUIDs: study, list: this.list }).toString();
    return url.toString();
  }
}
