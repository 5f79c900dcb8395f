// Sweeps that wait for their turn between a decider's batches: at most one of each kind, as it was
// asked for last.
import type { Decision, Refusal } from "../../core/stores/shard-store.ts";

/** Gaps that are over, holds that lasted too long, orders that waited for a rate. */
export type SweepKind = "unpark" | "expire" | "reprice";
export type SweepCall = () => Promise<Decision | { word: Refusal }>;

interface Waiting {
  readonly call: SweepCall;
  readonly asked: PromiseWithResolvers<void>;
}

export class Sweeps {
  /** Oldest first: asked for again, a kind keeps its place. */
  private readonly waiting = new Map<SweepKind, Waiting>();

  get due(): boolean {
    return this.waiting.size > 0;
  }

  /**
   * Settles once the sweep has been made, or is not going to be. The later call has the later
   * cutoff, so it does the earlier one's work.
   */
  ask(kind: SweepKind, call: SweepCall): Promise<void> {
    const asked = this.waiting.get(kind)?.asked ?? Promise.withResolvers<void>();
    this.waiting.set(kind, { call, asked });
    return asked.promise;
  }

  /** Makes the oldest one, hands its reply over, and only then says that it has been made. */
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

  /** Gives up all that wait. */
  clear(): void {
    for (const { asked } of this.waiting.values()) asked.resolve();
    this.waiting.clear();
  }
}
