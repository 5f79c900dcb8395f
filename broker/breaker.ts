// Whether a region's broker is trusted with messages.
//
//   closed ──(gone, alarm, no confirm in time)──▶ open ──(healthy for a while)──▶ half-open
//     ▲                                            ▲                                 │
//     └───────────(its one message is confirmed)───┼─────────────────────────────────┤
//                                                  └───(it is not)───────────────────┘
//
// 1. While half-open, one message is on trial at a time. The others go elsewhere.
// 2. A trial that fails doubles the time for which the broker must be healthy, up to a bound.
import type { Runtime } from "../core/runtime/runtime.ts";

export type BreakerState = "closed" | "open" | "half-open";

export interface BreakerOptions {
  readonly runtime: Runtime;
  /** How long the broker must be healthy before a message is tried, ms. */
  readonly healthyMs: number;
  /** Called after each change of the state. */
  readonly onChange: (state: BreakerState, why: string) => void;
}

/** A broker that fails each trial is tried at least once in this many times `healthyMs`. */
const MAX_PATIENCE = 32;

export class RegionBreaker {
  state: BreakerState = "closed";
  /** Why it has its state; empty: from the start. */
  why = "";
  /** When it got its state, Unix ms. */
  sinceMs: number;
  private trying = false;
  private patience = 1;
  /** Monotonic ms; undefined: the broker is not healthy. */
  private healthySinceMs: number | undefined;

  constructor(private readonly options: BreakerOptions) {
    this.sinceMs = options.runtime.wallMs();
  }

  /** Whether a message may be sent now. */
  get admits(): boolean {
    return this.state === "closed" || (this.state === "half-open" && !this.trying);
  }

  /** Whether an open breaker's broker has answered since it failed. */
  get answers(): boolean {
    return this.healthySinceMs !== undefined;
  }

  /** A message is being sent. */
  began(): void {
    if (this.state === "half-open") this.trying = true; // 1
  }

  confirmed(): void {
    if (this.state !== "half-open" || !this.trying) return;
    this.patience = 1;
    this.become("closed", "a message was confirmed");
  }

  /** The message was not sent after all. */
  undone(): void {
    this.trying = false;
  }

  failed(why: string): void {
    this.healthySinceMs = undefined;
    if (this.state === "open") return;
    if (this.state === "half-open") this.patience = Math.min(MAX_PATIENCE, this.patience * 2); // 2
    this.become("open", why);
  }

  /** An open breaker's broker was looked at. */
  looked(healthy: boolean): void {
    if (this.state !== "open") return;
    const { runtime, healthyMs } = this.options;
    const nowMs = runtime.monotonicMs();
    if (!healthy) this.healthySinceMs = undefined;
    else this.healthySinceMs ??= nowMs;
    if (this.healthySinceMs === undefined) return;
    if (nowMs - this.healthySinceMs >= healthyMs * this.patience)
      this.become("half-open", "the broker has been healthy for a while");
  }

  private become(state: BreakerState, why: string): void {
    this.state = state;
    this.why = why;
    this.sinceMs = this.options.runtime.wallMs();
    this.trying = false;
    this.options.onChange(state, why);
  }
}
