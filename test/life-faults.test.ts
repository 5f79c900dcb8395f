// Redis is lost in the middle of charging and cancelling: wiped, or back with an older file. No
// customer pays twice, nothing is oversold, and cancelled orders are refunded.
import { afterEach, expect, test } from "bun:test";
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { cancelRow } from "../core/domain/row.ts";
import { type Verdict, verify } from "../proof/verify/verify.ts";
import { openViews } from "../proof/verify/views.ts";
import { startRedis } from "../services/redis.ts";
import { readPackingList } from "../stubs/fulfil/packing-list.ts";
import type { Provider } from "../stubs/provider/server.ts";
import { outputOf } from "./output-of.ts";
import { makeOrder, Stack, userOf } from "./stack.ts";

const TIMEOUT_MS = 90_000;
const ORDERS = 120;
const UNITS = 100;
/** Long enough that some parts are always claimed and not done. */
const PACKING_MS = 150;
const ENV = { SLUICE_RETRY_DELAYS: "100ms,200ms,300ms" };

let stack: Stack;
afterEach(async () => stack?.stop(), TIMEOUT_MS);

interface Rush {
  readonly provider: Provider;
  readonly sent: { readonly user: string; readonly id: string }[];
  /** The packing list of the service. */
  readonly list: string;
}

/**
 * More orders than units, a misbehaving provider, and every fourth order cancelled at some moment.
 * Calls `halfWay` in the middle.
 */
async function rush(persistence: boolean, halfWay: () => unknown = () => undefined): Promise<Rush> {
  stack = await Stack.start({ env: ENV, persistence });
  await stack.sale({ a: UNITS });
  await stack.worker("w1");
  await stack.route("c", "depot");
  const { file: list } = await stack.fulfil("depot", undefined, PACKING_MS);
  const shares = { slow: 0.4, decline: 0.1, error_after: 0.1, timeout_after: 0.05, pending: 0.1 };
  const provider = await stack.payments({ shares, delays: { slowMs: 200 } });
  const sent: { user: string; id: string }[] = [];
  for (let i = 0; i < ORDERS; i++) {
    if (i === ORDERS / 2) await halfWay();
    const shard = i % 2;
    const { order, row } = makeOrder(userOf(shard, i % 25), { a: 1 });
    await stack.publish(shard, [row]);
    sent.push({ user: order.user, id: order.id });
    if (i % 4 === 3) void cancelSoon(shard, order.user, order.id, (i * 13) % 700);
  }
  return { provider, sent, list };
}

const cancels: Promise<void>[] = [];
function cancelSoon(shard: number, user: string, id: string, afterMs: number): Promise<void> {
  const cancel = Bun.sleep(afterMs).then(() =>
    stack.publish(shard, [cancelRow(user, id, Date.now())]),
  );
  cancels.push(cancel);
  return cancel;
}

/** Everything has ended, and the ledger agrees with the provider's own record. */
async function expectWhole({ provider, sent, list }: Rush): Promise<void> {
  await Promise.all(cancels.splice(0));
  const ends = new Set(["dispatched", "payment_failed", "cancelled", "sold_out"]);
  for (const { user, id } of sent) await stack.becomes(user, id, ...ends);
  const views = await openViews({ ...stack.settings, processing: ["depot"] });
  const look = (): Promise<Verdict> =>
    verify({
      ledgerUrl: stack.settings.ledgerUrl,
      history: [],
      ...views,
      provider: async () => [...provider.book.charges.values()],
      packed: async () => readPackingList(list).map((line) => ({ service: "depot", ...line })),
    });
  let verdict = await look();
  await stack.until("the system to come to rest", async () => {
    verdict = await look();
    return verdict.result !== "inconclusive";
  });
  await views.close();
  expect(verdict.violations).toEqual([]);
  expect(verdict.result).toBe("pass");
  const states = verdict.counts.states;
  expect(Object.values(states).reduce((sum, n) => sum + n, 0)).toBe(ORDERS);
  expect(states.dispatched).toBeGreaterThan(0);
  expect(states.cancelled).toBeGreaterThan(0);
}

const rebuilt = () => stack.events.filter((e) => e.event === "redis rebuilt").length;

/** Breaks Redis; the workers rebuild it, and nothing is lost or done twice. */
async function rebuiltAfter(fault: () => Promise<void>, story: Rush): Promise<void> {
  const before = rebuilt();
  await fault();
  await expectWhole(story);
  expect(rebuilt()).toBeGreaterThan(before);
}

async function wiped(): Promise<void> {
  const store = await stack.client();
  await store.client.flushall();
  await store.close();
}

const redisFile = () => join(stack.redis.dir, "appendonlydir");
const keptFile = () => join(stack.redis.dir, "older");
const keepFile = () => cpSync(redisFile(), keptFile(), { recursive: true });

async function withKeptFile(): Promise<void> {
  const { dir, port } = stack.redis;
  await stack.redis.kill();
  rmSync(redisFile(), { recursive: true, force: true });
  cpSync(keptFile(), redisFile(), { recursive: true });
  stack.redis = await startRedis(dir, { persistence: true, port });
}

test(
  "Redis wiped during charging and cancelling: no double payments, cancelled orders are refunded",
  async () => {
    const story = await rush(false);
    await stack.until("some charges", () => story.provider.book.charges.size > 10);
    await rebuiltAfter(wiped, story);
  },
  TIMEOUT_MS,
);

test(
  "Redis back with an older file during charging and cancelling: the same holds",
  async () => {
    const story = await rush(true, keepFile);
    await stack.until(
      "charges that the older file does not have",
      () => story.provider.book.charges.size > ORDERS / 2,
    );
    await rebuiltAfter(withKeptFile, story);
  },
  TIMEOUT_MS,
);

test(
  "Redis killed and back empty, twice: the charges continue lane by lane",
  async () => {
    const story = await rush(false);
    for (const charges of [10, 40]) {
      await stack.until("some charges", () => story.provider.book.charges.size > charges);
      const { dir, port } = stack.redis;
      await stack.redis.kill();
      stack.redis = await startRedis(dir, { persistence: false, port });
    }
    await expectWhole(story);
  },
  TIMEOUT_MS,
);

/** Waits until a service is working on some orders. */
async function someAtWork({ sent }: Rush): Promise<void> {
  const words = async ({ user, id }: { user: string; id: string }) =>
    (await stack.ledger.events(user, id)).map((e) => e.event);
  await stack.until("parts that are claimed and not done", async () => {
    const all = await Promise.all(sent.map(words));
    return (
      all.filter((events) => events.includes("claimed") && !events.includes("done")).length >= 3
    );
  });
}

test(
  "Redis wiped during dispatching: claimed parts are done once, cancelled orders are not packed",
  async () => {
    const story = await rush(false);
    await someAtWork(story);
    await rebuiltAfter(wiped, story);
  },
  TIMEOUT_MS,
);

test(
  "Redis back with an older file during dispatching: the same holds",
  async () => {
    const story = await rush(true, keepFile);
    await someAtWork(story);
    await rebuiltAfter(withKeptFile, story);
  },
  TIMEOUT_MS,
);

test(
  "charges and parts that a broker lost are asked for again, charged and packed once",
  async () => {
    stack = await Stack.start();
    await stack.sale({ a: UNITS });
    await stack.worker("w1");
    await stack.route("c", "depot");
    const sent: { user: string; id: string }[] = [];
    for (let i = 0; i < 30; i++) {
      const { order, row } = makeOrder(userOf(i % 2, i), { a: 1 });
      await stack.publish(i % 2, [row]);
      sent.push(order);
    }
    const ends = async (state: string) => {
      for (const { user, id } of sent) await stack.becomes(user, id, state);
    };
    await ends("reserved");
    await stack.until(
      "the follow-ups to be published",
      async () => (await stack.ledger.followUpsOpen()) === 0,
    );
    await stack.purge("payments");
    const provider = await stack.payments();
    expect(await recover("--ask-again")).toContain("to be published again: 30;");
    await ends("paid");
    await stack.until(
      "the parts to be published",
      async () => (await stack.ledger.followUpsOpen()) === 0,
    );
    await stack.purge("fulfilment.depot");
    const { file: list } = await stack.fulfil("depot");
    await recover("--ask-again");
    // Again, while they are being worked on.
    await recover("--ask-again");
    await ends("dispatched");
    await expectNothingTwice(provider, list, sent.length);
  },
  TIMEOUT_MS,
);

async function recover(...args: string[]): Promise<string> {
  const cli = join(import.meta.dir, "..", "cli", "cli.ts");
  const env = { ...process.env, ...stack.env };
  const { out, code } = await outputOf([process.execPath, cli, "recover", ...args], { env });
  expect(code).toBe(0);
  return out;
}

async function expectNothingTwice(provider: Provider, list: string, orders: number): Promise<void> {
  const views = await openViews({ ...stack.settings, processing: ["depot"] });
  const records = {
    provider: async () => [...provider.book.charges.values()],
    packed: async () => readPackingList(list).map((line) => ({ service: "depot", ...line })),
  };
  let verdict: Verdict | undefined;
  await stack.until("the system to come to rest", async () => {
    verdict = await verify({
      ledgerUrl: stack.settings.ledgerUrl,
      history: [],
      ...views,
      ...records,
    });
    return verdict.result !== "inconclusive";
  });
  await views.close();
  expect(verdict?.violations).toEqual([]);
  expect([provider.book.charges.size, readPackingList(list).length]).toEqual([orders, orders]);
}
