// Whether HTTP calls to a peer may use connections that were kept open. After a network has failed
// silently, every kept connection is dead, and each costs a call its whole deadline to find out: a
// breaker that probes with one call at a time would go through all of them. So after some calls in
// a row without an answer, each call opens a connection of its own until the kept ones are gone.
import type { Runtime } from "./runtime.ts";

/** Bun closes connections that it has kept unused for 5 minutes; a minute is added. */
const KEPT_MS = 6 * 60_000;
/** Fewer may be a peer that is slow at times. A connection for each call costs CPU and time. */
const UNANSWERED_IN_A_ROW = 3;

export class KeptConnections {
  private unansweredInARow = 0;
  private usableAtMs = 0;

  constructor(private readonly runtime: Pick<Runtime, "monotonicMs">) {}

  get usable(): boolean {
    return this.runtime.monotonicMs() >= this.usableAtMs;
  }

  /** Any answer counts, also one that is not believed. */
  answered(): void {
    this.unansweredInARow = 0;
  }

  /** No answer in time, or the connection broke. */
  unanswered(): void {
    this.unansweredInARow++;
    if (this.unansweredInARow >= UNANSWERED_IN_A_ROW)
      this.usableAtMs = this.runtime.monotonicMs() + KEPT_MS;
  }
}
