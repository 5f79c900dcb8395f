// Workers that slow down, paused manually or by a stalling ledger, and what happens to their
// shards. governor.quiet.test.ts has the CPU load of other programs.
import { afterEach, expect, test } from "bun:test";
import { depth } from "../broker/inspect.ts";
import { PAYMENTS } from "../broker/topology.ts";
import { workersByHand } from "../cli/operator/workers-by-hand.ts";
import { at } from "../core/domain/at.ts";
import type { GovernorReport, PaymentsReport } from "../core/domain/report.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import { Members } from "../core/stores/members.ts";
import { Db } from "../ledger/db.ts";
import { readPackingList } from "../stubs/fulfil/packing-list.ts";
import { makeOrder, SHARDS, Stack, userOf } from "./stack.ts";

const SLOW_MS = 60_000;
const stacks: Stack[] = [];
afterEach(async () => {
  for (const stack of stacks.splice(0)) await stack.stop();
});

/** Other tests keep the CPU busy: governor.quiet.test.ts tests that signal. */
const NO_CPU_SIGNAL = { SLUICE_GOVERNOR_CPU: "off" };

async function start(env: Record<string, string> = {}): Promise<Stack> {
  const stack = await Stack.start({ env: { ...NO_CPU_SIGNAL, ...env } });
  stacks.push(stack);
  await stack.sale({ a: 1_000 });
  return stack;
}

type Running = Awaited<ReturnType<Stack["worker"]>>;
const state = ({ worker }: Running) => worker.report().governor.state;
const held = ({ worker }: Running) => worker.shards.length;

/** Publishes an order for a shard without waiting for it. */
async function publish(stack: Stack, shard: number): Promise<{ user: string; id: string }> {
  const { order, row } = makeOrder(userOf(shard), { a: 1 });
  await stack.publish(shard, [row]);
  return order;
}

async function inLedger(
  stack: Stack,
  placed: readonly { user: string; id: string }[],
): Promise<void> {
  for (const { user, id } of placed) expect((await stack.decided(user, id)).state).toBe("reserved");
  expect((await stack.ledger.stock("s1"))[0]).toMatchObject({ held: placed.length });
}

test(
  "a manually paused worker hands over its shards and gets its share back without loss",
  async () => {
    const stack = await start();
    const [one, two] = [await stack.worker("one"), await stack.worker("two")];
    await stack.until("each to hold a shard", () => held(one) === 1 && held(two) === 1);
    const redis = await stack.client();
    const members = new Members(redis);
    const placed = [await publish(stack, 0), await publish(stack, 1)];
    expect(await members.pause("nobody", "ann")).toBe(false);
    expect(await members.pause("one", "ann")).toBe(true);
    await stack.until("the other to hold all", () => held(one) === 0 && held(two) === SHARDS);
    expect(one.worker.report().governor).toMatchObject({ state: "paused", reasons: ["operator"] });
    for (let i = 0; i < 10; i++) placed.push(await publish(stack, i % SHARDS));
    await inLedger(stack, placed);
    expect(await members.resume("one")).toBe(true);
    await stack.until("each to hold a shard again", () => held(one) === 1 && held(two) === 1);
    placed.push(await publish(stack, 0), await publish(stack, 1));
    await inLedger(stack, placed);
    // Their charges were requested and counted.
    await stack.until(
      "their follow-ups",
      () => one.worker.report().followUps + two.worker.report().followUps > 0,
    );
    await redis.close();
  },
  SLOW_MS,
);

/** A worker that owns all shards, is paused manually, and has an order of each shard in flight. */
async function pausedAlone(stack: Stack) {
  const running = await stack.worker("only");
  await stack.until("it to hold all", () => held(running) === SHARDS);
  const redis = await stack.client();
  const members = new Members(redis);
  await members.pause("only", "ann");
  await stack.until("it to pause", () => state(running) === "paused");
  const placed = [await publish(stack, 0), await publish(stack, 1)];
  await stack.until("them to be in flight", () =>
    running.worker.report().shards.every((s) => s.load > 0),
  );
  return { running, redis, members, placed };
}

test(
  "the only worker, paused, keeps its shards and decides nothing until it resumes",
  async () => {
    const stack = await start();
    const { running: only, redis, members, placed } = await pausedAlone(stack);
    expect(held(only)).toBe(SHARDS);
    // For several of its beats and checks nothing moves, and the lag grows.
    await stack.until("the lag to show", () =>
      only.worker.report().shards.every((s) => (s.regions[0]?.lagMs ?? 0) > 1_000),
    );
    for (const { user, id } of placed) expect(await stack.ledger.order(user, id)).toBeUndefined();
    await members.resume("only");
    await inLedger(stack, placed);
    await redis.close();
  },
  SLOW_MS,
);

test(
  "a paused worker stops at once, and the next one gets its messages",
  async () => {
    const stack = await start();
    const { running: first, redis, placed } = await pausedAlone(stack);
    const startedMs = performance.now();
    await first.stop();
    expect(performance.now() - startedMs).toBeLessThan(3_000);
    await stack.worker("second");
    await inLedger(stack, placed);
    await redis.close();
  },
  SLOW_MS,
);

test(
  "a stalling ledger slows and then pauses the worker, which resumes when the ledger answers",
  async () => {
    const stack = await start({ SLUICE_GOVERNOR_LEDGER: "300ms,900ms" });
    const worker = await stack.worker("one");
    await stack.until("it to hold all", () => held(worker) === SHARDS);
    const placed = [await publish(stack, 0)];
    await stack.decided(placed[0]?.user ?? "", placed[0]?.id ?? "");
    const db = await Db.open(realRuntime, stack.settings.ledgerUrl);
    const released = Promise.withResolvers<void>();
    // Another writer holds SQLite's lock.
    const sitting = db.transaction(async (tx) => {
      await tx.run("UPDATE store SET incarnation = incarnation");
      await released.promise;
    });
    placed.push(await publish(stack, 0), await publish(stack, 1));
    const seen = new Set<string>();
    await stack.until("it to pause", () => {
      seen.add(state(worker));
      return seen.has("paused");
    });
    expect(seen).toContain("slowed");
    expect(worker.worker.report().governor.reasons).toContain("ledger_ms");
    released.resolve();
    await sitting;
    await db.close();
    await stack.until("it to run again", () => state(worker) === "running", 40_000);
    await inLedger(stack, placed);
    expect(stack.events.filter((e) => e.event === "governor").map((e) => e.state)).toEqual(
      expect.arrayContaining(["slowed", "paused", "running"]),
    );
  },
  SLOW_MS,
);

/** The governor report of a role that competes for messages, by its id. */
async function governorOf(members: Members, id: string): Promise<GovernorReport | undefined> {
  const text = (await members.roles()).get(id);
  return text === undefined ? undefined : (JSON.parse(text) as PaymentsReport).governor;
}

test(
  "a manually paused payment worker and service leave messages to others, and resume the rest once",
  async () => {
    const stack = await start();
    await stack.worker("one");
    await stack.route("c", "depot");
    const provider = await stack.payments();
    const service = await stack.fulfil("depot");
    const redis = await stack.client();
    const members = new Members(redis);
    const hand = workersByHand(redis);
    const { connection } = at(stack.links, 0);
    const waiting = async (queue: string) => await depth(connection, queue);
    const depot = [...(await members.roles()).keys()].find((id) =>
      id.startsWith("depot"),
    ) as string;
    expect(await hand.pause("nobody", "ann")).toEqual([]);
    expect((await hand.pause("*", "ann")).sort()).toEqual([depot, "one", "payments"]);
    await hand.resume("one");
    for (const [id, queue] of [
      ["payments", PAYMENTS],
      [depot, "fulfilment.depot"],
    ] as const) {
      await stack.until(
        `${id} to pause`,
        async () => (await governorOf(members, id))?.state === "paused",
      );
      expect(await governorOf(members, id)).toMatchObject({
        reasons: ["operator"],
        eased: { operator: 1 },
      });
      await stack.until(
        `${queue} to have no consumer`,
        async () => (await waiting(queue))?.consumers === 0,
      );
    }
    const placed = await publish(stack, 0);
    await stack.becomes(placed.user, placed.id, "reserved");
    await stack.until("its charge to wait", async () => (await waiting(PAYMENTS))?.ready === 1);
    expect(provider.book.charges.size).toBe(0);
    await hand.resume("payments");
    await stack.becomes(placed.user, placed.id, "paid");
    await stack.until(
      "its part to wait",
      async () => (await waiting("fulfilment.depot"))?.ready === 1,
    );
    expect(await hand.resume(depot)).toEqual([depot]);
    await stack.becomes(placed.user, placed.id, "dispatched");
    expect(provider.book.charges.size).toBe(1);
    expect(readPackingList(service.file)).toHaveLength(1);
    await redis.close();
  },
  SLOW_MS,
);
