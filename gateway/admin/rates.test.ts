// The exchange rates that wait for an operator, over HTTP and on the command line, with a real
// Redis and a real ledger.
import { afterEach, expect, test } from "bun:test";
import { join } from "node:path";
import { type RatesByHand, ratesByHand } from "../../cli/operator/rates-by-hand.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { readSettings } from "../../core/settings/settings.ts";
import { RateStore } from "../../core/stores/rate-store.ts";
import { RedisStore } from "../../core/stores/redis.ts";
import { openLedger } from "../../ledger/open.ts";
import { outputOf } from "../../test/output-of.ts";
import { testDir, testRedis } from "../../test/services.ts";
import { bearer, closeGateways, start } from "../testing.ts";

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  await closeGateways();
  for (const close of closing.splice(0)) await close();
});

/** A Redis in which the dollar has jumped, and a ledger. */
async function rig() {
  const { url } = await testRedis();
  const redis = new RedisStore({ runtime: realRuntime, url });
  await redis.connect();
  await redis.client.flushall();
  const store = new RateStore(redis, { maxAgeMs: 60_000, maxStep: 10 });
  const nowMs = Date.now();
  const rate = (value: string, atMs: number) => ({ id: `r${atMs}`, pair: "EUR/USD", value, atMs });
  await store.put([rate("1.1", nowMs - 2)], nowMs, new Map());
  await store.put([rate("1.5", nowMs - 1)], nowMs, new Map());
  const ledgerUrl = `sqlite:${join(testDir("rates-admin"), "ledger.db")}`;
  const ledger = await openLedger({ runtime: realRuntime, url: ledgerUrl, shards: 2 });
  closing.push(
    () => redis.close(),
    () => ledger.close(),
  );
  return { redis, url, store, ledger, ledgerUrl };
}

test("operators see, accept and refuse rates over HTTP; others may not", async () => {
  const { redis, ledger, store } = await rig();
  const byHand: RatesByHand = ratesByHand(ledger, redis, readSettings({}));
  const t = await start({ ratesByHand: byHand });
  const call = async (path: string, body?: object, scope = "operator", ref?: string) => {
    const headers = {
      ...(await bearer("olga", { scope })),
      "content-type": "application/json",
      ...(ref === undefined ? {} : { "idempotency-key": ref }),
    };
    const init = body ? { method: "POST", headers, body: JSON.stringify(body) } : { headers };
    const answer = await t.gateway.app.request(`/v1/admin/rates${path}`, init, { peer: "::1" });
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
  };
  const seen = { pair: "EUR/USD", value: "1.5" };
  expect(await call("", undefined, "viewer")).toMatchObject({
    status: 200,
    body: {
      rates: [{ pair: "EUR/USD", value: "1.1" }],
      waiting: [{ ...seen, last: "1.1", state: "held", since: expect.any(String) }],
    },
  });
  expect((await call("/accept", seen, "viewer")).status).toBe(403);
  for (const [body, field] of [
    [{ pair: "EUR/EUR", value: "1" }, "pair"],
    [{ pair: "EUR/USD", value: "-1" }, "value"],
    [{ pair: "EUR/USD" }, "value"],
    [{ ...seen, force: true }, "force"],
  ] as const)
    expect(await call("/accept", body)).toMatchObject({ status: 422, body: { field } });
  const other = await call("/accept", { ...seen, value: "15" });
  expect(other).toMatchObject({ status: 409, body: { field: "value" } });
  expect(String(other.body.detail)).toContain("the held one is 1.5");
  expect(await call("/refuse", seen, "operator", "t1")).toMatchObject({
    ...{ status: 200, body: { result: "done", applied: true, ref: "t1", verdict: "refuse" } },
  });
  expect(await call("/accept", seen, "operator", "t2")).toMatchObject({ status: 200 });
  expect((await store.all()).map(({ value }) => value)).toEqual(["1.5"]);
  expect(await call("/refuse", seen)).toMatchObject({ status: 409 });
  expect((await t.ledger.auditLog({ limit: 20 })).records).toContainEqual(
    expect.objectContaining({ action: "rates.accept", target: "EUR/USD 1.5" }),
  );
});

test("a verdict that Redis did not take is not called applied when it is sent again", async () => {
  const { redis, ledger, store } = await rig();
  const other = async (value: string) => {
    const nowMs = Date.now() + 10;
    await store.put([{ id: value, pair: "EUR/USD", value, atMs: nowMs }], nowMs, new Map());
  };
  let between = () => other("3");
  const operate: typeof ledger.operate = async (...of) => {
    await between();
    return ledger.operate(...of);
  };
  const slow = new Proxy(ledger, {
    get: (target, name) => (name === "operate" ? operate : Reflect.get(target, name).bind(target)),
  });
  const { settle } = ratesByHand(slow, redis, readSettings({}));
  const verdict = { ref: "t1", verdict: "accept", pair: "EUR/USD", value: "1.5" } as const;
  expect(await settle(verdict, "olga")).toEqual({ result: "not_waiting", now: "3" });
  await Bun.sleep(20);
  await other("1.5");
  between = async () => {};
  expect(await settle(verdict, "olga")).toEqual({ result: "repeated", applied: true });
  expect((await store.all()).map(({ value }) => value)).toEqual(["1.5"]);
});

test("a Redis that is away is 503, not 500", async () => {
  const { redis, ledger } = await rig();
  const t = await start({ ratesByHand: ratesByHand(ledger, redis, readSettings({})) });
  await redis.close();
  const headers = await bearer("olga", { scope: "operator" });
  const answer = await t.gateway.app.request("/v1/admin/rates", { headers }, { peer: "::1" });
  expect(answer.status).toBe(503);
});

test("sluice rates lists what waits, and accepts it on record under a reference", async () => {
  const { url, ledger, ledgerUrl, store } = await rig();
  const env = {
    ...process.env,
    SLUICE_LEDGER_URL: ledgerUrl,
    SLUICE_REDIS_URL: url,
    SLUICE_REGIONS: "eu=amqp://127.0.0.1:1",
    SLUICE_SHARDS: "2",
    SLUICE_DATA: testDir("rates-data"),
  };
  const rates = (...words: string[]) =>
    outputOf([process.execPath, "cli/cli.ts", "rates", ...words], { env });
  const listed = await rates("list");
  expect(listed).toMatchObject({ err: "", code: 0 });
  expect(listed.out).toMatch(/^EUR\/USD +1\.1 /m);
  expect(listed.out).toMatch(/^EUR\/USD +1\.1 +1\.5 +held /m);
  expect((await rates("accept", "EUR/USD", "15")).err).toContain(
    "near 15 is held; the held one is 1.5",
  );
  expect((await rates("refuse", "EUR/USD", "1.5")).out).toBe("EUR/USD 1.5 refused\n");
  const accepted = await rates("accept", "EUR/USD", "--ref", "ticket-7");
  expect(accepted.out).toBe("EUR/USD 1.5 accepted\n");
  expect(await store.waiting()).toEqual([]);
  const { records } = await ledger.auditLog({ limit: 9 });
  expect(records[0]).toMatchObject({
    ...{ action: "rates.accept", target: "EUR/USD", result: { status: 200 } },
    detail: '{"value":"1.5","ref":"ticket-7"}',
  });
}, 60_000);
