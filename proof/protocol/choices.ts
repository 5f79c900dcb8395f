// Where a specification leaves something open, a source of choices decides: at random, or each
// possibility in turn.

export interface Choices {
  /** One of 0 … count − 1. */
  choose(count: number): number;
  /** The order in which to try `count` alternatives until one is possible. */
  order(count: number): readonly number[];
}

/** A small generator (mulberry32), so that a run is known by its seed. */
export class Random implements Choices {
  private state: number;

  constructor(seed: number) {
    this.state = seed >>> 0;
  }

  choose(count: number): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % count;
  }

  order(count: number): readonly number[] {
    const order = Array.from({ length: count }, (_, i) => i);
    for (let i = count - 1; i > 0; i--) {
      const j = this.choose(i + 1);
      [order[i], order[j]] = [order[j] as number, order[i] as number];
    }
    return order;
  }
}

/** Takes every combination of choices once. */
export class Everything implements Choices {
  private path: { taken: number; readonly count: number }[] = [];
  private depth = 0;

  choose(count: number): number {
    const known = this.path[this.depth++];
    if (known) return known.taken;
    this.path.push({ taken: 0, count });
    return 0;
  }

  /** One alternative at a time: that it is impossible ends this combination. */
  order(count: number): readonly number[] {
    return [this.choose(count)];
  }

  /** Goes on to the next combination; false if there is none. */
  next(): boolean {
    this.depth = 0;
    while (this.path.length > 0) {
      const last = this.path[this.path.length - 1];
      if (last && ++last.taken < last.count) return true;
      this.path.pop();
    }
    return false;
  }
}

/** The choices of an earlier step again, as far as they still exist. */
export class Again implements Choices {
  private at = 0;

  constructor(private readonly path: readonly number[]) {}

  choose(count: number): number {
    return (this.path[this.at++] ?? 0) % count;
  }

  order(count: number): readonly number[] {
    return [this.choose(count)];
  }
}
