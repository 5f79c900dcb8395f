// I3, from the clients' side: the ledger's order is one of the bodies that were sent, not one sent
// after another had been accepted; and every altered sending that was accepted left a conflict on
// record.
import type { Evidence, LedgerOrder, SentOrder } from "../evidence.ts";
import type { Findings } from "../findings.ts";
import type { Witness } from "../witness.ts";

export function checkReplays(
  { sent, ledger }: Evidence,
  conflictsOnRecord: ReadonlyMap<string, number>,
  { whole }: Witness,
  findings: Findings,
): void {
  for (const [key, stored] of ledger) {
    const order = sent.get(key);
    if (!whole(stored) || !order || order.sendings.length === 0 || stored.first === "rejected")
      continue;
    checkBody(key, order, stored, findings);
    checkConflicts(key, order, stored, conflictsOnRecord.get(key) ?? 0, findings);
  }
}

function checkBody(key: string, order: SentOrder, stored: LedgerOrder, findings: Findings): void {
  const candidates = order.sendings.filter((s) => s.result !== "fail" && s.body === stored.body);
  if (candidates.length === 0) {
    if (order.sendings.every((s) => s.result === "fail")) return; // I10 reports it
    findings.violation(
      "I3",
      "the ledger's order is not one of those sent under its id",
      `${key}: ${stored.body}`,
    );
    return;
  }
  // One accepted in a region before the other was sent is first in that region's queue. Between
  // regions either may come first.
  const first = candidates.some(
    (c) =>
      !order.sendings.some(
        (s) =>
          s.region !== undefined && s.region === c.region && s.body !== stored.body && s.t1 < c.t0,
      ),
  );
  if (!first)
    findings.violation("I3", "an altered resend replaced the original", `${key}: ${stored.body}`);
}

function checkConflicts(
  key: string,
  order: SentOrder,
  stored: LedgerOrder,
  onRecord: number,
  findings: Findings,
): void {
  const taken = order.sendings.filter((s) => s.result === "ok" && s.body !== stored.body).length;
  const possible = order.sendings.some((s) => s.result !== "fail" && s.body !== stored.body);
  if (onRecord < taken) {
    findings.violation(
      "I3",
      "an altered resend left no conflict on record",
      `${key}: ${taken} taken, ${onRecord} on record`,
    );
  }
  if (onRecord > 0 && !possible)
    findings.violation("I3", "a recorded conflict matches no sending", key);
  if (onRecord !== stored.conflicts) {
    findings.violation(
      "I3",
      "conflicts on record differ from the journal's",
      `${key}: ${onRecord}, journal ${stored.conflicts}`,
    );
  }
}
