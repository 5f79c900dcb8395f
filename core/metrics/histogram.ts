// Counts durations in fixed buckets: two additions and a short search, no allocation, so it may be
// used on the hot path.
import type { HistogramReport } from "../domain/report.ts";

/** Seconds: from half a millisecond to a minute, each about twice the one before. */
export const SECONDS: readonly number[] = [
  0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 1.5, 2, 3, 5, 10, 30, 60,
];

export class Histogram {
  private readonly counts: Float64Array;
  private sum = 0;

  constructor(private readonly bounds: readonly number[] = SECONDS) {
    this.counts = new Float64Array(bounds.length + 1);
  }

  /** Adds `times` observations of `value`. */
  observe(value: number, times = 1): void {
    const { bounds, counts } = this;
    let i = 0;
    // Casts, because this is on the hot path: `i` is an index of both.
    while (i < bounds.length && value > (bounds[i] as number)) i++;
    counts[i] = (counts[i] as number) + times;
    this.sum += value * times;
  }

  report(): HistogramReport {
    return { bounds: this.bounds, counts: [...this.counts], sum: this.sum };
  }
}
