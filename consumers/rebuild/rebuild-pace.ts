// How soon the next rebuild may begin. A rebuild loads all of Redis and stops all shards, so after
// one that fails or does not hold, the next waits longer each time. The incarnation shows other
// workers' rebuilds, which count too.
import type { Runtime } from "../../core/runtime/runtime.ts";

const REST_MIN_MS = 500;
const REST_MAX_MS = 30_000;
/** A rebuild has held if nothing was wrong for this long: twice the longest pause. */
const HELD_MS = 60_000;

export class RebuildPace {
  private tries = 0;
  private incarnation: number | undefined;
  private troubleAtMs = Number.NEGATIVE_INFINITY;
  private restsUntilMs = 0;

  constructor(private readonly runtime: Pick<Runtime, "monotonicMs" | "random">) {}

  /** Rebuilds since Redis was last whole for a while. */
  get repeated(): number {
    return this.tries;
  }

  get restMs(): number {
    return Math.max(0, this.restsUntilMs - this.runtime.monotonicMs());
  }

  /** Something is wrong with Redis under this incarnation. Returns whether a rebuild may begin. */
  mayBegin(incarnation: number): boolean {
    if (this.runtime.monotonicMs() - this.troubleAtMs > HELD_MS) this.startOver(incarnation);
    this.noted(incarnation, false);
    return this.restMs === 0;
  }

  /** This worker's own rebuild has ended. */
  ended(incarnation: number): void {
    this.noted(incarnation, true);
  }

  /** Redis is whole again, so there is nothing to wait for. */
  whole(): void {
    this.restsUntilMs = 0;
  }

  private startOver(incarnation: number): void {
    this.tries = 0;
    this.incarnation = incarnation;
    this.restsUntilMs = 0;
  }

  private noted(incarnation: number, tried: boolean): void {
    this.troubleAtMs = this.runtime.monotonicMs();
    const others = incarnation - (this.incarnation ?? incarnation);
    if (others <= 0 && !tried) return;
    this.incarnation = incarnation;
    this.tries += Math.max(1, others);
    const restMs = Math.min(REST_MAX_MS, REST_MIN_MS * 2 ** (this.tries - 1));
    this.restsUntilMs = this.runtime.monotonicMs() + restMs * (0.75 + this.runtime.random() / 2);
  }
}
