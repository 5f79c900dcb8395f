// Redis fails over with every connection left open, and runs out of memory: workers and gateways
// say so, and decide again without an operator.
import { afterEach, expect, test } from "bun:test";
import { Redis } from "ioredis";
import { makeLog } from "../cli/log.ts";
import { startGatewayRole } from "../cli/roles/gateway.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import { readSettings } from "../core/settings/settings.ts";
import { TcpProxy } from "../proof/chaos/tcp-proxy.ts";
import { freePort } from "../services/ports.ts";
import { type PrivateRedis, startRedis } from "../services/redis.ts";
import { testDir } from "./services.ts";
import { makeOrder, Stack, userOf } from "./stack.ts";

const SLOW_MS = 90_000;
const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const act of undo.splice(0).reverse()) await act();
}, SLOW_MS);

async function server(): Promise<{ redis: PrivateRedis; admin: Redis }> {
  const redis = await startRedis(testDir("failing-over"));
  const admin = new Redis(redis.url);
  undo.push(() => {
    admin.disconnect();
    return redis.kill();
  });
  return { redis, admin };
}

test(
  "after a failover that leaves its connections open, orders are decided by the new primary",
  async () => {
    const [first, second] = [await server(), await server()];
    const proxy = await TcpProxy.to(first.redis.url);
    undo.push(() => proxy.close());
    const metricsPort = await freePort();
    const stack = await Stack.start({
      env: {
        SLUICE_REDIS_URL: proxy.through(first.redis.url),
        SLUICE_METRICS_PORT: String(metricsPort),
      },
    });
    undo.push(() => stack.stop());
    await stack.sale({ a: 9 });
    await stack.worker("one");
    const gatewayUrl = await gatewayOf(stack);
    const order = async (n: number) => {
      const { order: placed, row } = makeOrder(userOf(0, n), { a: 1 });
      await stack.publish(0, [row]);
      return (await stack.decided(userOf(0, n), placed.id)).state;
    };
    expect(await order(0)).toBe("reserved");

    await second.admin.replicaof("127.0.0.1", first.redis.port);
    await stack.until("the replica to follow", async () =>
      (await second.admin.info("replication")).includes("master_link_status:up"),
    );
    await second.admin.replicaof("NO", "ONE");
    proxy.point(second.redis.url);
    await first.admin.replicaof("127.0.0.1", second.redis.port);
    expect(await order(1)).toBe("reserved");

    const [worker, gateway] = [`http://127.0.0.1:${metricsPort}/readyz`, `${gatewayUrl}/readyz`];
    await stack.until("the worker to be ready", async () => (await fetch(worker)).ok);
    await second.admin.config("SET", "maxmemory", "1");
    await stack.until("both to say that Redis is full", async () => {
      const [one, two] = await Promise.all([fetch(worker), fetch(gateway)]);
      const { missing } = (await one.json()) as { missing: string[] };
      const { redis, ledger } = (await two.json()) as { redis: string; ledger: string };
      expect([one.ok, two.ok, ledger]).toEqual([missing.length === 0, true, "up"]);
      return missing.includes("redis full") && redis === "full";
    });
    await second.admin.config("SET", "maxmemory", "0");
    await stack.until("the worker to be ready", async () => (await fetch(worker)).ok);
    expect(await order(2)).toBe("reserved");
  },
  SLOW_MS,
);

async function gatewayOf(stack: Stack): Promise<string> {
  const settings = readSettings({
    ...stack.env,
    SLUICE_HTTP_PORT: "0",
    SLUICE_JWT_SECRET: "store-states-store-states-store-states",
  });
  const log = makeLog("gateway", () => undefined);
  const { gateway, stop } = await startGatewayRole(realRuntime, settings, "g", log);
  undo.push(stop);
  return gateway.url;
}
