// Fail-overs at the worst moments with real services. Patched methods block or fail where a process
// would.
import { afterEach, expect, test } from "bun:test";
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { at } from "../core/domain/at.ts";
import { messageOf } from "../core/domain/message-of.ts";
import { cancelRow } from "../core/domain/row.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import { Members } from "../core/stores/members.ts";
import { RebuildStore } from "../core/stores/rebuild-store.ts";
import { ShardStore } from "../core/stores/shard-store.ts";
import { SqlLedger } from "../ledger/sql-ledger.ts";
import { ThreadedWriter } from "../ledger/threaded-writer.ts";
import { startRedis } from "../services/redis.ts";
import { patch as patchUntil } from "./patch.ts";
import { readyStack } from "./ready.ts";
import { altered, makeOrder, SHARDS, Stack, type StackOptions, userOf } from "./stack.ts";

const SLOW_MS = 60_000;
let stack: Stack;
const undo: (() => void)[] = [];
afterEach(async () => {
  for (const u of undo.splice(0)) u();
  await stack?.stop();
}, SLOW_MS);

const patch = <T extends object, K extends keyof T>(
  target: T,
  name: K,
  make: (real: T[K]) => T[K],
) => patchUntil(undo, target, name, make);

async function ready(items: Record<string, number>, options?: StackOptions, workers?: string[]) {
  const ready = await readyStack(items, options, workers);
  stack = ready.stack;
  return ready.workers;
}
const count = (event: string) => stack.events.filter((e) => e.event === event).length;
async function order(shard: number, n = 0): Promise<{ user: string; id: string; state: string }> {
  const user = userOf(shard, n);
  const { order, row } = makeOrder(user, { a: 1 });
  await stack.publish(shard, [row]);
  return { user, id: order.id, state: (await stack.decided(user, order.id, 20_000)).state };
}

test(
  "a worker that stops while the ledger is slow keeps a user's orders in order",
  async () => {
    const [w1] = await ready({ a: 1, b: 100 });
    // The first worker's commits hang (a slow disk, a silent database connection); the second one's
    // do not.
    const hung = new Set<unknown>();
    let stall = true;
    patch(
      ThreadedWriter.prototype,
      "record",
      (real) =>
        async function (this: ThreadedWriter, entries) {
          if (stall) hung.add(this);
          while (hung.has(this)) await Bun.sleep(50);
          return real.call(this, entries);
        },
    );
    // Four entries that wait for the ledger; the fifth message waits in the decider.
    for (let i = 0; i < 4; i++) {
      await stack.publish(0, [makeOrder(userOf(0, 5 + i), { b: 1 }).row]);
      await Bun.sleep(150);
    }
    const first = makeOrder(userOf(0), { a: 1 });
    await stack.publish(0, [first.row]);
    await Bun.sleep(200);
    stall = false;
    await stack.worker("w2");
    const stopping = w1?.stop();
    await Bun.sleep(300);
    const second = makeOrder(userOf(0), { a: 1 }); // the same user's next order, for the last unit
    await stack.publish(0, [second.row]);
    const seconds = await stack.decided(userOf(0), second.order.id, 30_000);
    hung.clear();
    await stopping;
    const firsts = await stack.decided(userOf(0), first.order.id, 30_000);
    expect([firsts.state, seconds.state]).toEqual(["reserved", "sold_out"]);
  },
  SLOW_MS,
);

test(
  "an order whose user has a space is dead-lettered, and the shard continues",
  async () => {
    await ready({ a: 9 });
    const { row } = makeOrder("evil user", { a: 1 });
    await stack.publish(0, [row]);
    const next = await order(0).catch((error) => ({ state: messageOf(error) }));
    expect(next.state).toBe("reserved");
  },
  SLOW_MS,
);

test(
  "two workers that both want to rebuild do not halt the store",
  async () => {
    const [w1] = await ready({ a: 9 });
    await order(0);
    // w2 reads the ledger's incarnation, then its event loop is busy before it reads Redis's.
    let read: (() => void) | undefined;
    const w2HasRead = new Promise<void>((resolve) => (read = resolve));
    let slow: SqlLedger | undefined;
    patch(RebuildStore.prototype, "underWay", (real) => real);
    patch(
      SqlLedger.prototype,
      "incarnation",
      (real) =>
        async function (this: SqlLedger) {
          const value = await real.call(this);
          if (this === slow && new Error().stack?.includes("repair")) {
            read?.();
            await Bun.sleep(1_500);
          }
          return value;
        },
    );
    const w2 = await stack.worker("w2");
    await stack.until(
      "both own a shard",
      () => w1?.worker.shards.length === 1 && w2.worker.shards.length === 1,
    );
    const { options } = w2.worker as unknown as { options: { stores: { ledger: SqlLedger } } };
    slow = options.stores.ledger;
    // w1 starts its rebuild only after w2 has read.
    const repair = "repair" as never;
    patch(
      w1?.worker as object as Record<string, unknown>,
      repair,
      (real) =>
        (async (...args: unknown[]) => {
          await w2HasRead;
          await (real as (...a: unknown[]) => Promise<void>).apply(w1?.worker, args);
        }) as never,
    );
    const store = await stack.client();
    await store.client.flushall();
    await store.close();
    await stack.until("a rebuild", () => count("redis rebuilt") > 0 || count("halted") > 0);
    await Bun.sleep(2_500);
    expect(stack.events.filter((e) => e.event === "halted").map((e) => e.reason)).toEqual([]);
  },
  SLOW_MS,
);

test(
  "a worker whose Redis does not answer releases all its shards before its leases end",
  async () => {
    const [w1] = await ready({ a: 9 }, { env: { SLUICE_LEASE_TTL: "3s" } });
    const never = () =>
      new Promise<never>((_, reject) =>
        setTimeout(() => reject(new Error("Command timed out")), 10_000),
      );
    patch(Members.prototype, "beat", () => never as never);
    patch(Members.prototype, "release", () => never as never);
    patch(ShardStore.prototype, "check", () => never as never);
    await Bun.sleep(4_500); // the lease is 3 s
    expect(w1?.worker.shards).toEqual([]);
  },
  SLOW_MS,
);

test(
  "a Redis that comes back without only the last restock is corrected",
  async () => {
    await ready({ a: 1 }, { persistence: true });
    await order(0);
    const { dir, port } = stack.redis;
    await Bun.sleep(500);
    cpSync(join(dir, "appendonlydir"), join(dir, "older"), { recursive: true });
    await stack.ledger.operate(
      { kind: "restock", ref: "r1", saleId: "s1", sku: "a", units: 5 },
      "test",
    );
    await stack.until(
      "the restock in Redis",
      async () => (await stack.ledger.operationsOpen()).length === 0,
    );
    await stack.redis.kill();
    rmSync(join(dir, "appendonlydir"), { recursive: true, force: true });
    cpSync(join(dir, "older"), join(dir, "appendonlydir"), { recursive: true });
    stack.redis = await startRedis(dir, { persistence: true, port });
    await Bun.sleep(6_000); // several leases, beats and checks
    expect((await order(1)).state).toBe("reserved");
  },
  SLOW_MS,
);

test(
  "a worker that froze in the middle of its check does not halt the others",
  async () => {
    const [w1] = await ready({ a: 9 });
    await order(0);
    // w1 freezes just before it sends a check of shard 0, and so do its beats.
    let asleep: unknown;
    let wake: (() => void) | undefined;
    const awake = new Promise<void>((resolve) => (wake = resolve));
    const worker = w1?.worker as unknown as { parts: { store: ShardStore; members: Members } };
    const mine = worker.parts;
    let caught = false;
    patch(
      ShardStore.prototype,
      "check",
      (real) =>
        async function (this: ShardStore, claim, id, n) {
          if (this === mine.store && claim.shard === 0 && !caught) {
            caught = true;
            asleep = mine.members;
            await awake;
          }
          return real.call(this, claim, id, n);
        },
    );
    patch(
      Members.prototype,
      "beat",
      (real) =>
        async function (this: Members, ...args) {
          if (this === asleep) await awake;
          return real.apply(this, args);
        },
    );
    await stack.until("asleep", () => caught);
    const w2 = await stack.worker("w2");
    await stack.until("w2 has shard 0", () => w2.worker.shards.includes(0), 20_000);
    await order(0, 1);
    await Bun.sleep(300);
    wake?.();
    await Bun.sleep(2_000);
    expect(stack.events.filter((e) => e.event === "halted").map((e) => e.reason)).toEqual([]);
  },
  SLOW_MS,
);

test(
  "units whose recorded() was lost with Redis's tail return without another order on the shard",
  async () => {
    await ready({ a: 2 }, { persistence: true });
    const user = userOf(0);
    await order(0); // its charge stays open: no payment worker runs
    const second = makeOrder(user, { a: 1 });
    await stack.publish(0, [second.row]);
    await stack.decided(user, second.order.id);
    await Bun.sleep(500);
    const { dir, port } = stack.redis;
    let copied: Promise<void> | undefined;
    patch(
      ShardStore.prototype,
      "recorded",
      (real) =>
        async function (this: ShardStore, claim, id, n) {
          copied ??= Bun.sleep(300).then(() =>
            cpSync(join(dir, "appendonlydir"), join(dir, "older"), { recursive: true }),
          );
          await copied;
          return real.call(this, claim, id, n);
        },
    );
    await stack.publish(0, [cancelRow(user, second.order.id, Date.now())]);
    await stack.becomes(user, second.order.id, "cancelled");
    const client = await stack.client();
    await stack.until(
      "the unit is back",
      async () => (await client.client.hget("stock:s1", "a:a")) === "1",
    );
    const before = count("redis rebuilt");
    await stack.redis.kill();
    rmSync(join(dir, "appendonlydir"), { recursive: true, force: true });
    cpSync(join(dir, "older"), join(dir, "appendonlydir"), { recursive: true });
    stack.redis = await startRedis(dir, { persistence: true, port });
    await Bun.sleep(5_000); // many beats
    const units = await client.client.hmget("stock:s1", "a:a", "a:r", "a:h");
    await client.close();
    expect([units, count("redis rebuilt")]).toEqual([["1", "0", "1"], before]);
  },
  SLOW_MS,
);

test(
  "a row whose payment is not a string is rejected, and no shard of the worker stops",
  async () => {
    await ready({ a: 9 });
    const { row } = makeOrder(userOf(0), { a: 1 });
    await stack.publish(0, [altered(row, { payment: { x: 1 } })]);
    await Bun.sleep(500);
    const user = userOf(1);
    const other = makeOrder(user, { a: 1 });
    await stack.publish(1, [other.row]); // another shard
    const next = await stack
      .decided(user, other.order.id, 12_000)
      .catch((error) => ({ state: messageOf(error) }));
    const away = stack.events.find((e) => e.event === "ledger away");
    expect([next.state, away?.error]).toEqual(["reserved", undefined]);
  },
  SLOW_MS,
);

test(
  "a queue that cannot be consumed when its shard is acquired is consumed later",
  async () => {
    const [w1] = await ready({ a: 9 });
    const w2 = await stack.worker("w2");
    await stack.until(
      "both own a shard",
      () => w1?.worker.shards.length === 1 && w2.worker.shards.length === 1,
    );
    const shard = at(w1?.worker.shards ?? [], 0);
    const model = stack.links[0]?.connection.model;
    if (!model) throw new Error("no broker");
    const channel = await model.createChannel();
    await channel.deleteQueue(`orders.${shard}`);
    await w1?.stop();
    await stack.until("w2 has both", () => w2.worker.shards.length === 2);
    await Bun.sleep(500);
    // The queue exists again, as in the topology.
    const { declare } = await import("../broker/declare.ts");
    const { topology } = await import("../broker/topology.ts");
    await declare(realRuntime, model, topology(SHARDS), "eu");
    expect((await order(shard).catch((error) => ({ state: messageOf(error) }))).state).toBe(
      "reserved",
    );
  },
  SLOW_MS,
);

test(
  "an entry that is the ledger's last one counts as recorded, not as a fork",
  async () => {
    stack = await Stack.start();
    await stack.sale({ a: 9 });
    const { openLedgerWriter } = await import("../ledger/open.ts");
    const { entryOf } = await import("../ledger/test-entries.ts");
    const writer = await openLedgerWriter(realRuntime, stack.settings.ledgerUrl);
    const { epoch } = await writer.takeShard(0, "w");
    const entry = entryOf(0, 1, [], "");
    expect(await writer.record([{ entry, epoch }])).toEqual(["recorded"]);
    // Postgres: the server was still committing when the connection was cut and the positions were
    // read.
    const again = await writer.record([{ entry, epoch }]);
    await writer.close();
    expect(again).toEqual(["recorded"]);
  },
  SLOW_MS,
);
