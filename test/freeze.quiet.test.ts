// A frozen, not dead, worker: its process keeps its connections open and answers nothing.
import { expect, test } from "bun:test";
import { Members } from "../core/stores/members.ts";
import { makeOrder, SHARDS, Stack, userOf } from "./stack.ts";

const LEASE_MS = 3_000;
/** For the broker's heartbeat check, once a second, and for a slow machine. */
const SLACK_MS = 2_500;
/** Long enough for what the ledger writes after an order. */
const MARKED_MS = 1_500;

test("a frozen worker's shards move within about a lease; it resumes safely", async () => {
  const stack = await Stack.start({ env: { SLUICE_LEASE_TTL: `${LEASE_MS}ms` } });
  try {
    await stack.sale({ a: 100 });
    const members = new Members(await stack.client());
    const owners = async () => (await members.list()).owners;
    const frozen = stack.spawn("worker", { SLUICE_ID: "frozen" });
    const all = async () => (await owners()).size === SHARDS;
    await stack.until("the shards owned", all, 60_000);
    const { row, order } = makeOrder(userOf(0), { a: 1 });
    await stack.publish(0, [row]);
    await stack.decided(userOf(0), order.id, 60_000);
    // Its charge is published and marked meanwhile: frozen within a commit, it would hold SQLite's
    // lock, and nobody else could open the ledger.
    await Bun.sleep(MARKED_MS);
    // Frozen before the other starts, so that it holds every shard.
    process.kill(frozen.pid, "SIGSTOP");
    const frozenAtMs = performance.now();
    const other = await stack.worker("other");
    const next = makeOrder(userOf(0), { a: 1 });
    await stack.publish(0, [next.row]);
    await stack.decided(userOf(0), next.order.id, 60_000);
    const movedAfterMs = Math.round(performance.now() - frozenAtMs);
    expect(movedAfterMs).toBeLessThan(LEASE_MS + SLACK_MS);

    process.kill(frozen.pid, "SIGCONT");
    const shared = async () => new Set((await owners()).values()).size === 2;
    await stack.until("both sharing the shards", shared, 60_000);
    for (let shard = 0; shard < SHARDS; shard++) {
      const later = makeOrder(userOf(shard, 1), { a: 1 });
      await stack.publish(shard, [later.row]);
      expect((await stack.decided(userOf(shard, 1), later.order.id, 60_000)).state).toBe(
        "reserved",
      );
    }
    expect(other.worker.report().rebuilds).toBe(0);
  } finally {
    await stack.stop();
  }
}, 240_000);
