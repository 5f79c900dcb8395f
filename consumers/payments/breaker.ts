// Pauses charging while the provider fails for everyone: charges would only use up their retries.
//
//   closed ──failures in a row──▶ open ──pause──▶ half-open: one probe ──success──▶ closed
//                                   ▲──────────────failure────────┘
export interface BreakerOptions {
  /** Consecutive failures that open it. */
  readonly failures: number;
  /** How long it stays open, ms; doubles with each failed probe up to `maxPauseMs`. */
  readonly pauseMs: number;
  readonly maxPauseMs: number;
  /** Monotonic ms. */
  readonly now: () => number;
  readonly onChange?: (state: BreakerState, why: string) => void;
}

export type BreakerState = "closed" | "open" | "half-open";

export class Breaker {
  state: BreakerState = "closed";
  private failuresInARow = 0;
  private pauseMs: number;
  private opensUntilMs = 0;
  private probing = false;

  constructor(private readonly options: BreakerOptions) {
    this.pauseMs = options.pauseMs;
  }

  /** Whether calls are ruled out for now. */
  get pausing(): boolean {
    return this.state === "open" && this.options.now() < this.opensUntilMs;
  }

  /**
   * Ms to wait before the next call; 0: call now. The caller that gets 0 while half-open is the
   * probe.
   */
  waitMs(): number {
    if (this.state === "closed") return 0;
    const left = this.opensUntilMs - this.options.now();
    if (left > 0) return left;
    if (this.state === "open") this.change("half-open", "trying one call");
    if (this.probing) return this.options.pauseMs / 10;
    this.probing = true;
    return 0;
  }

  succeeded(): void {
    this.failuresInARow = 0;
    this.probing = false;
    this.pauseMs = this.options.pauseMs;
    if (this.state !== "closed") this.change("closed", "the provider answers again");
  }

  failed(why: string): void {
    this.failuresInARow++;
    if (this.state === "half-open") {
      this.probing = false;
      this.pauseMs = Math.min(this.options.maxPauseMs, this.pauseMs * 2);
      this.open(why);
    } else if (this.state === "closed" && this.failuresInARow >= this.options.failures)
      this.open(why);
  }

  private open(why: string): void {
    this.opensUntilMs = this.options.now() + this.pauseMs;
    this.change("open", why);
  }

  private change(state: BreakerState, why: string): void {
    this.state = state;
    this.options.onChange?.(state, why);
  }
}
