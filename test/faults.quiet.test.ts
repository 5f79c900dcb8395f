// What is noticed within seconds, while no other test runs: a Redis that hangs, a killed worker.
import { afterEach, expect, test } from "bun:test";
import { join } from "node:path";
import { Overviews } from "../cli/operator/overview.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import { readyStack } from "./ready.ts";
import { makeOrder, SHARDS, type Stack, type StackOptions, userOf } from "./stack.ts";

const SLOW_MS = 90_000;
let stack: Stack;
afterEach(async () => stack?.stop());

async function ready(items: Record<string, number>, options?: StackOptions) {
  const ready = await readyStack(items, options);
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

test(
  "a hung Redis is shown as away to an operator within a second and to its worker within the lease",
  async () => {
    const [running] = await ready({ a: 3 }, { env: { SLUICE_LEASE_TTL: "1s" } });
    const worker = running?.worker;
    const redis = await stack.client();
    const rest = { redisMemory: 0, rateMaxAgeMs: 60_000 };
    const { ledger } = stack;
    const overviews = new Overviews({ runtime: realRuntime, redis, ledger, ...rest });
    const look = async () => {
      await Bun.sleep(300); // Looks within a moment share an answer.
      return overviews.look();
    };
    const before = await look();
    expect([before.redis.state, worker?.beating]).toEqual(["up", true]);
    expect(before.unasked).toEqual([]);
    process.kill(stack.redis.pid, "SIGSTOP");
    try {
      const startedMs = performance.now();
      const away = await look();
      expect(away.redis.state).toBe("away");
      expect(performance.now() - startedMs).toBeLessThan(1_300);
      // Its last values stay, with their age, and no role is reported as missing.
      expect(away.sales[0]?.items).toMatchObject([{ sku: "a", total: 3, available: 3 }]);
      expect([away.sales[0]?.stockAsOfMs, away.asOf.roles]).toEqual([before.atMs, before.atMs]);
      expect([away.owners, away.unasked]).toEqual([before.owners, ["redis"]]);
      // What was paid comes from the ledger: zero so far, which is not unknown.
      expect([away.sales[0]?.revenue, away.revenue]).toEqual([[], []]);
      const codes = away.verdict.findings.map(({ code }) => code);
      expect(codes).toContain("redis_away");
      expect(codes).not.toContain("no_worker");
      expect(away.orders.accepted).toBeNull();
      await stack.until("the worker to notice", () => worker?.beating === false, 5_000);
    } finally {
      process.kill(stack.redis.pid, "SIGCONT");
    }
    await stack.until("the worker to beat again", () => worker?.beating === true);
    expect((await look()).redis.state).toBe("up");
    await stack.until("its shards to be taken again", () => worker?.shards.length === SHARDS);
    expect(await order(0)).toBe("reserved");
    await redis.close();
  },
  SLOW_MS,
);

test(
  "a killed worker is replaced within five seconds",
  async () => {
    await ready({ a: 40 }, { env: { SLUICE_LEASE_TTL: "3s" } });
    const child = Bun.spawn(
      [process.execPath, join(import.meta.dir, "..", "cli", "cli.ts"), "worker"],
      {
        env: { ...process.env, ...stack.env },
        stdout: "ignore",
        stderr: "ignore",
      },
    );
    // Two shards and two workers: by chance the child may have none; it is killed anyway.
    await stack.until("the child lives", async () => {
      const client = await stack.client();
      const living = await client.client.hlen("{members}:workers");
      await client.close();
      return living === 2;
    });
    child.kill("SIGKILL");
    await child.exited;
    const killedAtMs = performance.now();
    expect(await order(0)).toBe("reserved");
    expect(await order(1)).toBe("reserved");
    expect(performance.now() - killedAtMs).toBeLessThan(5_000);
  },
  SLOW_MS,
);
