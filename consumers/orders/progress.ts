// An owner's progress in each region's queue: the messages in flight and since when, and how many
// were ready behind them at the last look.
import type { ShardReport } from "../../core/domain/report.ts";

/**
 * A number is unknown when the last look is older. A shard at rest is looked at every 5 s, but not
 * while its worker is paused, nor while the queue's leader does not answer.
 */
const KNOWN_FOR_MS = 15_000;

interface Region {
  /** When each message in flight was accepted, oldest first. The prefetch bounds their number. */
  inFlight: number[];
  ready: number | null;
  lookedAtMs: number;
}

export class Progress {
  private readonly regions: ReadonlyMap<string, Region>;

  constructor(regions: readonly string[]) {
    this.regions = new Map(
      regions.map((region) => [region, { inFlight: [], ready: null, lookedAtMs: 0 }]),
    );
  }

  /** Returns what to call once the message is settled. */
  came(region: string, acceptedAtMs: number): () => void {
    const inFlight = this.regions.get(region)?.inFlight ?? [];
    inFlight.push(acceptedAtMs);
    // After a loss this list is the region's no more, and its messages come again.
    return () => {
      const at = inFlight.indexOf(acceptedAtMs);
      if (at >= 0) inFlight.splice(at, 1);
    };
  }

  /** Messages of the region that are in flight. */
  inFlight(region: string): number {
    return this.regions.get(region)?.inFlight.length ?? 0;
  }

  /** Messages in flight will be redelivered, and the number behind them is unknown. */
  lost(region: string): void {
    const known = this.regions.get(region);
    if (!known) return;
    known.inFlight = [];
    known.ready = null;
  }

  ready(region: string, messages: number, lookedAtMs: number): void {
    const known = this.regions.get(region);
    if (known) Object.assign(known, { ready: messages, lookedAtMs });
  }

  report(nowMs: number): ShardReport["regions"] {
    return [...this.regions].map(([region, { inFlight, ready, lookedAtMs }]) => {
      // Answers of payment workers and services carry no timestamp.
      const first = inFlight.find((ms) => ms > 0);
      return {
        region,
        ready: nowMs - lookedAtMs > KNOWN_FOR_MS ? null : ready,
        lookedAtMs,
        lagMs: first === undefined ? 0 : Math.max(0, nowMs - first),
      };
    });
  }
}
