// GET /v1/rates: the held rates, read once a second at most, and never taken for none.
import { afterEach, expect, test } from "bun:test";
import { closeGateways, start } from "../testing.ts";

afterEach(closeGateways);

const AT = Date.parse("2027-01-31T10:00:00Z");
const RATE = { pair: "EUR/JPY", value: "163.5", atMs: AT, untilMs: AT + 60_000 };

test("rates and the digits of each currency are public, tagged, and asked for once", async () => {
  let looks = 0;
  const rates = async () => {
    looks++;
    return [RATE, { ...RATE, pair: "EUR/CHF", value: "0.95" }];
  };
  const { gateway } = await start({ rates });
  const answers = await Promise.all([1, 2, 3].map(() => fetch(`${gateway.url}/v1/rates`)));
  const [body] = await Promise.all(answers.map((a) => a.json() as Promise<{ digits: object }>));
  const [at, until] = ["2027-01-31T10:00:00.000Z", "2027-01-31T10:01:00.000Z"];
  expect(body).toMatchObject({
    rates: [
      { pair: "EUR/CHF", value: "0.95", at, until },
      { pair: "EUR/JPY", value: "163.5", at, until },
    ],
    digits: { EUR: 2, JPY: 0, KWD: 3 },
  });
  expect(looks).toBe(1);
  const etag = answers[0]?.headers.get("etag") ?? "";
  const again = await fetch(`${gateway.url}/v1/rates`, { headers: { "if-none-match": etag } });
  expect(again.status).toBe(304);
});

test("while Redis is away the rates are unavailable, and read as soon as it is back", async () => {
  let away = true;
  const rates = () => (away ? Promise.reject(new Error("away")) : Promise.resolve([RATE]));
  const { gateway } = await start({ rates });
  const refused = await fetch(`${gateway.url}/v1/rates`);
  expect([refused.status, ((await refused.json()) as { field: string }).field]).toEqual([
    503,
    "rates",
  ]);
  away = false;
  expect((await fetch(`${gateway.url}/v1/rates`)).status).toBe(200);
});
