// GET /v1/rates: the exchange rates that Redis holds now, with the digits of each currency. Public,
// since a shop's pages show prices by them. Redis is asked at most once a second for all readers.
import { CURRENCIES, minorDigits } from "../../core/domain/currency.ts";
import { ignore } from "../../core/runtime/ignored.ts";
import { rfc3339 } from "../admin/sale-form.ts";
import type { App, AppParts } from "./calls.ts";
import { problem, Refused } from "./problem.ts";
import { sendPublic } from "./read-sales.ts";
import { type TaggedText, tagged } from "./tagged-text.ts";

const FRESH_MS = 1_000;
const DIGITS = Object.fromEntries(
  [...CURRENCIES].sort().map((currency) => [currency, minorDigits(currency)]),
);

export function addRateReads(app: App, parts: AppParts): void {
  const { runtime, stores } = parts.options;
  let last: { readonly text: Promise<TaggedText>; readonly untilMs: number } | undefined;

  const ask = async (): Promise<TaggedText> => {
    const held = [...(await stores.rates())].sort((a, b) => (a.pair < b.pair ? -1 : 1));
    const rates = held.map(({ pair, value, atMs, untilMs }) => ({
      ...{ pair, value, at: rfc3339(atMs), until: rfc3339(untilMs) },
    }));
    return tagged({ rates, digits: DIGITS });
  };
  const text = (): Promise<TaggedText> => {
    const nowMs = runtime.monotonicMs();
    if (last && nowMs < last.untilMs) return last.text;
    const asked = { text: ask(), untilMs: nowMs + FRESH_MS };
    last = asked;
    asked.text.catch(() => {
      if (last === asked) last = undefined;
    });
    return asked.text;
  };

  app.get("/v1/rates", async (c) => {
    const found = await ignore(text(), "rates_look");
    if (found === undefined)
      throw new Refused(problem("unavailable", "rates", "Redis does not answer"));
    return sendPublic(parts, c, found);
  });
}
