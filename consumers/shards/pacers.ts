// The paces that a worker's shards share. Only that of deciding delays an outcome; the others bound
// how late Redis and the brokers learn what is recorded. See docs/decisions/0017-pace.md.
import { Pacer } from "../../core/runtime/pacer.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";

/**
 * The longest interval between two calls that decide, ms. With a gateway's pace it leaves half of
 * the 60 ms within which an order is to be decided.
 */
const DECIDE_MS = 20;
/** From this many orders per second on, the interval is the longest. */
const DECIDE_FULL_FROM = 500;
/** Returned units are for sale once Redis has the mark of the entry. */
const MARK_MS = 100;
/** Entries per second. */
const MARK_FULL_FROM = 50;
/** What is not acknowledged is delivered again after a crash, and recognized. */
const ACK_MS = 100;
/** Messages per second. */
const ACK_FULL_FROM = 50;

export function pacersOf(runtime: Runtime) {
  const pacer = (mostMs: number, fullFrom: number) =>
    new Pacer({ runtime, mostMs: () => mostMs, fullFrom });
  return {
    decidePacer: pacer(DECIDE_MS, DECIDE_FULL_FROM),
    markPacer: pacer(MARK_MS, MARK_FULL_FROM),
    ackPacer: pacer(ACK_MS, ACK_FULL_FROM),
  };
}
