// Which of several regions to publish to first: the home region, unless it has lately left a
// message unconfirmed. A frozen broker stays connected for several seconds, and each message to it
// would wait for its confirm.
import type { Runtime } from "../core/runtime/runtime.ts";

/** Longer than a frozen broker's connection lasts, so that one message pays for it. */
const DOUBT_MS = 20_000;

export class Preference<R> {
  private readonly doubtedUntilMs = new Map<R, number>();

  constructor(
    private readonly runtime: Runtime,
    private readonly regions: readonly R[],
  ) {}

  /** Those without doubt first, each part in the given order. */
  get inOrder(): readonly R[] {
    if (this.doubtedUntilMs.size === 0) return this.regions;
    const nowMs = this.runtime.monotonicMs();
    const doubted = (region: R) => (this.doubtedUntilMs.get(region) ?? 0) > nowMs;
    return [...this.regions.filter((r) => !doubted(r)), ...this.regions.filter(doubted)];
  }

  /** The region has left a message unconfirmed. */
  doubt(region: R): void {
    this.doubtedUntilMs.set(region, this.runtime.monotonicMs() + DOUBT_MS);
  }

  /** The region has confirmed one. */
  trust(region: R): void {
    this.doubtedUntilMs.delete(region);
  }
}
