// The one sitting of this page: room, desk and keyboard, for the panel to find.

/** @typedef {import('./room.js').Room} Room */
/** @typedef {import('./desk.js').Desk} Desk */

export const sitting = {
  /** @type {Room | null} */
  room: null,
  /** @type {Desk | null} */
  desk: null,
  /** @type {any} */
  keyboard: null,
  /** @type {Set<() => void>} */
  waiting: new Set(),

  /** @param {Room} room @param {Desk} desk @param {any} keyboard */
  begin(room, desk, keyboard) {
    Object.assign(this, { room, desk, keyboard });
    for (const told of this.waiting) told();
  },

  end() {
    this.keyboard?.stop();
    this.desk?.stop();
    this.room?.stop();
    Object.assign(this, { room: null, desk: null, keyboard: null });
    for (const told of this.waiting) told();
  },
};
