// What the clients' history can prove. It is written while they run. For a system at rest it is
// complete, except for calls in flight when its last line was written; for a busy one it lags
// behind the ledger, so a missing line may still be written.
import type { LedgerOrder } from "./evidence.ts";
import { CALL_MS } from "./tolerances.ts";

export interface Witness {
  /** There were clients outside the history. */
  readonly partial: boolean;
  /** Whether the history has every sending of this order, if it covers the order's client. */
  whole(order: LedgerOrder): boolean;
}

/** `endMs`: the last line of the history that ends first. */
export function witnessOf(partial: boolean, atRest: boolean, endMs: number): Witness {
  return {
    partial,
    whole: ({ seenAtMs }) => atRest && (!partial || seenAtMs < endMs - CALL_MS),
  };
}
