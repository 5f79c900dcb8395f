// /v1/admin/rates: the exchange rates in use, and those that jumped. An operator accepts or refuses
// what waits, by the value that they have seen.
import type { Context } from "hono";
import { wrongPair, wrongValue } from "../../core/domain/rate.ts";
import { type App, type AppParts, type Env, jsonOf } from "../http/calls.ts";
import { problem, Refused } from "../http/problem.ts";
import { flawless, object, type Read, read } from "../http/shape.ts";
import { refOf } from "./changes.ts";
import { rfc3339 } from "./sale-form.ts";

const MAX_BODY_BYTES = 1_024;

/** About what waits, as it was shown. */
export const RATE_VERDICT = object({
  pair: flawless(wrongPair, { pattern: "^[A-Z]{3}/[A-Z]{3}$", examples: ["EUR/USD"] }),
  value: flawless(wrongValue, {
    pattern: "^\\d{1,9}(\\.\\d{1,12})?$",
    examples: ["1.0837"],
    description: "As it was shown: at most 15 digits, not zero",
  }),
});

export function addAdminRates(app: App, { options }: AppParts): void {
  const { runtime, clock, operator } = options;

  app.get("/v1/admin/rates", async (c) => {
    const { rates, waiting } = await byHand().list();
    const nowMs = clock();
    return c.json(
      {
        rates: rates.map(({ pair, value, atMs }) => ({ pair, value, at: rfc3339(atMs) })),
        waiting: waiting.map(({ pair, value, last, atMs, sinceMs, state }) => ({
          ...{ pair, value, last, state, at: rfc3339(atMs), since: rfc3339(sinceMs) },
          waitsSeconds: Math.max(0, Math.round((nowMs - sinceMs) / 1_000)),
        })),
      },
      200,
      { "cache-control": "no-store" },
    );
  });

  for (const verdict of ["accept", "refuse"] as const) {
    app.post(`/v1/admin/rates/${verdict}`, async (c) => {
      const { pair, value } = await rateIn(c);
      const ref = refOf(c) ?? runtime.uuid();
      const settled = await byHand().settle({ verdict, pair, value, ref }, c.get("principal").user);
      switch (settled.result) {
        case "ref_conflict":
          throw new Refused(problem("conflict", "Idempotency-Key", "used for another change"));
        case "not_waiting":
          throw new Refused(problem("conflict", "value", waitsInstead(settled.now)));
        case "done":
        case "repeated":
          return c.json({ pair, value, verdict, ref, ...settled });
      }
    });
  }

  function byHand() {
    if (!operator?.ratesByHand)
      throw new Refused(problem("not_found", undefined, "this gateway has no access to the rates"));
    return operator.ratesByHand;
  }
}

async function rateIn(c: Context<Env>): Promise<Read<typeof RATE_VERDICT>> {
  const rate = read(RATE_VERDICT, await jsonOf(c.req.raw, MAX_BODY_BYTES));
  c.set("target", `${rate.pair} ${rate.value}`);
  return rate;
}

function waitsInstead(now: string | undefined): string {
  return now === undefined
    ? "no rate of this pair is held"
    : `no rate near this value is held; the held one is ${now}`;
}
