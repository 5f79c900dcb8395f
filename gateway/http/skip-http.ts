// POST /v1/orders/skip: gives up a number, as durably as an order is placed.

import type { Recipient, Verdict } from "../intake/batch.ts";
import { type App, type AppParts, jsonOf, principalOf } from "./calls.ts";
import { problem, Refused } from "./problem.ts";

export function addSkip(app: App, parts: AppParts): void {
  app.post("/v1/orders/skip", async (c) => {
    const principal = await principalOf(parts, c.req.header("authorization"));
    const value = (await jsonOf(c.req.raw, parts.limits.bodyBytes)) as {
      saleId: string;
      seq: number;
    };
    const waiting = new Waiting();
    const refusal = parts.orders.intake.skip(value, principal, waiting, undefined);
    if (refusal) return refusal.response();
    const verdict = await waiting.verdict;
    if (verdict !== "confirmed") throw new Refused(problem(verdict));
    return c.json({ saleId: value.saleId, seq: value.seq, status: "accepted" }, 202);
  });
}

class Waiting implements Recipient {
  readonly follows = false;
  private resolve!: (verdict: Verdict) => void;
  readonly verdict = new Promise<Verdict>((resolve) => {
    this.resolve = resolve;
  });
  settled(verdict: Verdict): void {
    this.resolve(verdict);
  }
  decided(): void {}
  forgotten(): void {}
}
