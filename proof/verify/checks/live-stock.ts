// I5 in Redis: its counters add up, and once the outboxes are empty they match the ledger's.
import type { LiveStock } from "../../../core/stores/stock-store.ts";
import type { ItemRecord } from "../../../ledger/audit.ts";
import type { Findings } from "../findings.ts";

const ACCOUNTS = ["available", "releasing", "held", "sold"] as const;

/** `live`: sale → sku → counters; without the sales that Redis does not have. */
export function checkLiveStock(
  items: readonly ItemRecord[],
  live: ReadonlyMap<string, ReadonlyMap<string, LiveStock>>,
  atRest: boolean,
  findings: Findings,
): void {
  for (const item of items) {
    if (item.retired) continue;
    const name = `${item.saleId} ${item.sku}`;
    const units = live.get(item.saleId)?.get(item.sku);
    if (!units) {
      if (atRest) findings.waiting(`Redis does not have ${name} yet`);
      continue;
    }
    if (atRest && item.correcting > 0) findings.waiting(`a correction of ${name} has no end yet`);
    if (ACCOUNTS.reduce((sum, account) => sum + units[account], 0) !== units.total) {
      findings.violation(
        "I5",
        "Redis's stock does not add up",
        `${name}: ${JSON.stringify(units)}`,
      );
    }
    for (const account of ACCOUNTS) {
      if (units[account] < 0)
        findings.violation(
          "I5",
          "Redis's stock is below zero",
          `${name}: ${account} ${units[account]}`,
        );
      // Redis may have taken the units already.
      const due = item.correcting > 0 && account === "available";
      if (atRest && !due && units[account] !== item[account]) {
        findings.violation(
          "I5",
          "Redis's stock differs from the ledger's",
          `${name}: ${account} ${units[account]}, ledger ${item[account]}`,
        );
      }
    }
  }
}
