// Sweeps that wait for their turn between a decider's batches: at most one of each kind, and that
// is the latest one requested.
import type { Decision, Refusal } from "../../core/stores/shard-store.ts";

/** Gives up gaps, gives up holds, decides orders that waited for a rate. */
export type SweepKind = "unpark" | "expire" | "reprice";
export type SweepCall = () => Promise<Decision | { word: Refusal }>;

interface Waiting {
  readonly call: SweepCall;
  readonly asked: PromiseWithResolvers<void>;
}

export class Sweeps {
  /** Oldest first. A kind that is requested again keeps its place. */
  private readonly waiting = new Map<SweepKind, Waiting>();

  get due(): boolean {
    return this.waiting.size > 0;
  }

  /**
   * Settles once the sweep has been made or given up. A later call replaces an earlier one, because
   * its later cutoff includes the earlier one's work.
   */
  ask(kind: SweepKind, call: SweepCall): Promise<void> {
    const asked = this.waiting.get(kind)?.asked ?? Promise.withResolvers<void>();
    this.waiting.set(kind, { call, asked });
    return asked.promise;
  }

  /** Makes the oldest sweep and hands over its reply. Only then does its request settle. */
  async make(take: (reply: Decision | { word: Refusal }) => void): Promise<void> {
    const [kind, sweep] = this.waiting.entries().next().value ?? [];
    if (kind === undefined || sweep === undefined) return;
    this.waiting.delete(kind);
    try {
      take(await sweep.call());
    } finally {
      sweep.asked.resolve();
    }
  }

  /** Gives up all waiting sweeps. */
  clear(): void {
    for (const { asked } of this.waiting.values()) asked.resolve();
    this.waiting.clear();
  }
}
