// How far two true statements may differ before the checker calls one false. Every check that
// depends on time uses these and no others; docs/guarantees.md states them.

/** Clocks of clients, workers and Redis differ by less than this. */
export const CLOCK_MS = 1_000;
/**
 * Returned units count as for sale this long after the ledger has them, added units this long after
 * Redis has them. A worker that dies in between is replaced within it, and its successor updates
 * Redis.
 */
export const RETURN_MS = 30_000;
/** How long a gateway believes that an item is sold out (gateway/admission/sold-out.ts). */
export const FLAG_MS = 1_000;
/** Gateways refuse ids older than this. */
export const ID_AGE_MS = 600_000;
/** A client's call ends within this, so its effect is in the history by then. */
export const CALL_MS = 30_000;
