// How far apart two true statements may lie before the checker calls one of them false. Everything
// it judges by time it judges with these, and nothing else; docs/guarantees.md states them.

/** Clocks of clients, workers and Redis differ by less. */
export const CLOCK_MS = 1_000;
/**
 * Units that come back, or are added, count as for sale this long after the ledger (or, when added,
 * Redis) has them: a worker that dies in between is replaced within it, and its successor tells
 * Redis.
 */
export const RETURN_MS = 30_000;
/** A gateway believes for so long that an item is sold out (gateway/admission/sold-out.ts). */
export const FLAG_MS = 1_000;
/** Gateways refuse ids that are older when they come. */
export const ID_AGE_MS = 600_000;
/** A call of a client is over after this: what it did is in his history by then. */
export const CALL_MS = 30_000;
