// When has a missing number been waited for long enough? Only time in which it could have come
// counts: a gap's clock runs while every region's queue of the shard is being consumed and has been
// read past the moment the gap began. A region that is away stops the clock; `gapMaxMs` bounds even
// that.
//
// Each region has a mark, the time up to which its queue has been read: the stamp of the last order
// read from it, or the moment it was seen empty. The lowest mark, `gapTimeoutMs` ago, is the
// cutoff: every gap that began before it has had its full time.

//
// How long a gap has lasted is measured by this process's monotonic clock. Stamps are Redis's
// clock's.

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
}

interface Sample {
  readonly monotonicMs: number;
  readonly atMs: number;
  readonly readUpToMs: number;
}

export class GapClock {
  private readonly marks = new Map<string, number>();
  private samples: Sample[] = [];

  constructor(private readonly options: GapClockOptions) {}

  /** The region's queue has been read up to orders accepted at this time. */
  read(region: string, upToMs: number): void {
    this.marks.set(region, Math.max(upToMs, this.marks.get(region) ?? 0));
  }

  /** Redis's clock was set: what was read before says nothing on the new one. */
  reset(): void {
    this.marks.clear();
    this.samples = [];
  }

  /** Called about once a second: gaps that began at or before the returned time are over. */
  cutoffMs({ monotonicMs, nowMs, gapMaxAgoMs }: Moment): number {
    const { regions, gapTimeoutMs } = this.options;
    const readUpToMs = Math.min(...regions.map((region) => this.marks.get(region) ?? 0));
    this.samples.push({ monotonicMs, atMs: nowMs, readUpToMs });
    let cutoff = gapMaxAgoMs;
    let old = 0;
    for (const sample of this.samples) {
      if (sample.monotonicMs > monotonicMs - gapTimeoutMs) break;
      cutoff = Math.max(cutoff, Math.min(sample.readUpToMs, sample.atMs));
      old++;
    }
    // The newest sample that is old enough says all that the earlier ones said.
    if (old > 1) this.samples = this.samples.slice(old - 1);
    return cutoff;
  }
}
