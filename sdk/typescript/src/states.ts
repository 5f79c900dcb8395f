// The states of an order.

/** Not final: other states follow. */
export const OPEN_STATES = ["accepted", "parked", "reserved", "paid"] as const;

/** Final, except that an operator may have a failed payment tried again. */
export const FINISHED_STATES = [
  "dispatched",
  "sold_out",
  "over_limit",
  "over_max_total",
  "sale_closed",
  "unknown_item",
  "fx_unavailable",
  "superseded",
  "stale",
  "rejected",
  "cancelled",
  "payment_failed",
  "expired",
] as const;

export type OpenState = (typeof OPEN_STATES)[number];
export type FinishedState = (typeof FINISHED_STATES)[number];
export type OrderState = OpenState | FinishedState;

const FINISHED: ReadonlySet<string> = new Set(FINISHED_STATES);
const STATES: ReadonlySet<string> = new Set([...OPEN_STATES, ...FINISHED_STATES]);

export const isState = (word: string): word is OrderState => STATES.has(word);
export const isFinished = (word: string): word is FinishedState => FINISHED.has(word);
/** The sale has an answer for this order; before that it waits. */
export const isDecided = (word: string): word is Exclude<OrderState, "accepted" | "parked"> =>
  isState(word) && word !== "accepted" && word !== "parked";
