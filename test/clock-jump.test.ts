// Redis's clock is wrong while a worker runs: the worker decides nothing by it.
import { afterEach, expect, test } from "bun:test";
import { join } from "node:path";
import { testDir } from "./services.ts";
import { makeOrder, SHARDS, Stack, userOf } from "./stack.ts";

const HOUR_MS = 3_600_000;
const LIMIT_MS = 120_000;
/** The key holds the error of the time that the library reads. */
const SKEW_KEY = "test:skew";

let stack: Stack;
afterEach(async () => {
  delete process.env.SLUICE_TEST_PATCH;
  await stack?.stop();
}, LIMIT_MS);

test.each([HOUR_MS * 24, -HOUR_MS * 24])(
  "a clock jump of %d ms makes nothing stale and ends nothing; orders wait until it is right again",
  async (skewMs) => {
    process.env.SLUICE_TEST_PATCH = join(testDir("patch"), "patch.json");
    const from = "return tonumber(seconds) * 1000";
    const skew = `tonumber(redis.call('GET', '${SKEW_KEY}') or '0')`;
    await Bun.write(
      process.env.SLUICE_TEST_PATCH,
      JSON.stringify([[from, `return ${skew} + tonumber(seconds) * 1000`]]),
    );
    stack = await Stack.start({ env: { SLUICE_HOLD_TTL: "1h" } });
    await stack.sale({ a: 100 });
    const { worker } = await stack.worker("w1");
    const owned = () => worker.shards.length === SHARDS;
    await stack.until("all shards owned", owned);
    const client = await stack.client();
    const user = userOf(0);
    const [first, early, second] = [{ seq: 1 }, { seq: 3 }, { seq: 2 }].map((more) =>
      makeOrder(user, { a: 1 }, more),
    ) as [Made, Made, Made];
    await stack.publish(0, [first.row, early.row]);
    expect((await stack.decided(user, early.order.id)).state).toBe("parked");

    await client.run((c) => c.set(SKEW_KEY, skewMs));
    await stack.publish(0, [second.row]);
    const refused = () => stack.events.filter((e) => /clock/.test(String(e.why))).length;
    await stack.until("the clock refused", () => refused() > 1, 60_000);
    const states = async () =>
      (await stack.ledger.ordersOf(user, { limit: 10 })).map(({ state }) => state).sort();
    expect(await states()).toEqual(["parked", "reserved"]);

    await client.run((c) => c.set(SKEW_KEY, 0));
    await stack.decided(user, second.order.id, 60_000);
    await stack.becomes(user, early.order.id, "reserved");
    expect(await states()).toEqual(["reserved", "reserved", "reserved"]);
    await client.close();
  },
  LIMIT_MS,
);

type Made = ReturnType<typeof makeOrder>;
