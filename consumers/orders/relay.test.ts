// Follow-ups are published however many calls ask for it, and a target that accepts nothing delays
// no other.
import { afterEach, expect, test } from "bun:test";
import { depth } from "../../broker/inspect.ts";
import { makeLog } from "../../cli/log.ts";
import { closeRegions, openRegion } from "../../cli/roles/parts.ts";
import { at } from "../../core/domain/at.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { readSettings } from "../../core/settings/settings.ts";
import type { FollowUp } from "../../ledger/contract.ts";
import { testRabbit } from "../../test/services.ts";
import { type RegionLink, Relay } from "./relay.ts";

const TIMEOUT_MS = 60_000;
const BROKEN = "no.such.queue";
const open: RegionLink[] = [];
afterEach(async () => closeRegions(open.splice(0)), TIMEOUT_MS);

/** A relay on a real broker, with follow-ups in memory that stay until they are marked. */
async function rig(targets: readonly string[]) {
  const url = await (await testRabbit()).freshVhost();
  const settings = readSettings({ SLUICE_REGIONS: `eu=${url}`, SLUICE_SHARDS: "1" });
  const link = await openRegion(
    realRuntime,
    at(settings.regions, 0),
    settings,
    makeLog("test", () => undefined),
  );
  open.push(link);
  let waiting: (FollowUp & { readonly dueMs: number })[] = targets.map((routingKey, id) => ({
    ...{ id, shard: 0, exchange: "", routingKey, body: `[${id}]` },
    dueMs: 0,
  }));
  const seen = { reads: 0, nowMs: 0, published: 0 };
  const relay = new Relay({
    runtime: realRuntime,
    regions: [link],
    ledger: {
      followUps: async (_, limit, { dueMs = 0, except = [] } = {}) => {
        seen.reads++;
        const paused = new Set(except.map((t) => t.routingKey));
        const due = waiting.filter((f) => f.dueMs <= dueMs && !paused.has(f.routingKey));
        return due.slice(0, limit);
      },
    },
    writer: {
      followUpsDone: async (ids) => {
        waiting = waiting.filter((f) => !ids.includes(f.id));
      },
    },
    retryDelaysMs: [1_000, 4_000, 16_000],
    now: () => seen.nowMs,
    onDone: (followUps) => {
      seen.published += followUps;
    },
  });
  const left = () => waiting.map((f) => f.routingKey);
  const add = (id: number, routingKey: string, dueMs: number, overtaken = false) =>
    waiting.push({ id, shard: 0, exchange: "", routingKey, body: "[]", dueMs, overtaken });
  return { relay, seen, left, add, link };
}

test(
  "a target that accepts nothing waits; the follow-ups behind it are published in one run",
  async () => {
    const broken = Array.from({ length: 1_000 }, () => BROKEN);
    const { relay, seen, left } = await rig([...broken, "payments", "orders.dead"]);
    await relay.followUps(0);
    expect(left()).toEqual(broken);
    // Read once with the broken target, and again without it.
    expect(seen.reads).toBeLessThanOrEqual(4);
    relay.stop();
  },
  TIMEOUT_MS,
);

test(
  "a thousand calls during a run make it look once more, not a thousand times",
  async () => {
    const { relay, seen, left } = await rig(Array.from({ length: 150 }, () => "payments"));
    const first = relay.followUps(0);
    await Promise.all([first, ...Array.from({ length: 1_000 }, () => relay.followUps(0))]);
    expect(left()).toEqual([]);
    expect(seen.reads).toBeLessThanOrEqual(5);
  },
  TIMEOUT_MS,
);

test(
  "a claimed part's queue that was deleted is declared again",
  async () => {
    const { relay, left, link } = await rig(["fulfilment.depot", BROKEN]);
    await relay.followUps(0);
    expect(left()).toEqual([BROKEN]);
    const { ready } = (await depth(link.connection, "fulfilment.depot")) ?? { ready: 0 };
    expect(ready).toBe(1);
    relay.stop();
  },
  TIMEOUT_MS,
);

test(
  "a follow-up that is not due stays, and is published once it is due",
  async () => {
    const { relay, seen, left, add } = await rig([]);
    add(1, "payments", 5_000);
    await relay.followUps(0);
    expect(left()).toEqual(["payments"]);
    seen.nowMs = 5_000;
    await relay.followUps(0);
    expect(left()).toEqual([]);
  },
  TIMEOUT_MS,
);

test(
  "what has been overtaken is marked, and not published",
  async () => {
    const { relay, seen, left, add } = await rig([]);
    add(1, "payments", 0, true);
    add(2, "payments", 0);
    await relay.followUps(0);
    expect(left()).toEqual([]);
    expect(seen.published).toBe(1);
  },
  TIMEOUT_MS,
);
