// What the clients' history can be asked. It is written while they run: of a system at rest it is
// whole, but for calls that were still under way when its last line was written; of a moving one it
// lags behind the ledger, and what it does not show may be about to be written.
import type { LedgerOrder } from "./evidence.ts";
import { CALL_MS } from "./tolerances.ts";

export interface Witness {
  /** There were other clients than those of the history. */
  readonly partial: boolean;
  /** Whether every sending of this order is in the history, if its client's are. */
  whole(order: LedgerOrder): boolean;
}

/** `endMs`: the last line of the history that ends first. */
export function witnessOf(partial: boolean, atRest: boolean, endMs: number): Witness {
  return {
    partial,
    whole: ({ seenAtMs }) => atRest && (!partial || seenAtMs < endMs - CALL_MS),
  };
}
