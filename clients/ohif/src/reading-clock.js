// How long a level was read: only while the page is in view.

export class ReadingClock {
  constructor() {
    this.since = performance.now();
    this.gathered = 0;
    this.changed = () => {
      if (document.visibilityState === 'hidden') this.gather();
      this.since = performance.now();
    };
    document.addEventListener('visibilitychange', this.changed);
  }

  gather() {
    this.gathered += (performance.now() - this.since) / 1000;
  }

  /** Seconds since the last lap. */
  lap() {
    if (document.visibilityState === 'visible') this.gather();
    this.since = performance.now();
    const lapped = this.gathered;
    this.gathered = 0;
    return lapped;
  }

  stop() {
    document.removeEventListener('visibilitychange', this.changed);
  }
}
