// Every state an order can be in, as one closed union: Lua, ledger, API and docs use these words
// and no others.

/** Work goes on from these. */
export const OPEN_STATES = ["accepted", "parked", "reserved", "paid"] as const;

/** Nothing follows these, short of a redrive, which opens a new generation. */
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
 * What a parked or a reserved order may wait for. `number_or_rate`: it is numbered, and in another
 * currency than its sale's. `earlier_charge`: the charges of its user's earlier orders.
 */
export const WAITS_FOR = ["number", "rate", "number_or_rate", "earlier_charge"] as const;
export type WaitsFor = (typeof WAITS_FOR)[number];

export type OpenState = (typeof OPEN_STATES)[number];
export type TerminalState = (typeof TERMINAL_STATES)[number];
export type OrderState = OpenState | TerminalState;

const ALL: ReadonlySet<string> = new Set([...OPEN_STATES, ...TERMINAL_STATES]);

/** Whether a word from outside (Lua, a row, a message) is a state this version knows. */
export function isOrderState(word: string): word is OrderState {
  return ALL.has(word);
}
