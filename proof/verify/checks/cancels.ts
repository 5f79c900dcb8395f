// I7, from the clients' side: an order is cancelled only if its buyer asked for it, and stays
// cancelled once the buyer was told so.
import type { Evidence } from "../evidence.ts";
import type { Findings } from "../findings.ts";
import type { Witness } from "../witness.ts";

export function checkCancels(
  { sent, ledger }: Evidence,
  { partial, whole }: Witness,
  findings: Findings,
): void {
  for (const [key, order] of sent) {
    const found = ledger.get(key);
    if (order.told.includes("cancelled") && found && found.state !== "cancelled")
      findings.violation(
        "I7",
        "an order is not cancelled though its buyer was told that it is",
        `${key}: ${found.state}`,
      );
  }
  for (const [key, order] of ledger) {
    if (order.state !== "cancelled" || (sent.get(key)?.cancels ?? 0) > 0) continue;
    if (whole(order) && (!partial || sent.has(key)))
      findings.violation("I7", "an order was cancelled that no client cancelled", key);
  }
}
