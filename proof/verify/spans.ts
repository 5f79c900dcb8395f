// Sorted periods of time: when an item was sold out, or when nothing can be judged.

export class Spans {
  /** from, to, from, to, … ascending; the last `to` is Infinity while a period is open. */
  private readonly bounds: number[] = [];

  /** Takes periods in any order and merges those that overlap. */
  static of(stretches: readonly (readonly [fromMs: number, toMs: number])[]): Spans {
    const spans = new Spans();
    for (const [fromMs, toMs] of [...stretches].sort(([a], [b]) => a - b)) {
      const lastTo = spans.bounds.at(-1);
      if (lastTo !== undefined && fromMs <= lastTo)
        spans.bounds[spans.bounds.length - 1] = Math.max(lastTo, toMs);
      else spans.bounds.push(fromMs, toMs);
    }
    return spans;
  }

  get open(): boolean {
    return this.bounds.at(-1) === Number.POSITIVE_INFINITY;
  }

  begin(atMs: number): void {
    if (!this.open) this.bounds.push(atMs, Number.POSITIVE_INFINITY);
  }

  end(atMs: number): void {
    if (this.open) this.bounds[this.bounds.length - 1] = atMs;
  }

  /** Whether any moment from `fromMs` to `toMs`, both included, lies in a period. */
  touch(fromMs: number, toMs: number): boolean {
    // Find the first period that ends at or after `fromMs`.
    let low = 0;
    let high = this.bounds.length / 2;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.bounds[2 * middle + 1] as number) < fromMs) low = middle + 1;
      else high = middle;
    }
    const beginsAtMs = this.bounds[2 * low];
    return beginsAtMs !== undefined && beginsAtMs <= toMs;
  }
}
