// Recent latency of the stores: the mean since the last sample, with unfinished calls counted by
// their age.

export class Timing {
  private sumMs = 0;
  private count = 0;
  private readonly open = new Set<number>();

  constructor(private readonly monotonicMs: () => number) {}

  /** Starts a measurement; the returned function ends it and returns its duration, ms. */
  begin(): () => number {
    const startedMs = this.monotonicMs();
    // Two that start at the same moment need different keys.
    let key = startedMs;
    while (this.open.has(key)) key += 1e-6;
    this.open.add(key);
    return () => {
      const tookMs = this.monotonicMs() - startedMs;
      this.open.delete(key);
      this.sumMs += tookMs;
      this.count++;
      return tookMs;
    };
  }

  /** The mean since the last take, ms; an open call counts once it is older than that. */
  take(): number {
    const mean = this.count === 0 ? 0 : this.sumMs / this.count;
    this.sumMs = 0;
    this.count = 0;
    return Math.round(Math.max(mean, this.oldestMs()));
  }

  private oldestMs(): number {
    for (const startedMs of this.open) return this.monotonicMs() - startedMs;
    return 0;
  }
}
