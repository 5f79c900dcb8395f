// X11 at the gateways: they refuse sold-out items on their own, based on what Redis reported at
// most a second ago. So at some moment from a second before an order refused so was sent until it
// was answered, one of its items must have been gone.
import type { Evidence, Sending } from "../evidence.ts";
import type { Findings } from "../findings.ts";
import { CLOCK_MS, FLAG_MS } from "../tolerances.ts";
import type { SoldOutCheck } from "./sold-out.ts";

const SOLD_OUT = "sold_out";
const CONFLICT = "conflict";

/** A gateway says so only of an id under which another body has been accepted. */
function checkConflicts({ sent }: Evidence, findings: Findings): void {
  for (const { user, id, sendings } of sent.values()) {
    for (const { t1, code, body, result } of sendings) {
      if (code !== CONFLICT || result !== "fail") continue;
      const other = (s: Sending) => s.result !== "fail" && s.body !== body && s.t0 < t1 + CLOCK_MS;
      if (sendings.some(other)) continue;
      findings.violation(
        "I3",
        "an order was refused as a conflict though no other body was sent under its id",
        `${user} ${id}`,
      );
    }
  }
}

export function checkGate(evidence: Evidence, stock: SoldOutCheck, findings: Findings): void {
  checkConflicts(evidence, findings);
  for (const { user, id, sendings } of evidence.sent.values()) {
    for (const { t0, t1, code, refused } of sendings) {
      if (code !== SOLD_OUT || !refused) continue;
      const fromMs = t0 - FLAG_MS - CLOCK_MS;
      const { saleId, lines } = refused;
      if (!lines.every(({ sku }) => stock.hadUnits(saleId, sku, fromMs, t1 + CLOCK_MS))) continue;
      findings.violation(
        "I5",
        "an order was refused at the gate as sold out though there was stock throughout",
        `${user} ${id}: ${lines.map(({ sku }) => sku).join(", ")}, asked at ${Math.round(t0)}`,
      );
    }
  }
}
