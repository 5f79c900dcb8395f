// When has a missing number been waited for long enough? Only time in which it could have come counts: a gap's clock runs while every
// region's queue of the shard is being consumed and has been read past the moment the gap began. A region that is away stops the
// clock; `gapMaxMs` bounds even that.
//
// Each region has a mark, the time up to which its queue has been read: the stamp of the last order read from it, or the moment it was
// seen empty. The lowest mark, `gapTimeoutMs` ago, is the cutoff: every gap that began before it has had its full time.

export interface GapClockOptions {
  readonly regions: readonly string[];
  readonly gapTimeoutMs: number;
  readonly gapMaxMs: number;
}

interface Sample {
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

  /** Called about once a second with Redis's clock: gaps that began at or before the returned time are over. */
  cutoffMs(nowMs: number): number {
    const { regions, gapTimeoutMs, gapMaxMs } = this.options;
    const readUpToMs = Math.min(...regions.map((region) => this.marks.get(region) ?? 0));
    this.samples.push({ atMs: nowMs, readUpToMs });
    let cutoff = nowMs - gapMaxMs;
    let old = 0;
    for (const sample of this.samples) {
      if (sample.atMs > nowMs - gapTimeoutMs) break;
      cutoff = Math.max(cutoff, Math.min(sample.readUpToMs, sample.atMs));
      old++;
    }
    // The newest sample that is old enough says all that the earlier ones said.
    if (old > 1) this.samples = this.samples.slice(old - 1);
    return cutoff;
  }
}
