// X11, at the gateways: one answers for a sold-out item itself, by what Redis said a second ago at
// most. So an order that was turned away with 409 must have met an item that had been gone at some
// moment from a second before it was sent until it was answered.
import type { Evidence } from "../evidence.ts";
import type { Findings } from "../findings.ts";
import { CLOCK_MS, FLAG_MS } from "../tolerances.ts";
import type { SoldOutCheck } from "./sold-out.ts";

const SOLD_OUT = 409;

export function checkGate({ sent }: Evidence, stock: SoldOutCheck, findings: Findings): void {
  for (const { user, id, sendings } of sent.values()) {
    for (const { t0, t1, status, refused } of sendings) {
      if (status !== SOLD_OUT || !refused) continue;
      const fromMs = t0 - FLAG_MS - CLOCK_MS;
      const { saleId, lines } = refused;
      if (!lines.every(({ sku }) => stock.hadUnits(saleId, sku, fromMs, t1 + CLOCK_MS))) continue;
      findings.violation(
        "I5",
        "an order was turned away at the gate as sold out though there was stock all the time",
        `${user} ${id}: ${lines.map(({ sku }) => sku).join(", ")}, asked at ${Math.round(t0)}`,
      );
    }
  }
}
