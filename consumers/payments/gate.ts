// Lets a limited number of calls run at once. The others wait, in order; each place is free again
// when its call has ended, and every call has a deadline. A call that is no longer wanted ends
// without a place, so what waits is bounded by what the broker still counts as delivered.

interface Waiting {
  readonly live: () => boolean;
  /** Whether it has a place. */
  readonly resolve: (placed: boolean) => void;
}

export class Gate {
  private running = 0;
  private waiting: Waiting[] = [];

  constructor(private readonly most: number) {}

  get size(): number {
    return this.waiting.length;
  }

  /** undefined: no longer `live` when its turn came. */
  async pass<T>(live: () => boolean, work: () => Promise<T>): Promise<T | undefined> {
    if (!live() || !(await this.place(live))) return undefined;
    try {
      return await work();
    } finally {
      this.free();
    }
  }

  /** Ends what is no longer live. */
  sweep(): void {
    const kept: Waiting[] = [];
    for (const waiting of this.waiting) {
      if (waiting.live()) kept.push(waiting);
      else waiting.resolve(false);
    }
    this.waiting = kept;
  }

  private async place(live: () => boolean): Promise<boolean> {
    if (this.running < this.most) {
      this.running++;
      return true;
    }
    const [first] = this.waiting;
    if (first && !first.live()) this.sweep();
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.waiting.push({ live, resolve });
    return promise;
  }

  /** The next live one takes over the place. */
  private free(): void {
    for (let next = this.waiting.shift(); next; next = this.waiting.shift()) {
      const live = next.live();
      next.resolve(live);
      if (live) return;
    }
    this.running--;
  }
}
