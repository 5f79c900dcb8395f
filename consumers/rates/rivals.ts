// Rates that contradict the last one of their pair. The wrong one may be the one that was believed
// first, so rivals win once they have lasted.
//
// 1. It takes many rates, each newer than the one before, over a long time. Until then the last one
//    stands: soon it is too old for a charge, and orders wait for a rate instead.
// 2. They agree with each other, and no rate in between fits the last one.
import type { Rate } from "../../core/domain/rate.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";

/** Rates that agree differ by less than this factor from the first of them. */
const AGREE = 2;
/** A source that is wrong for a shorter time is never believed … */
export const RIVALS_LAST_MS = 300_000;
/** … nor one that repeats a few answers. */
export const RIVALS_NEEDED = 10;
/** How many pairs are remembered; about 25,000 exist. */
const MAX_PAIRS = 30_000;

interface Rivals {
  readonly firstValue: number;
  /** Monotonic ms. */
  readonly sinceMs: number;
  latestAtMs: number;
  count: number;
}

export class RivalRates {
  private readonly pairs = new Map<string, Rivals>();

  constructor(private readonly runtime: Pick<Runtime, "monotonicMs">) {}

  /** Notes a rate that contradicts the last one. Returns whether it wins. */
  wins({ pair, value, atMs }: Rate): boolean {
    const nowMs = this.runtime.monotonicMs();
    const rivals = this.pairs.get(pair);
    const change = Number(value) / (rivals?.firstValue ?? Number.NaN);
    if (!rivals || !(change < AGREE && change > 1 / AGREE)) {
      if (this.pairs.size > MAX_PAIRS) this.pairs.clear();
      const first = { firstValue: Number(value), sinceMs: nowMs, latestAtMs: atMs, count: 1 };
      this.pairs.set(pair, first); // 2
      return false;
    }
    if (atMs <= rivals.latestAtMs) return false; // 1
    rivals.latestAtMs = atMs;
    rivals.count++;
    return rivals.count >= RIVALS_NEEDED && nowMs - rivals.sinceMs >= RIVALS_LAST_MS;
  }

  /** The pair has a rate that is believed. */
  forget(pair: string): void {
    this.pairs.delete(pair);
  }
}
