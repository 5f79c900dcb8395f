import { expect, test } from "bun:test";
import { Pacer } from "./pacer.ts";
import { VirtualRuntime } from "./testing.ts";

const MAX_MS = 25;
const FULL_FROM = 500;

/** A pacer whose units carry all rows that have come since the last one. */
function rig() {
  const runtime = new VirtualRuntime();
  const pacer = new Pacer({ runtime, mostMs: () => MAX_MS, fullFrom: FULL_FROM });
  const starts: number[] = [];
  let rows = 0;
  const unit = () => {
    starts.push(runtime.monotonicMs());
    pacer.started();
    pacer.carried(rows);
    rows = 0;
  };
  const row = () => {
    rows++;
    pacer.enter(unit);
  };
  return { runtime, pacer, starts, row, unit };
}

/** Rows at a steady rate. Returns how long the slowest one waited, ms. */
async function rowsEvery(it: ReturnType<typeof rig>, everyMs: number, count: number) {
  let slowestMs = 0;
  for (let i = 0; i < count; i++) {
    const cameMs = it.runtime.monotonicMs();
    const before = it.starts.length;
    it.row();
    await it.runtime.advance(everyMs);
    const first = it.starts[before];
    slowestMs = Math.max(slowestMs, (first ?? it.runtime.monotonicMs()) - cameMs);
  }
  return slowestMs;
}

test("rows on an idle system wait for nothing", async () => {
  const it = rig();
  expect(await rowsEvery(it, 20, 200)).toBe(0);
  expect(it.starts).toHaveLength(200);
});

test("under load at most one unit starts in each interval, with all that came", async () => {
  const it = rig();
  await rowsEvery(it, 1, 200);
  it.starts.splice(0);
  await rowsEvery(it, 1, 1_000);
  expect(it.starts.length).toBeGreaterThan(30);
  expect(it.starts.length).toBeLessThanOrEqual(1_000 / MAX_MS + 1);
});

test("the interval is in proportion to the load", async () => {
  const it = rig();
  await rowsEvery(it, 5, 400);
  it.starts.splice(0);
  await rowsEvery(it, 5, 200);
  const intervals = it.starts.slice(1).map((ms, i) => ms - (it.starts[i] ?? 0));
  const mean = intervals.reduce((sum, ms) => sum + ms, 0) / intervals.length;
  expect(mean).toBeGreaterThan(5);
  expect(mean).toBeLessThan(15);
});

test("when the load is over, rows wait for nothing again", async () => {
  const it = rig();
  await rowsEvery(it, 1, 500);
  await it.runtime.advance(1_000);
  expect(await rowsEvery(it, 20, 20)).toBe(0);
});

test("a full unit starts at once, and does not put off those that wait", async () => {
  const it = rig();
  await rowsEvery(it, 1, 200);
  await it.runtime.advance(MAX_MS);
  it.starts.splice(0);
  const nowMs = it.runtime.monotonicMs();
  it.unit();
  it.row();
  let full = 0;
  for (let ms = 0; ms < MAX_MS; ms++) {
    it.pacer.hurry(() => {
      full++;
      it.pacer.started();
    });
    await it.runtime.advance(1);
  }
  expect(full).toBe(MAX_MS);
  expect(it.starts.map((ms) => ms - nowMs)).toEqual([0, MAX_MS]);
});

test("all that wait start together", async () => {
  const it = rig();
  await rowsEvery(it, 1, 200);
  await it.runtime.advance(MAX_MS);
  it.unit();
  const started: string[] = [];
  const starts = ["a", "b", "c"].map((name) => () => void started.push(name));
  for (const start of starts) it.pacer.enter(start);
  await it.runtime.advance(MAX_MS - 1);
  expect(started).toEqual([]);
  await it.runtime.advance(1);
  expect(started).toEqual(["a", "b", "c"]);
});

test("a start that enters again while it waits keeps its turn", async () => {
  const it = rig();
  await rowsEvery(it, 1, 200);
  await it.runtime.advance(MAX_MS);
  it.unit();
  const sinceMs = it.runtime.monotonicMs();
  let startedMs = 0;
  const start = () => {
    startedMs = it.runtime.monotonicMs();
  };
  for (let ms = 0; startedMs === 0 && ms < 2 * MAX_MS; ms++) {
    it.pacer.enter(start);
    await it.runtime.advance(1);
  }
  expect(startedMs - sinceMs).toBe(MAX_MS);
});

test("a start that hurries twice in a turn is called once", async () => {
  const it = rig();
  it.pacer.hurry(it.unit);
  it.pacer.hurry(it.unit);
  await it.runtime.advance(1);
  expect(it.starts).toHaveLength(1);
});

test("a start that throws keeps none of the others from starting", async () => {
  const it = rig();
  const started: string[] = [];
  it.pacer.hurry(() => void started.push("a"));
  it.pacer.hurry(() => {
    throw new Error("broken");
  });
  it.pacer.hurry(() => void started.push("c"));
  expect(it.runtime.advance(1)).rejects.toThrow("broken");
  await it.runtime.advance(1);
  expect(started).toEqual(["a", "c"]);
});
