// Every state of an order, as one closed union. Lua, ledger, API and documents use only these
// words.

/** States that are not final. */
export const OPEN_STATES = ["accepted", "parked", "reserved", "paid"] as const;

/** Final states, except that a redrive opens a new generation. */
export const TERMINAL_STATES = [
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

/**
 * What a parked or reserved order waits for. `number_or_rate`: it is numbered and in another
 * currency than its sale. `earlier_charge`: charges of its user's earlier orders.
 */
export const WAITS_FOR = ["number", "rate", "number_or_rate", "earlier_charge"] as const;
export type WaitsFor = (typeof WAITS_FOR)[number];

export type OpenState = (typeof OPEN_STATES)[number];
export type TerminalState = (typeof TERMINAL_STATES)[number];
export type OrderState = OpenState | TerminalState;

const ALL: ReadonlySet<string> = new Set([...OPEN_STATES, ...TERMINAL_STATES]);

/** Whether a word from Lua, a row or a message is a known state. */
export function isOrderState(word: string): word is OrderState {
  return ALL.has(word);
}
