// A ledger that has lost commits, or a Redis that belongs to another ledger: everything halts, and
// nothing is rebuilt or decided until an operator decides.
import { afterEach, expect, test } from "bun:test";
import { join } from "node:path";
import { metaKey } from "../core/stores/keys.ts";
import { ShardStore } from "../core/stores/shard-store.ts";
import type { SqlLedger } from "../ledger/sql-ledger.ts";
import { patch } from "./patch.ts";
import { readyStack } from "./ready.ts";
import { makeOrder, type Stack, userOf } from "./stack.ts";

const SLOW_MS = 60_000;
let stack: Stack;
const undo: (() => void)[] = [];
afterEach(async () => {
  for (const u of undo.splice(0)) u();
  await stack?.stop();
}, SLOW_MS);

async function ready(items: Record<string, number>) {
  stack = (await readyStack(items)).stack;
}
const count = (event: string) => stack.events.filter((e) => e.event === event).length;
async function order(shard: number, n = 0): Promise<{ user: string; id: string; state: string }> {
  const user = userOf(shard, n);
  const { order, row } = makeOrder(user, { a: 1 });
  await stack.publish(shard, [row]);
  return { user, id: order.id, state: (await stack.decided(user, order.id, 20_000)).state };
}
const ledgerDb = () => (stack.ledger as SqlLedger).db;
/** Of shard 0, and of an only item. */
async function positionAndStock() {
  const [shard] = await ledgerDb().run("SELECT last_id, last_n FROM shards WHERE shard = 0");
  const [item] = await ledgerDb().run("SELECT available, held FROM items");
  return {
    ...{ id: String(shard?.last_id), n: Number(shard?.last_n) },
    ...{ available: Number(item?.available), held: Number(item?.held) },
  };
}
/** A fail-over to a replica without the last commit: everything it wrote is gone. */
function goBack(
  { id, n, available, held }: Awaited<ReturnType<typeof positionAndStock>>,
  lostOrder: string,
): Promise<void> {
  return ledgerDb().transaction(async (tx) => {
    await tx.run("DELETE FROM entries WHERE shard = 0 AND n > ?", [n]);
    await tx.run("DELETE FROM messages WHERE shard = 0 AND n > ?", [n]);
    await tx.run("DELETE FROM orders WHERE id = ?", [lostOrder]);
    await tx.run("DELETE FROM charges WHERE id = ?", [lostOrder]);
    await tx.run("UPDATE items SET available = ?, held = ?", [available, held]);
    await tx.run("UPDATE shards SET last_id = ?, last_n = ? WHERE shard = 0", [id, n]);
  });
}

test.each([true, false])(
  "a ledger that goes back under running workers halts everything (Redis has the mark: %p)",
  async (hasMark) => {
    await ready({ a: 9 });
    // Otherwise the mark is lost on its way.
    if (!hasMark) patch(undo, ShardStore.prototype, "recorded", () => async () => "recorded");
    await order(0);
    const position = await positionAndStock();
    const lost = await order(0, 1);
    const redis = await stack.client();
    const mark = async () => (await redis.client.hmget(metaKey(0), "base", "tip")) as string[];
    if (hasMark)
      await stack.until("the mark at the tip", async () => new Set(await mark()).size === 1);
    else expect(new Set(await mark()).size).toBe(2);
    redis.close();
    await goBack(position, lost.id);
    const rebuilt = count("redis rebuilt");
    await stack.publish(0, [makeOrder(userOf(0, 2), { a: 1 }).row]); // traffic continues
    await stack.until(
      "a halt or a rebuild",
      () => count("halted") > 0 || count("redis rebuilt") > rebuilt,
    );
    expect([count("halted") > 0, count("redis rebuilt") - rebuilt]).toEqual([true, 0]);
  },
  SLOW_MS,
);

test(
  "an overtaken owner takes the ledger for older: it releases the shard, and nothing halts",
  async () => {
    await ready({ a: 9 });
    await order(0);
    let overtaken = false;
    patch(
      undo,
      ShardStore.prototype,
      "check",
      (real) =>
        async function (this: ShardStore, claim, ...of) {
          if (overtaken || claim.shard !== 0) return real.call(this, claim, ...of);
          overtaken = true;
          // Another worker has acquired the shard, and Redis knows what that one has recorded.
          await ledgerDb().run("UPDATE shards SET epoch = epoch + 1 WHERE shard = 0");
          return { word: "went_back" as const, waits: new Set<never>() };
        },
    );
    await stack.until("the look", () => overtaken);
    expect((await order(0, 1)).state).toBe("reserved");
    expect(count("halted")).toBe(0);
  },
  SLOW_MS,
);

test.each([false, true])(
  "a halt outlives Redis: nothing is rebuilt or decided until the operator decides (marked: %p)",
  async (marked) => {
    await ready({ a: 9 });
    await order(0);
    const position = await positionAndStock();
    await goBack(position, (await order(0, 1)).id);
    await stack.publish(0, [makeOrder(userOf(0, 2), { a: 1 }).row]);
    const halted = async () => (await stack.ledger.halt()) !== undefined;
    await stack.until("the halt in the ledger", halted);
    const redis = await stack.client();
    await redis.client.flushall();
    // The worker that halts marks the shards beside the ledger: a mark may come after the loss.
    if (marked) await redis.client.hset(metaKey(0), "state", "halted", "reason", "a late mark");
    await stack.worker("w2"); // it has not seen the halt
    const user = userOf(1);
    const waiting = makeOrder(user, { a: 1 });
    await stack.publish(1, [waiting.row]);
    const rebuilt = count("redis rebuilt");
    await Bun.sleep(4_000); // several leases
    expect(await stack.ledger.order(user, waiting.order.id)).toBeUndefined();
    expect([await positionAndStock(), count("redis rebuilt")]).toEqual([position, rebuilt]);
    for (const shard of [0, 1])
      expect([null, "halted"]).toContain(await redis.client.hget(metaKey(shard), "state"));
    await redis.close();

    const cli = join(import.meta.dir, "..", "cli", "cli.ts");
    const recover = Bun.spawn([process.execPath, cli, "recover", "--accept-ledger"], {
      env: { ...process.env, ...stack.env },
      stdout: "ignore",
      stderr: "inherit",
    });
    expect(await recover.exited).toBe(0);
    expect(await stack.ledger.halt()).toBeUndefined();
    expect((await stack.decided(user, waiting.order.id)).state).toBe("reserved");
  },
  SLOW_MS,
);

test(
  "a Redis that is replaced by another ledger's halts the worker, and neither is written to",
  async () => {
    await ready({ a: 9 });
    await order(0);
    const redis = await stack.client();
    // The other Redis has been rebuilt more often than ours.
    for (const shard of [0, 1])
      await redis.client.hset(metaKey(shard), "store", "another", "inc", 99);
    await stack.until("a halt", () => count("halted") > 0);
    await Bun.sleep(1_500);
    const reasons = stack.events.filter((e) => e.event === "halted").map((e) => String(e.reason));
    expect(reasons.filter((reason) => !reason.includes("another ledger"))).toEqual([]);
    expect(await redis.client.hget(metaKey(0), "state")).toBe("open");
    await redis.close();
    expect(await stack.ledger.halt()).toBeUndefined();
  },
  SLOW_MS,
);
