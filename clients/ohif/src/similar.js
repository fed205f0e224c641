// The labelled levels most like this one, asked for on a key.

import { call } from './server.js';

export class SimilarLevels {
  /** @param {import('./room.js').Room} room */
  constructor(room) {
    this.room = room;
  }

  async toggle() {
    const { task, menu } = this.room.state;
    if (!task || task.mode === 'blinded') return;
    if (menu === 'similar') return this.room.set({ menu: null, menuData: null });
    this.room.set({ menu: 'similar', menuData: null });
    try {
      const { items } = await call('GET', `/levels/${task.level_id}/similar`);
      if (this.room.state.menu === 'similar' && this.room.state.task === task) this.room.set({ menuData: items });
    } catch (error) {
      this.room.set({ menu: null });
      this.room.complain(error);
    }
  }
}
