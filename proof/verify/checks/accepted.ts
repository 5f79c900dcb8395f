// I1: every order answered 202 has a decision in the ledger, and clients received only what the
// ledger holds.
import type { Evidence, LedgerOrder, SentOrder } from "../evidence.ts";
import { orderKey } from "../evidence.ts";
import type { Findings } from "../findings.ts";

export interface AcceptedCounts {
  orders: number;
  accepted: number;
  decided: number;
  ledgered: number;
  sendings: number;
  /** Accepted, but not (yet) in the ledger. */
  missing: number;
  parked: number;
}

export function checkAccepted(
  { sent, ledger }: Evidence,
  counts: AcceptedCounts,
  findings: Findings,
): string[] {
  const missing: string[] = [];
  for (const order of sent.values()) {
    const key = orderKey(order.user, order.id);
    const found = ledger.get(key);
    const accepted = order.sendings.some((s) => s.result === "ok");
    if (order.sendings.length > 0) counts.orders++;
    counts.sendings += order.sendings.length;
    if (accepted) counts.accepted++;
    if (accepted && !found) missing.push(key);
    if (accepted && found && found.state !== "parked") counts.ledgered++;
    if (
      accepted &&
      (found ? found.state !== "parked" : order.told.some((state) => state !== "parked"))
    )
      counts.decided++;
    if (order.told.length > 0) checkTold(key, order, found, findings);
  }
  counts.missing += missing.length;
  for (const order of ledger.values()) if (order.state === "parked") counts.parked++;
  return missing;
}

/**
 * A client receives an outcome only after it was recorded, so the ledger must have had the order in
 * that state.
 */
function checkTold(
  key: string,
  order: SentOrder,
  found: LedgerOrder | undefined,
  findings: Findings,
): void {
  for (const state of order.told) {
    if (!found)
      findings.violation(
        "I1",
        "a client received the outcome of an order that is not in the ledger",
        `${key}: ${state}`,
      );
    else if (!found.had.includes(state)) {
      findings.violation(
        "I1",
        "a client received a different outcome than the ledger has",
        `${key}: ${state}, ledger ${found.state}`,
      );
    }
  }
}
