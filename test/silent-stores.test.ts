// A worker's own connection to a store falls silent while the store serves everybody else.
import { afterEach, expect, test } from "bun:test";
import { makeLog } from "../cli/log.ts";
import { startWorker } from "../cli/roles/worker.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import { readSettings } from "../core/settings/settings.ts";
import { TcpProxy } from "../proof/chaos/tcp-proxy.ts";
import { freshDatabase } from "./services.ts";
import { makeOrder, SHARDS, Stack, userOf } from "./stack.ts";

/** A paused worker releases its shards too; here it must happen without the governor. */
const UNGOVERNED = Object.fromEntries(
  ["CPU", "LOOP", "REDIS", "LEDGER", "OUTBOX"].map((name) => [`SLUICE_GOVERNOR_${name}`, "off"]),
);
const LIMIT_MS = 240_000;
const WAIT_MS = 90_000;

let stack: Stack;
const undo: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of undo.splice(0).reverse()) await close();
  await stack?.stop();
}, LIMIT_MS);

/** A worker of this stack with its own settings, and its log. */
async function workerWith(env: Record<string, string>) {
  const events: string[] = [];
  const log = makeLog("silent", (line) => {
    if (process.env.SHOW_LOG) process.stderr.write(line);
    events.push((JSON.parse(line) as { event: string }).event);
  });
  const role = await startWorker(
    realRuntime,
    readSettings({ ...stack.env, ...env }),
    "silent",
    log,
  );
  undo.push(role.stop);
  return { role, events };
}

async function decidedNow(shard: number, n: number): Promise<string> {
  const user = userOf(shard, n);
  const { row, order } = makeOrder(user, { a: 1 });
  await stack.publish(shard, [row]);
  return (await stack.decided(user, order.id, WAIT_MS)).state;
}

/** One worker behind a line owns every shard; the line falls silent, and another worker starts. */
async function losesItsLine(proxy: TcpProxy, env: Record<string, string>): Promise<void> {
  const { role, events } = await workerWith(env);
  await stack.until("all shards owned", () => role.worker.shards.length === SHARDS, WAIT_MS);
  expect(await decidedNow(0, 0)).toBe("reserved");
  const rebuilds = () => role.worker.report().rebuilds;
  const rebuiltBefore = rebuilds(); // the initial load
  proxy.stall("requests", "answers");
  const other = await stack.worker("other");
  for (let shard = 0; shard < SHARDS; shard++) expect(await decidedNow(shard, 1)).toBe("reserved");
  expect(role.worker.shards).toEqual([]);
  expect(events).toContain("shard released");

  proxy.renew();
  const shared = () => role.worker.shards.length > 0 && other.worker.shards.length > 0;
  await stack.until("both owning shards again", shared, WAIT_MS);
  for (let shard = 0; shard < SHARDS; shard++) expect(await decidedNow(shard, 2)).toBe("reserved");
  expect([other.worker.report().rebuilds, rebuilds()]).toEqual([0, rebuiltBefore]);
}

test(
  "a worker whose ledger falls silent gives its shards to another, and returns when it answers",
  async () => {
    const url = await freshDatabase();
    stack = await Stack.start({ ledgerUrl: url, env: UNGOVERNED });
    await stack.sale({ a: 100 });
    const proxy = await TcpProxy.to(url);
    undo.push(() => proxy.close());
    await losesItsLine(proxy, { SLUICE_LEDGER_URL: proxy.through(url) });
  },
  LIMIT_MS,
);

test(
  "a worker whose Redis falls silent gives its shards to another, and reconnects",
  async () => {
    stack = await Stack.start({ env: UNGOVERNED });
    await stack.sale({ a: 100 });
    const proxy = await TcpProxy.to(stack.redis.url);
    undo.push(() => proxy.close());
    await losesItsLine(proxy, { SLUICE_REDIS_URL: proxy.through(stack.redis.url) });
  },
  LIMIT_MS,
);
