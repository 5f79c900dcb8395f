// How far a shard's owner has got in each region's queue: what is in hand and since when, and what was ready behind it at the last look.
import type { ShardReport } from "../core/domain/report.ts";

interface Region {
  /** When each message in hand was accepted, oldest first; as many as the prefetch at most. */
  readonly inHand: number[];
  ready: number;
}

export class Progress {
  private readonly regions: ReadonlyMap<string, Region>;

  constructor(regions: readonly string[]) {
    this.regions = new Map(regions.map((region) => [region, { inHand: [], ready: 0 }]));
  }

  came(region: string, acceptedAtMs: number): void {
    this.regions.get(region)?.inHand.push(acceptedAtMs);
  }

  went(region: string, acceptedAtMs: number): void {
    const inHand = this.regions.get(region)?.inHand;
    const at = inHand?.indexOf(acceptedAtMs) ?? -1;
    if (at >= 0) inHand?.splice(at, 1);
  }

  /** What was in hand will come again. */
  lost(region: string): void {
    this.regions.get(region)?.inHand.splice(0);
  }

  ready(region: string, messages: number): void {
    const known = this.regions.get(region);
    if (known) known.ready = messages;
  }

  report(nowMs: number): ShardReport["regions"] {
    return [...this.regions].map(([region, { inHand, ready }]) => {
      const first = inHand[0] ?? 0;
      return { region, ready, lagMs: first > 0 ? Math.max(0, nowMs - first) : 0 };
    });
  }
}
