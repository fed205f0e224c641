// Whether the server is there, and what is done when it comes back.

import { call, CLIENT_VERSION, ServerError } from './server.js';

const RETRY_MS = 3000;

export class Connection {
  /** @param {import('./room.js').Room} room */
  constructor(room) {
    this.room = room;
    this.online = () => void this.retry();
    window.addEventListener('online', this.online);
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
  }

  stop() {
    window.removeEventListener('online', this.online);
    clearTimeout(this.timer);
  }

  /** Learn from an error what it says of the connection. @param {unknown} error */
  heard(error) {
    if (!(error instanceof ServerError) || this.room.stopped) return;
    const now = error.unreachable ? 'offline' : error.status === 401 ? 'signed out' : error.outdated ? 'outdated' : null;
    if (!now && !error.later) return;
    if (now) this.room.set({ connection: now });
    clearTimeout(this.timer);
    if (now !== 'outdated') this.timer = setTimeout(() => void this.retry(), RETRY_MS);
  }

  reached() {
    if (this.room.state.connection !== 'outdated') this.room.set({ connection: 'online' });
  }

  /** Is the server back? Then send what waits and go on. */
  async retry() {
    clearTimeout(this.timer);
    try {
      const me = await call('GET', '/me');
      if (me.client !== CLIENT_VERSION) return this.room.set({ connection: 'outdated' });
      if (this.room.state.me && me.id !== this.room.state.me.id) return window.location.reload();
    } catch (error) {
      return this.heard(error);
    }
    this.reached();
    const empty = await this.room.dispatch?.flush();
    if (!empty) return;
    if (this.room.state.phase === 'waiting') await this.room.next();
    else await this.room.presentAgain();
  }

  /**
   * Ask until the server answers, one way or the other.
   * @template T @param {() => Promise<T>} ask @returns {Promise<T>}
   */
  async untilReached(ask) {
    for (;;) {
      try {
        const answer = await ask();
        this.reached();
        return answer;
      } catch (error) {
        if (!(error instanceof ServerError) || !error.unreachable) throw error;
        this.room.set({ connection: 'offline' });
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }
}
