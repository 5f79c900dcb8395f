// Faults that must be survived, with real services: Redis killed, rolled back or partly forgotten;
// the ledger away, gone back or replaced; a worker that sleeps past its lease (I1, I3, I5, X7).
import { afterEach, expect, test } from "bun:test";
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { startWorker } from "../cli/roles/worker.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import { readSettings } from "../core/settings/settings.ts";
import { Db } from "../ledger/db.ts";
import { openLedger } from "../ledger/open.ts";
import { startPostgres } from "../services/postgres.ts";
import { startRedis } from "../services/redis.ts";
import { readyStack } from "./ready.ts";
import { testDir } from "./services.ts";
import { makeOrder, SHARDS, Stack, type StackOptions, userOf } from "./stack.ts";

const SLOW_MS = 90_000;
let stack: Stack;
const after: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await stack?.stop();
  for (const end of after.splice(0)) await end();
});

async function ready(items: Record<string, number>, options?: StackOptions, workers?: string[]) {
  const ready = await readyStack(items, options, workers);
  stack = ready.stack;
  return ready.workers;
}

/** Publishes one order of one unit to its shard and waits for its outcome. */
async function order(shard: number, n = 0): Promise<string> {
  const user = userOf(shard, n);
  const { order, row } = makeOrder(user, { a: 1 });
  await stack.publish(shard, [row]);
  return (await stack.decided(user, order.id, 30_000)).state;
}

async function expectHeld(held: number, available: number): Promise<void> {
  expect(await stack.ledger.stock("s1")).toMatchObject([{ available, held }]);
}

const count = (event: string) => stack.events.filter((e) => e.event === event).length;

test(
  "a worker with nothing to commit still reports that the ledger is away",
  async () => {
    const postgres = await startPostgres(testDir("idle-postgres", 0o755));
    after.push(() => postgres.kill());
    const [running] = await ready({ a: 3 }, { ledgerUrl: postgres.url("postgres") });
    expect(running?.worker.report().ledger).toBe("up");
    await postgres.kill();
    await stack.until("the worker to notice", () => running?.worker.report().ledger === "away");
  },
  SLOW_MS,
);

test(
  "Redis restarted with its file: nothing is lost and nothing is rebuilt",
  async () => {
    await ready({ a: 3 }, { persistence: true });
    expect(await order(0)).toBe("reserved");
    await stack.redis.kill();
    const user = userOf(1);
    const meanwhile = makeOrder(user, { a: 1 });
    await stack.publish(1, [meanwhile.row]);
    stack.redis = await startRedis(stack.redis.dir, {
      persistence: true,
      port: stack.redis.port,
    });
    expect((await stack.decided(user, meanwhile.order.id, 30_000)).state).toBe("reserved");
    expect(await order(0)).toBe("reserved");
    expect(await order(1)).toBe("sold_out");
    await expectHeld(3, 0);
    expect(count("redis rebuilt")).toBe(1); // the initial load
  },
  SLOW_MS,
);

test(
  "a Redis with an older file is recognised by the chain, even on an idle shard, and rebuilt",
  async () => {
    await ready({ a: 4 }, { persistence: true });
    expect(await order(0)).toBe("reserved");
    const { dir, port } = stack.redis;
    await stack.redis.stop();
    cpSync(join(dir, "appendonlydir"), join(dir, "older"), { recursive: true });
    stack.redis = await startRedis(dir, { persistence: true, port });
    // Only shard 1 has new entries; shard 0 has nothing to lose.
    expect(await order(1)).toBe("reserved");
    expect(await order(1, 1)).toBe("reserved");
    await stack.redis.kill();
    rmSync(join(dir, "appendonlydir"), { recursive: true });
    cpSync(join(dir, "older"), join(dir, "appendonlydir"), { recursive: true });
    stack.redis = await startRedis(dir, { persistence: true, port });
    await stack.until("the loss is repaired", () => count("redis rebuilt") === 2, 30_000);
    expect([await order(0), await order(0)]).toEqual(["reserved", "sold_out"]);
    await expectHeld(4, 0);
  },
  SLOW_MS,
);

test(
  "the ledger refuses stock whose sale only Redis has forgotten, and Redis is rebuilt",
  async () => {
    await ready({ a: 2 });
    expect(await order(0)).toBe("reserved");
    expect(await order(1)).toBe("reserved");
    const client = await stack.client();
    // One sold unit is forgotten; the chains are intact.
    await client.client.hset("stock:s1", "a:a", 1, "a:h", 1);
    await client.close();
    expect(await order(0)).toBe("sold_out");
    await expectHeld(2, 0);
    expect(count("redis rebuilt")).toBe(2);
  },
  SLOW_MS,
);

test(
  "a Redis without its functions and keys is loaded again",
  async () => {
    await ready({ a: 2 });
    expect(await order(0)).toBe("reserved");
    const client = await stack.client();
    await client.client.call("FUNCTION", "FLUSH");
    expect(await order(1)).toBe("reserved");
    await client.client.flushall();
    await client.client.call("FUNCTION", "FLUSH");
    await client.close();
    expect(await order(0)).toBe("sold_out");
    await expectHeld(2, 0);
  },
  SLOW_MS,
);

test(
  "a rebuild that died half-way is started again",
  async () => {
    await ready({ a: 2 });
    expect(await order(0)).toBe("reserved");
    const client = await stack.client();
    // The state after a rebuilder died: the ledger has the next incarnation, one shard is loading,
    // and nothing is announced.
    const db = await Db.open(realRuntime, stack.settings.ledgerUrl);
    await db.run("UPDATE store SET incarnation = incarnation + 1");
    await db.run("UPDATE shards SET epoch = epoch + 1");
    await db.close();
    await client.client.hset("{0}:meta", "inc", 2, "state", "loading");
    await client.close();
    expect(await order(1)).toBe("reserved");
    expect(await order(0)).toBe("sold_out");
    await expectHeld(2, 0);
  },
  SLOW_MS,
);

test(
  "while the ledger is away the worker acknowledges nothing, reports it, and resumes afterwards",
  async () => {
    const dir = testDir("away-postgres", 0o755);
    let postgres = await startPostgres(dir);
    after.push(() => postgres.kill());
    const ledgerUrl = postgres.url("postgres");
    const [first] = await ready({ a: 2 }, { ledgerUrl });
    expect(await order(0)).toBe("reserved");
    await postgres.kill();
    const user = userOf(0);
    const meanwhile = makeOrder(user, { a: 1 });
    await stack.publish(0, [meanwhile.row]);
    await stack.until("the worker says so", () => count("ledger away") > 0);
    expect(first?.worker.report()).toMatchObject({ ledger: "away" });
    postgres = await startPostgres(dir, postgres.port);
    expect((await stack.decided(user, meanwhile.order.id, 40_000)).state).toBe("reserved");
    expect(await order(1)).toBe("sold_out");
    await expectHeld(2, 0);
  },
  SLOW_MS,
);

test(
  "a ledger that went back halts everything until the operator accepts it",
  async () => {
    const ledgerUrl = `sqlite:${testDir("back")}/ledger.db`;
    const file = ledgerUrl.slice("sqlite:".length);
    const [first] = await ready({ a: 5 }, { ledgerUrl, persistence: true });
    expect(await order(0)).toBe("reserved");
    const db = await Db.open(realRuntime, ledgerUrl);
    await db.run(`VACUUM INTO '${file}.backup'`);
    await db.close();
    expect(await order(0)).toBe("reserved");
    await first?.stop();
    await stack.ledger.close();
    for (const end of ["", "-wal", "-shm"]) rmSync(file + end, { force: true });
    cpSync(`${file}.backup`, file);

    const back = await openLedger({ runtime: realRuntime, url: ledgerUrl, shards: SHARDS });
    after.push(() => back.close());
    Object.assign(stack, { ledger: back });
    await stack.worker("w2");
    await stack.until("the worker halts", () => count("halted") > 0);
    const user = userOf(1);
    const waiting = makeOrder(user, { a: 1 });
    await stack.publish(1, [waiting.row]);
    const recover = Bun.spawn(
      [
        process.execPath,
        join(import.meta.dir, "..", "cli", "cli.ts"),
        "recover",
        "--accept-ledger",
      ],
      {
        env: { ...process.env, ...stack.env },
        stdout: "ignore",
        stderr: "inherit",
      },
    );
    expect(await back.order(user, waiting.order.id)).toBeUndefined();
    expect(await recover.exited).toBe(0);
    expect((await stack.decided(user, waiting.order.id, 30_000)).state).toBe("reserved");
    await expectHeld(2, 3); // the one before the backup, and this one
  },
  SLOW_MS,
);

test(
  "a Redis that belongs to another ledger halts the worker",
  async () => {
    const [first] = await ready({ a: 5 });
    await first?.stop();
    const other = await Stack.start();
    after.push(() => other.stop());
    const env = { ...other.env, SLUICE_REDIS_URL: stack.redis.url };
    const events: string[] = [];
    const stranger = await startWorker(
      realRuntime,
      readSettings(env),
      "stranger",
      (event, detail) => events.push(`${event} ${JSON.stringify(detail)}`),
    );
    after.unshift(() => stranger.stop());
    await stack.until("it halts", () =>
      events.some((e) => e.startsWith("halted") && e.includes("another ledger")),
    );
    expect(events.some((e) => e.startsWith("redis rebuilt"))).toBe(false);
    expect([await stack.ledger.halt(), await other.ledger.halt()]).toEqual([undefined, undefined]);
  },
  SLOW_MS,
);

test(
  "a worker that slept past its lease resumes safely",
  async () => {
    stack = await Stack.start();
    await stack.sale({ a: 40 });
    const child = Bun.spawn(
      [process.execPath, join(import.meta.dir, "..", "cli", "cli.ts"), "worker"],
      {
        env: { ...process.env, ...stack.env },
        stdout: "ignore",
        stderr: "ignore",
      },
    );
    after.push(async () => child.kill("SIGKILL"));
    expect(await order(0)).toBe("reserved");
    child.kill("SIGSTOP");
    const second = await stack.worker("awake");
    await stack.until(
      "the other has the shards",
      () => second.worker.shards.length === SHARDS,
      30_000,
    );
    const users = Array.from({ length: 10 }, (_, i) => userOf(i % 2, i));
    const orders = users.map((user) => makeOrder(user, { a: 1 }));
    for (const [i, { row }] of orders.entries()) {
      if (i === 5) child.kill("SIGCONT");
      await stack.publish(i % 2, [row, row]);
    }
    for (let i = 0; i < orders.length; i++)
      expect((await stack.decided(users[i] ?? "", orders[i]?.order.id ?? "", 30_000)).state).toBe(
        "reserved",
      );
    await expectHeld(11, 29);
  },
  SLOW_MS,
);
