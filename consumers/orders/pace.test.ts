// The pace of a worker's units in virtual time: calls to Redis, commits, looks for follow-ups. An
// idle order waits for nothing, and under load units are few and full.
import { afterEach, expect, test } from "bun:test";
import { type Entry, GENESIS } from "../../core/domain/entry.ts";
import { messageText } from "../../core/domain/message.ts";
import { Pacer } from "../../core/runtime/pacer.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { VirtualRuntime } from "../../core/runtime/testing.ts";
import type { ShardMessage, ShardStore } from "../../core/stores/shard-store.ts";
import type { FollowUp, LedgerWriter } from "../../ledger/contract.ts";
import { orderRow, userOf } from "../../ledger/test-entries.ts";
import { Governing } from "../governor/governing.ts";
import { Counts } from "./counts.ts";
import { Decider } from "./decider.ts";
import type { StopReason } from "./decider-options.ts";
import { Recorder } from "./recorder.ts";
import { type RegionLink, Relay } from "./relay.ts";

const PACE_MS = 25;
/** How often messages come under load. */
const EVERY_MS = 4;
/** How long Redis takes for a call. */
const CALL_MS = 2;
const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** Deciders that share a pacer, on a store that answers without an entry. */
function deciders(count: number) {
  const runtime = new VirtualRuntime();
  const pacer = new Pacer({ runtime, mostMs: () => PACE_MS, fullFrom: 500 });
  const calls: { readonly shard: number; readonly ms: number; readonly messages: number }[] = [];
  const store = {
    decide: async ({ shard }: { shard: number }, messages: readonly ShardMessage[]) => {
      calls.push({ shard, ms: runtime.monotonicMs(), messages: messages.length });
      await runtime.sleep(CALL_MS);
      const outcomes = messages.map(({ body }) => (body === LARGE ? wordsOf(600) : wordsOf(10)));
      return { word: "decided", prev: GENESIS, outcomes, entry: undefined };
    },
  } as unknown as ShardStore;
  const settings = { pressurePercent: 100, thresholds: {}, maxPerSecond: 0 };
  const governing = new Governing(runtime, settings, undefined, () => undefined);
  const writer = {} as LedgerWriter;
  const recorder = new Recorder({ runtime, writer, log: () => undefined });
  const stops: StopReason[] = [];
  const made = Array.from(
    { length: count },
    (_, shard) =>
      new Decider({
        runtime,
        claim: { shard, incarnation: 1, epoch: 1 },
        mark: { last: { id: GENESIS } },
        dedupWindowMs: 1,
        stores: { store, recorder, lookUp: async () => new Map() },
        governing,
        pacer,
        counts: new Counts(),
        clock: { bounds: () => "", now: runtime.wallMs },
        on: {
          recorded: () => undefined,
          unreadable: () => undefined,
          decided: () => undefined,
          changed: () => undefined,
          stopped: (reason) => stops.push(reason),
        },
      }),
  );
  closing.push(() => governing.stop(), ...made.map((decider) => () => decider.stop()));
  const done: number[] = [];
  const send = (to: Decider, body = SMALL) => {
    const sentMs = runtime.monotonicMs();
    const from = { gateway: "g", batch: "1", region: "eu", deliveries: 0, acceptedAtMs: 0 };
    to.accept({ ...from, body, done: () => done.push(runtime.monotonicMs() - sentMs) });
  };
  return { runtime, deciders: made as [Decider, ...Decider[]], calls, done, send, governing };
}

const wordsOf = (rows: number) => Array.from({ length: rows }, () => "=sold_out").join(",");

/** A message with this many orders. */
function bodyOf(rows: number): string {
  return messageText(
    Array.from({ length: rows }, () => orderRow(userOf(0), realRuntime.uuidV7(), 1)),
  );
}
const SMALL = bodyOf(10);
/** More than enough for a call. */
const LARGE = bodyOf(600);

/** 2,500 orders a second, a message to each decider in turn. */
async function load(it: ReturnType<typeof deciders>, forMs: number): Promise<void> {
  for (let i = 0; i < forMs / EVERY_MS; i++) {
    it.send(it.deciders[i % it.deciders.length] as Decider);
    await it.runtime.advance(EVERY_MS);
  }
}

test("an idle shard decides at once", async () => {
  const it = deciders(1);
  for (let i = 0; i < 20; i++) {
    it.send(it.deciders[0]);
    await it.runtime.advance(200);
  }
  expect(it.calls.map(({ ms }) => ms)).toEqual(Array.from({ length: 20 }, (_, i) => i * 200));
  expect(it.done).toEqual(Array(20).fill(CALL_MS));
});

test("under load the shards of a worker decide together, once in each interval", async () => {
  const it = deciders(2);
  await load(it, 200);
  it.calls.splice(0);
  await load(it, 1_000);
  const turns = new Set(it.calls.map(({ ms }) => ms));
  expect(turns.size).toBeLessThanOrEqual(1_000 / PACE_MS + 1);
  expect(it.calls.length).toBe(2 * turns.size);
  expect(Math.max(...it.done)).toBeLessThanOrEqual(PACE_MS + CALL_MS);
});

test("a shard with enough for a full call does not wait for its turn", async () => {
  const it = deciders(1);
  await load(it, 200);
  await it.runtime.advance(PACE_MS);
  it.send(it.deciders[0]);
  await it.runtime.advance(CALL_MS);
  it.calls.splice(0);
  const sinceMs = it.runtime.monotonicMs();
  it.send(it.deciders[0]);
  await it.runtime.advance(1);
  expect(it.calls).toEqual([]);
  it.send(it.deciders[0], LARGE);
  await it.runtime.advance(0);
  expect(it.calls.map(({ ms }) => ms)).toEqual([sinceMs + 1]);
});

test("a shard that is stopped or paused while it waits decides nothing", async () => {
  for (const end of ["stop", "pause"] as const) {
    const it = deciders(1);
    await load(it, 200);
    await it.runtime.advance(PACE_MS);
    it.send(it.deciders[0]);
    await it.runtime.advance(CALL_MS);
    it.calls.splice(0);
    it.send(it.deciders[0]);
    await it.runtime.advance(1);
    if (end === "stop") it.deciders[0].stop();
    else it.governing.byHand("ops");
    await it.runtime.advance(4 * PACE_MS);
    expect(it.calls).toEqual([]);
    it.governing.byHand(undefined);
    await it.runtime.advance(200);
    expect(it.calls.length).toBe(end === "stop" ? 0 : 1);
  }
});

test("a shard that finishes its work under load is idle within an interval", async () => {
  const it = deciders(1);
  await load(it, 200);
  let idle = false;
  it.send(it.deciders[0]);
  void it.deciders[0].idle().then(() => {
    idle = true;
  });
  await it.runtime.advance(PACE_MS + 2 * CALL_MS);
  expect(idle).toBe(true);
});

/** Entries of 10 characters, unless more are given. */
const entryOf = (shard: number, characters = 10): Entry =>
  ({ shard, messages: [{ body: "x".repeat(characters) }] }) as unknown as Entry;

/** A recorder whose commits take a moment. */
function recorder() {
  const runtime = new VirtualRuntime();
  const commits: { readonly ms: number; readonly entries: number }[] = [];
  const writer = {
    record: async (entries: readonly unknown[]) => {
      commits.push({ ms: runtime.monotonicMs(), entries: entries.length });
      await runtime.sleep(1);
      return entries.map(() => "recorded");
    },
  } as unknown as LedgerWriter;
  return { runtime, commits, recorder: new Recorder({ runtime, writer, log: () => undefined }) };
}

test("a commit takes the entries of all calls that are under way", async () => {
  const { runtime, commits, recorder: it } = recorder();
  const calls = [it.expect(), it.expect()];
  await runtime.advance(1);
  calls[0]?.();
  void it.record(entryOf(0), 1);
  await runtime.advance(1);
  expect(commits).toEqual([]);
  calls[1]?.();
  void it.record(entryOf(1), 1);
  await runtime.advance(0);
  expect(commits).toEqual([{ ms: 2, entries: 2 }]);
});

test("a commit does not wait for a slow call, nor for any call once it has enough", async () => {
  const { runtime, commits, recorder: it } = recorder();
  it.expect();
  void it.record(entryOf(0), 1);
  await runtime.advance(5);
  expect(commits).toEqual([{ ms: 5, entries: 1 }]);
  await runtime.advance(5);
  void it.record(entryOf(0, 64 * 1024), 1);
  await runtime.advance(0);
  expect(commits.at(-1)).toEqual({ ms: 10, entries: 1 });
});

test("a commit that waits for calls waits no longer once it has enough", async () => {
  for (const entries of [[entryOf(0, 64 * 1024)], Array.from({ length: 63 }, () => entryOf(0))]) {
    const { runtime, commits, recorder: it } = recorder();
    it.expect();
    void it.record(entryOf(0), 1);
    await runtime.advance(1);
    for (const entry of entries) void it.record(entry, 1);
    await runtime.advance(1);
    expect(commits).toEqual([{ ms: 1, entries: 1 + entries.length }]);
  }
});

test("a recorder that is stopped while it gathers settles everything as fenced", async () => {
  const { runtime, commits, recorder: it } = recorder();
  it.expect();
  const recorded = it.record(entryOf(0), 1);
  await runtime.advance(1);
  it.stop();
  expect(await recorded).toBe("fenced");
  await runtime.advance(10);
  expect(commits).toEqual([]);
});

/** A relay of two shards in which every commit leaves a follow-up. */
function relay() {
  const runtime = new VirtualRuntime();
  const seen = { looks: 0, updates: 0 };
  let open: FollowUp[] = [];
  const link = {
    connection: { region: "eu" },
    publisher: { ready: true, publish: async () => "confirmed" },
  } as unknown as RegionLink;
  const it = new Relay({
    runtime,
    regions: [link],
    ledger: {
      followUps: async (shard) => {
        seen.looks++;
        return open.filter((f) => f.shard === shard);
      },
    },
    writer: {
      followUpsDone: async (ids) => {
        seen.updates++;
        open = open.filter((f) => !ids.includes(f.id));
      },
    },
    retryDelaysMs: [],
    now: () => 0,
  });
  let id = 0;
  const commit = (shard: number) => {
    open.push({ id: id++, shard, exchange: "", routingKey: "payments", body: "[]" });
    void it.followUps(shard);
  };
  return { runtime, relay: it, seen, commit, left: () => open.length };
}

test("the first follow-up is published at once", async () => {
  const { runtime, commit, left } = relay();
  commit(0);
  await runtime.advance(0);
  expect(left()).toBe(0);
});

test("under load a look finds what several commits left, and one update marks it", async () => {
  const { runtime, seen, commit, left } = relay();
  for (let ms = 0; ms < 1_000; ms++) {
    commit(ms % 2);
    await runtime.advance(1);
  }
  await runtime.advance(100);
  expect(left()).toBe(0);
  // 10 turns, and those before the load was known.
  expect(seen.looks).toBeLessThanOrEqual(2 * 25);
  expect(seen.updates).toBeLessThanOrEqual(25);
});

/** A relay under load, and a look of shard 0 that waits for its turn. */
async function waitingLook() {
  const it = relay();
  for (let ms = 0; ms < 500; ms++) {
    it.commit(1);
    await it.runtime.advance(1);
  }
  await it.runtime.advance(100);
  it.commit(1);
  await it.runtime.advance(1);
  it.commit(0);
  await it.runtime.advance(1);
  expect(it.left()).toBeGreaterThan(0);
  return it;
}

test("the last look of a shard that is released does not wait for its turn", async () => {
  const { runtime, relay: it, left } = await waitingLook();
  let finished = false;
  void it.finish(0).then(() => {
    finished = true;
  });
  await runtime.advance(1);
  expect([finished, left()]).toEqual([true, 1]); // that of the other shard
});

test("a shard that has been released is not looked at, until it is owned again", async () => {
  const { runtime, relay: it, left } = await waitingLook();
  it.drop(0);
  await runtime.advance(200);
  expect(left()).toBe(1);
  void it.followUps(0);
  await runtime.advance(200);
  expect(left()).toBe(0);
});
