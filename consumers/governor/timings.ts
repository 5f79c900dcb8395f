// How long the stores took of late: means over the time between two looks, and what is still under
// way counts by its age.

export class Timing {
  private sumMs = 0;
  private count = 0;
  private readonly open = new Set<number>();

  constructor(private readonly monotonicMs: () => number) {}

  /** Something begins; call what is returned when it has ended. Returns how long it took, ms. */
  begin(): () => number {
    const startedMs = this.monotonicMs();
    // Two that begin at the same moment must not be taken for one.
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

  /** The mean since it was taken last, ms; an open one counts once it is longer than that. */
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
