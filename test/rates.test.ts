// Exchange rates from their source to the customer's charge, with real broker, Redis, ledger, rates
// role and payment worker.
import { afterEach, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { FX_RATES } from "../broker/topology.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import { LedgerAudit } from "../ledger/audit.ts";
import { testDir } from "./services.ts";
import { makeOrder, Stack, userOf } from "./stack.ts";

const TIMEOUT_MS = 60_000;
let stack: Stack;
afterEach(async () => stack?.stop(), TIMEOUT_MS);

const file = (rates: Record<string, string>, path = `${testDir("rates")}/rates.json`): string => {
  writeFileSync(path, JSON.stringify({ base: "EUR", rates }));
  return path;
};

async function order(
  currency: string,
  n = 0,
  more: Parameters<typeof makeOrder>[2] = {},
): Promise<{ user: string; id: string }> {
  const { order: made, row } = makeOrder(userOf(0, n), { a: 1 }, { currency, ...more });
  await stack.publish(0, [row]);
  return made;
}

async function chargesOf(id: string): Promise<string[]> {
  const audit = await LedgerAudit.open(realRuntime, stack.settings.ledgerUrl);
  const found: string[] = [];
  for await (const chunk of audit.charges())
    for (const c of chunk) if (c.id === id) found.push(`${c.amount} ${c.currency} at ${c.rate}`);
  await audit.close();
  return found;
}

test(
  "an order is charged in its own currency at the feed's rate; a missing pair is asked for",
  async () => {
    stack = await Stack.start();
    await stack.sale({ a: 100 });
    await stack.sale({ a: 100 }, { id: "s2", currency: "USD" });
    await stack.worker("w1");
    const provider = await stack.payments();
    await stack.rates(file({ USD: "1.0837", JPY: "163.5", KWD: "0.3323" }));
    const made = [
      await order("JPY"),
      await order("KWD", 1),
      await order("JPY", 2, { saleId: "s2" }),
      await order("EUR", 3, { saleId: "s2" }),
    ];
    for (const { user, id } of made) await stack.becomes(user, id, "paid");
    // 1.00 EUR and 1.00 USD; USD/JPY = 163.5 ÷ 1.0837, USD/EUR = 1 ÷ 1.0837.
    expect(await Promise.all(made.map(({ id }) => chargesOf(id)))).toEqual([
      ["164 JPY at 163.5"],
      ["332 KWD at 0.3323"],
      ["151 JPY at 150.8720125"],
      ["92 EUR at 0.9227646027"],
    ]);
    expect(await stack.ledger.bill(made[2]?.user as string, made[2]?.id as string)).toEqual({
      amount: 151,
      currency: "JPY",
      rate: { id: expect.stringContaining("USDJPY"), value: "150.8720125" },
      waits: false,
    });
    expect(
      [...provider.book.charges.values()].map((c) => `${c.amount} ${c.currency}`).toSorted(),
    ).toEqual(["151 JPY", "164 JPY", "332 KWD", "92 EUR"]);
  },
  TIMEOUT_MS,
);

test(
  "an order without a rate waits alone and is given up; later ones use the returning feed",
  async () => {
    stack = await Stack.start({ env: { SLUICE_RATE_WAIT: "1s" } });
    await stack.sale({ a: 100 });
    await stack.worker("w1");
    const [foreign, domestic] = [await order("USD"), await order("EUR", 1)];
    expect((await stack.decided(foreign.user, foreign.id)).state).toBe("parked");
    expect((await stack.decided(domestic.user, domestic.id)).state).toBe("reserved");
    await stack.becomes(foreign.user, foreign.id, "fx_unavailable");
    const path = file({ USD: "1.1" });
    await stack.rates(path);
    const later = await order("USD", 2);
    await stack.becomes(later.user, later.id, "reserved");
    expect(await chargesOf(later.id)).toEqual(["110 USD at 1.1"]);
  },
  TIMEOUT_MS,
);

test(
  "an invalid rate is rejected and the last one stands; one that is too old does not count",
  async () => {
    stack = await Stack.start({ env: { SLUICE_RATE_WAIT: "500ms", SLUICE_RATE_MAX_AGE: "2s" } });
    await stack.sale({ a: 100 });
    await stack.worker("w1");
    const say = async (value: string, agoMs = 0) => {
      const rates = [{ id: `r-${value}`, pair: "EUR/USD", value, atMs: Date.now() - agoMs }];
      await stack.links[0]?.publisher.publish(FX_RATES, "", Buffer.from(JSON.stringify(rates)));
    };
    const listening = () => stack.events.some((e) => e.event === "shard acquired");
    await stack.until("the worker to listen", listening);
    await say("1.1");
    await Bun.sleep(20);
    for (const nonsense of ["0", "-1", "NaN", "1200", "0.0001"]) await say(nonsense);
    await stack.links[0]?.publisher.publish(FX_RATES, "", Buffer.from("not json"));
    await say("1.7", 5_000);
    // Each reason is logged once: no number above zero, no rate at all, too old; and a jump.
    const logged = (event: string) => stack.events.filter((e) => e.event === event).length;
    await stack.until(
      "all to be refused or held",
      () => logged("rate refused") >= 3 && logged("rate held") >= 1,
    );
    const first = await order("USD");
    await stack.becomes(first.user, first.id, "reserved");
    expect(await chargesOf(first.id)).toEqual(["110 USD at 1.1"]);
    await Bun.sleep(2_100);
    const second = await order("USD", 1);
    await stack.becomes(second.user, second.id, "fx_unavailable");
  },
  TIMEOUT_MS,
);

test(
  "Redis wiped while orders wait for a rate: they keep waiting, and are decided when it comes",
  async () => {
    stack = await Stack.start({ env: { SLUICE_RATE_WAIT: "30s" } });
    await stack.sale({ a: 100 });
    await stack.worker("w1");
    const made = [
      await order("USD"),
      await order("USD", 1, { seq: 1 }),
      await order("EUR", 1, { seq: 2 }),
    ];
    for (const { user, id } of made) expect((await stack.decided(user, id)).state).toBe("parked");
    const store = await stack.client();
    await store.client.flushall();
    await store.close();
    await stack.until("the rebuild", () => stack.events.some((e) => e.event === "redis rebuilt"));
    await stack.rates(file({ USD: "1.1" }));
    for (const { user, id } of made) await stack.becomes(user, id, "reserved");
  },
  TIMEOUT_MS,
);
