// Decides when a gap has lasted long enough. Only time in which the missing number could have
// arrived counts: every region's queue must be consumed, and read past the moment when the gap
// began. A region that is away stops the clock, but only until `gapMax`. One that an operator has
// declared lost does not count; if it comes back, every gap waits for it in full.
//
// Each region has a mark, the time up to which its queue has been read: the timestamp of the last
// order read, or the moment when the queue was seen empty. The cutoff is the lowest mark of
// `gapTimeoutMs` ago; every gap that began before it has had its full time.
//
// Durations use this process's monotonic clock; timestamps are Redis's.

export interface GapClockOptions {
  readonly regions: readonly string[];
  readonly gapTimeoutMs: number;
}

/** One moment on both clocks. */
export interface Moment {
  readonly monotonicMs: number;
  /** Redis's clock. */
  readonly nowMs: number;
  /** Gaps that began at or before this time, on Redis's clock, have lasted for `gapMax`. */
  readonly gapMaxAgoMs: number;
  /** Regions that hold no number any more. */
  readonly without?: ReadonlySet<string>;
}

interface Sample {
  readonly monotonicMs: number;
  readonly atMs: number;
  readonly readUpToMs: number;
}

export class GapClock {
  private readonly marks = new Map<string, number>();
  private samples: Sample[] = [];
  /** Regions that the samples leave out. */
  private without: ReadonlySet<string> = new Set();

  constructor(private readonly options: GapClockOptions) {}

  /** The region's queue has been read up to orders accepted at this time. */
  read(region: string, upToMs: number): void {
    this.marks.set(region, Math.max(upToMs, this.marks.get(region) ?? 0));
  }

  /** Forgets all marks: Redis's clock was set, so the old timestamps no longer apply. */
  reset(): void {
    this.marks.clear();
    this.samples = [];
  }

  /** Gaps that began at or before the returned time are over. Called about once a second. */
  cutoffMs({ monotonicMs, nowMs, gapMaxAgoMs, without = new Set() }: Moment): number {
    const { gapTimeoutMs } = this.options;
    if ([...this.without].some((region) => !without.has(region))) this.samples = [];
    this.without = without;
    const regions = this.options.regions.filter((region) => !without.has(region));
    const readUpToMs = Math.min(...regions.map((region) => this.marks.get(region) ?? 0));
    this.samples.push({ monotonicMs, atMs: nowMs, readUpToMs });
    let cutoff = gapMaxAgoMs;
    let old = 0;
    for (const sample of this.samples) {
      if (sample.monotonicMs > monotonicMs - gapTimeoutMs) break;
      cutoff = Math.max(cutoff, Math.min(sample.readUpToMs, sample.atMs));
      old++;
    }
    // The newest sample that is old enough makes the earlier ones unnecessary.
    if (old > 1) this.samples = this.samples.slice(old - 1);
    return cutoff;
  }
}
