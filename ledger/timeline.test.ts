// The day's history: one writer at a time, each change once, and both bounds.
import { afterAll, describe, expect, test } from "bun:test";
import type { HistoryMinute, TimelineEvent } from "../core/domain/timeline.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import { freshDatabase, testDir } from "../test/services.ts";
import { until } from "../test/until.ts";
import { openLedger, openLedgerWriter } from "./open.ts";
import { SHARDS } from "./test-entries.ts";
import { KEPT_MS, MAX_ENTRIES } from "./timeline-contract.ts";

const closing: { close(): Promise<void> }[] = [];
afterAll(async () => {
  for (const one of closing) await one.close();
});

const event = (n: number, atMs = Date.now()): TimelineEvent => ({
  ...{ atMs, kind: "role_started", subject: `worker-${n}`, what: "the worker has started" },
});
const minute = (atMs: number, accepted: number): HistoryMinute => ({
  ...{ atMs, accepted, decided: null, refused: null, paid: null, lagMs: null },
  ...{ p50Ms: null, p99Ms: null, dead: null, unitsLeft: null },
});

describe.each(["sqlite", "postgres"])("%s", (dialect) => {
  async function fresh() {
    const url =
      dialect === "sqlite" ? `sqlite:${testDir("timeline")}/ledger.db` : await freshDatabase();
    const ledger = await openLedger({ runtime: realRuntime, url, shards: SHARDS });
    const writer = await openLedgerWriter(realRuntime, url);
    closing.push(ledger, writer);
    const keep = (
      holder: string,
      events: TimelineEvent[] = [],
      { minutes = [] as HistoryMinute[], state = "", leaseMs = 60_000 } = {},
    ) => writer.keepTimeline({ holder, leaseMs, events, minutes, state });
    return { ledger, keep };
  }

  test("only the holder of the lease writes, and its successor learns the state", async () => {
    const { ledger, keep } = await fresh();
    expect(await keep("a", [event(1)])).toMatchObject({ lease: "taken", state: "" });
    expect(await ledger.timeline({ limit: 9 })).toEqual([]);
    expect(await keep("a", [event(1)], { state: '{"x":"1"}' })).toMatchObject({ lease: "held" });
    expect(await keep("b", [event(2)], { state: "{}" })).toMatchObject({
      ...{ lease: "elsewhere", state: '{"x":"1"}' },
    });
    await keep("a", [], { leaseMs: 0 });
    let kept = await keep("b", [event(2)]);
    await until("the lease to end", async () => {
      if (kept.lease !== "taken") kept = await keep("b", [event(2)]);
      return kept.lease === "taken";
    });
    expect(kept.state).toBe('{"x":"1"}');
    expect(kept.writtenMs).toBeGreaterThan(0);
    expect(await keep("a", [event(3)])).toMatchObject({ lease: "elsewhere" });
    expect((await ledger.timeline({ limit: 9 })).map((e) => e.subject)).toEqual(["worker-1"]);
  }, 30_000);

  test("pages go back from the newest, or on from a cursor", async () => {
    const { ledger, keep } = await fresh();
    await keep("a");
    await keep(
      "a",
      [1, 2, 3, 4, 5].map((n) => event(n)),
    );
    const seqs = async (query: object) =>
      (await ledger.timeline({ limit: 2, ...query })).map(({ seq }) => seq);
    expect(await seqs({})).toEqual([5, 4]);
    expect(await seqs({ before: 4 })).toEqual([3, 2]);
    expect(await seqs({ after: 3 })).toEqual([4, 5]);
    expect(await seqs({ after: 5 })).toEqual([]);
  }, 30_000);

  test("a day and a number of entries are kept, but the newest always", async () => {
    const { ledger, keep } = await fresh();
    await keep("a");
    await keep("a", [event(1, Date.now() - KEPT_MS - 1_000)]);
    expect(await ledger.timeline({ limit: 9 })).toHaveLength(1);
    const old = minute(Date.now() - KEPT_MS - 60_000, 1);
    await keep("a", [event(2)], { minutes: [old, minute(Date.now(), 2)] });
    expect((await ledger.history(0)).map(({ accepted }) => accepted)).toEqual([2]);
    expect((await ledger.timeline({ limit: 9 })).map(({ seq }) => seq)).toEqual([2]);
    await keep(
      "a",
      Array.from({ length: MAX_ENTRIES + 10 }, (_, n) => event(n)),
    );
    const kept = await ledger.timeline({ limit: 2 * MAX_ENTRIES });
    expect(kept).toHaveLength(MAX_ENTRIES);
    expect(kept[0]?.seq).toBe(MAX_ENTRIES + 12);
  }, 30_000);

  test("a minute is recorded once; texts that are too long are cut", async () => {
    const { ledger, keep } = await fresh();
    await keep("a");
    const atMs = 60_000 * Math.floor(Date.now() / 60_000);
    const long = Object.fromEntries(Array.from({ length: 400 }, (_, i) => [`sale-${i}`, i]));
    const many = { ...minute(atMs + 60_000, 7), unitsLeft: long };
    await keep("a", [{ ...event(1), what: "x".repeat(9_000) }], { minutes: [minute(atMs, 5)] });
    await keep("a", [], { minutes: [minute(atMs, 6), many] });
    const [first, second] = await ledger.history(atMs);
    expect([first?.accepted, second?.accepted, second?.unitsLeft]).toEqual([5, 7, null]);
    expect((await ledger.timeline({ limit: 1 }))[0]?.what).toHaveLength(500);
  }, 30_000);
});
