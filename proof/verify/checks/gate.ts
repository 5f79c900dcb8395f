// X11 at the gateways: they refuse sold-out items on their own, based on what Redis reported at
// most a second ago. So at some moment from a second before a 409 order was sent until it was
// answered, one of its items must have been gone.
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
        "an order was refused at the gate as sold out though there was stock throughout",
        `${user} ${id}: ${lines.map(({ sku }) => sku).join(", ")}, asked at ${Math.round(t0)}`,
      );
    }
  }
}
