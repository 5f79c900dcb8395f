// How soon the next rebuild may begin. A rebuild costs a full load of Redis and stops all shards:
// one that fails, or does not hold, is followed by the next after a pause that grows. Others'
// rebuilds count as well; the incarnation tells of them.
import type { Runtime } from "../../core/runtime/runtime.ts";

const REST_MIN_MS = 500;
const REST_MAX_MS = 30_000;
/** A rebuild after which nothing was wrong for this long has held: twice the longest pause. */
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

  /** Something is wrong with Redis under this incarnation: whether a rebuild may begin now. */
  mayBegin(incarnation: number): boolean {
    if (this.runtime.monotonicMs() - this.troubleAtMs > HELD_MS) this.startOver(incarnation);
    this.noted(incarnation, false);
    return this.restMs === 0;
  }

  /** A rebuild of one's own has ended. */
  ended(incarnation: number): void {
    this.noted(incarnation, true);
  }

  /** Redis was found to be whole: there is nothing to wait for. */
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
