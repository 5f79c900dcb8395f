// I2 and I10: the ledger holds nothing that nobody sent, and nothing that was refused at every
// sending.
import type { Evidence } from "../evidence.ts";
import type { Findings } from "../findings.ts";
import type { Witness } from "../witness.ts";

export function checkSubmitted(
  { sent, ledger }: Evidence,
  { partial, whole }: Witness,
  findings: Findings,
): void {
  for (const [key, order] of ledger) {
    if (!whole(order)) continue;
    const sendings = sent.get(key)?.sendings ?? [];
    if (sendings.length === 0) {
      if (!partial)
        findings.violation(
          "I2",
          "the ledger holds an order that nobody sent",
          `${key}: ${order.state}`,
        );
    } else if (sendings.every((s) => s.result === "fail")) {
      const statuses = [...new Set(sendings.map((s) => s.status))].join(", ");
      findings.violation(
        "I10",
        "an order that was only ever refused is in the ledger",
        `${key}: answered ${statuses}, ${order.state}`,
      );
    }
  }
}
