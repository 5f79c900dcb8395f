// /v1/admin/rates: the exchange rates in use, and those that jumped. An operator accepts or refuses
// what waits, by the value that they have seen.
import type { Context } from "hono";
import { wrongPair, wrongValue } from "../../core/domain/rate.ts";
import { type App, type AppParts, type Env, jsonOf } from "../http/calls.ts";
import { problem, Refused } from "../http/problem.ts";
import { refOf } from "./changes.ts";
import { Fields } from "./fields.ts";
import { rfc3339 } from "./sale-form.ts";

const MAX_BODY_BYTES = 1_024;

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

async function rateIn(c: Context<Env>): Promise<{ pair: string; value: string }> {
  const fields = Fields.of(await jsonOf(c.req.raw, MAX_BODY_BYTES), ["pair", "value"]);
  const [pair, value] = [fields.string("pair"), fields.string("value")];
  for (const [name, wrong] of [
    ["pair", wrongPair(pair)],
    ["value", wrongValue(value)],
  ] as const)
    if (wrong !== undefined) fields.refuse("out_of_range", name, wrong);
  c.set("target", `${pair} ${value}`);
  return { pair, value };
}

function waitsInstead(now: string | undefined): string {
  return now === undefined
    ? "no rate of this pair waits"
    : `no rate near this value waits; ${now} does`;
}
