// The pace in simulated ticks of 100 ms: how late, for how long, with which demand. By default all
// accepted orders are decided, and lateness is high enough to count even then.
import { beforeEach, expect, test } from "bun:test";
import { Pace } from "./pace.ts";

const LATE_MS = 60;
const STARVED_MS = LATE_MS * 4;
/** How far demand may always run ahead of decisions, in orders. */
const LEAD = 2_000;
let pace: Pace;
let nowMs: number;
beforeEach(() => {
  pace = new Pace(LATE_MS, LEAD);
  nowMs = 1_000;
});

/** One tick with evenly `offered` orders and this lateness. Returns how many were accepted. */
function tick(offered: number, lateMs: number, decided?: number): number {
  let taken = 0;
  for (let i = 0; i < offered; i++) {
    nowMs += 100 / offered;
    if (!pace.room(nowMs)) continue;
    pace.took();
    taken++;
  }
  if (offered === 0) nowMs += 100;
  pace.decided(decided ?? taken);
  pace.tick(nowMs, 100, lateMs);
  return taken;
}
const ticks = (count: number, offered: number, lateMs: number, decided?: number) =>
  Array.from({ length: count }, () => tick(offered, lateMs, decided));

test("in time: everything is accepted", () => {
  expect(ticks(50, 10_000, LATE_MS, 1_000)).toEqual(Array(50).fill(10_000));
  expect(pace.bounded).toBe(false);
});

test("two late ticks of five, however late, are not overload; three are", () => {
  ticks(20, 1_000, 0, 500);
  for (let i = 0; i < 10; i++) {
    ticks(2, 1_000, 100_000, 500);
    ticks(3, 1_000, 0, 500);
  }
  expect(pace.bounded).toBe(false);
  ticks(2, 1_000, 100_000, 500);
  expect(pace.bounded).toBe(false);
  tick(1_000, LATE_MS + 1, 500);
  expect(pace.bounded).toBe(true);
});

test("late but keeping up with demand is not overload, up to four times the limit", () => {
  ticks(50, 1_000, STARVED_MS);
  expect(pace.bounded).toBe(false);
  ticks(5, 1_000, STARVED_MS + 1);
  expect(pace.bounded).toBe(true);
});

test("a closed loop is not overload: its lead never exceeds its outstanding orders", () => {
  const asked = (outstanding: number) => {
    pace = new Pace(LATE_MS, LEAD);
    ticks(30, 1_000, 0, 1_000);
    tick(1_000 + outstanding, LATE_MS + 1, 1_000);
    ticks(99, 1_000, LATE_MS + 1, 1_000);
    return pace.bounded;
  };
  expect(asked(9_000)).toBe(false);
  // The lead would be forgiven, but only after three late ticks.
  expect(asked(30_000)).toBe(true);
});

test("a flood counts once it is ahead by a second's decisions, not before", () => {
  ticks(30, 1_000, 0, 1_000);
  // 10,000/s are decided and 12,500/s forgiven, so 20,000/s run ahead by 750 per tick.
  ticks(13, 2_000, LATE_MS + 1, 1_000);
  expect(pace.bounded).toBe(false);
  ticks(1, 2_000, LATE_MS + 1, 1_000);
  expect(pace.bounded).toBe(true);
});

test("an old lead is forgiven while demand matches the decisions", () => {
  ticks(30, 1_000, 0, 1_000);
  ticks(12, 2_000, 0, 1_000);
  ticks(30, 1_000, 0, 1_000);
  ticks(6, 2_000, LATE_MS + 1, 1_000);
  expect(pace.bounded).toBe(false);
});

test("orders shed because their shard is full count as demand", () => {
  const flooded = (turned: number) => {
    pace = new Pace(LATE_MS, LEAD);
    for (let i = 0; i < 50; i++) {
      for (let j = 0; j < turned; j++) pace.turned();
      tick(1_000, LATE_MS + 1);
    }
    return pace.bounded;
  };
  expect(flooded(200)).toBe(false);
  expect(flooded(1_000)).toBe(true);
});

test("a machine that slept is not overloaded", () => {
  ticks(20, 1_000, 0);
  pace.tick(nowMs + 60_000, 60_000, 60_000);
  expect(pace.bounded).toBe(false);
  ticks(20, 1_000, 0);
  expect(pace.bounded).toBe(false);
});

test("unbounded → bounded: from then on accepts a share of the recent rate, evenly", () => {
  ticks(30, 1_000, 0);
  ticks(5, 1_000, 300);
  const taken = ticks(3, 10_000, 50);
  for (const count of taken) {
    expect(count).toBeGreaterThanOrEqual(540);
    expect(count).toBeLessThanOrEqual(870);
  }
});

test("bounded and late: less and less, never below the floor", () => {
  ticks(30, 1_000, 0);
  ticks(100, 3_000, 100, 1_000);
  expect(pace.perMs).toBeCloseTo(5, 1);
  expect(tick(3_000, 100, 1_000)).toBeCloseTo(500, -1);
});

test("once bounded, it aims at less lateness than the limit", () => {
  ticks(30, 1_000, 0);
  ticks(10, 1_000, 300);
  const [bound, aim] = [pace.perMs, LATE_MS * 0.6];
  ticks(80, 10_000, aim - 2);
  const more = pace.perMs;
  expect(more).toBeGreaterThan(bound);
  ticks(20, 10_000, aim + 2);
  expect(pace.perMs).toBeLessThan(more);
});

test("bounded and in time: more again; late again: less again", () => {
  ticks(30, 1_000, 300);
  ticks(30, 10_000, 100);
  const least = pace.perMs;
  ticks(100, 10_000, 5);
  const more = pace.perMs;
  expect(more).toBeGreaterThan(least * 1.4);
  ticks(20, 10_000, 100);
  expect(pace.perMs).toBeLessThan(more);
});

test("bounded → unbounded: after a second without a shed order, not before", () => {
  ticks(30, 1_000, 300);
  ticks(9, 100, 0);
  expect(pace.bounded).toBe(true);
  tick(10_000, 0);
  ticks(9, 100, 0);
  expect(pace.bounded).toBe(true);
  ticks(2, 100, 0);
  expect(pace.bounded).toBe(false);
  expect(tick(10_000, 0)).toBe(10_000);
});

test("late with nothing to do: at least a thousand orders per second are accepted", () => {
  ticks(30, 0, 300);
  expect(pace.bounded).toBe(true);
  expect(tick(1_000, 100)).toBeGreaterThanOrEqual(99);
});

test("after a silence at most 20 ms worth of orders is accepted at once", () => {
  ticks(30, 1_000, 0);
  ticks(5, 1_000, 300);
  nowMs += 500;
  let taken = 0;
  expect(pace.bounded).toBe(true);
  while (pace.room(nowMs)) {
    pace.took();
    taken++;
  }
  expect(taken).toBeLessThanOrEqual(20 * 8.6);
  expect(taken).toBeGreaterThan(100);
});

test("only ticks with orders count towards the rate it can accept", () => {
  for (let i = 0; i < 10; i++) {
    tick(1_000, 50);
    ticks(4, 0, 50);
  }
  ticks(5, 0, 300);
  expect(pace.bounded).toBe(true);
  expect(pace.perMs).toBeGreaterThan(3);
});

test("in a flood the bound follows the decisions, down to its floor", () => {
  ticks(30, 1_000, 0, 500);
  ticks(30, 1_000, 200, 500);
  expect(pace.perMs).toBeCloseTo(2.5, 1);
});

test("late before any decision: starts at 40% of the accepted rate; the floor follows", () => {
  ticks(4, 1_000, 0, 0);
  while (!pace.bounded) tick(1_000, 200, 0);
  expect(pace.perMs).toBeCloseTo(0.85 * 4, 1);
  ticks(60, 1_000, 200, 900);
  expect(pace.perMs).toBeCloseTo(0.5 * 9, 0);
});

test("the peak of decisions is remembered, and forgotten within minutes", () => {
  ticks(30, 1_000, 0, 1_000);
  ticks(30, 1_000, 200, 100);
  const soon = pace.perMs;
  expect(soon).toBeCloseTo(5, 0);
  ticks(6_000, 500, 200, 100);
  expect(pace.perMs).toBeLessThan(soon / 4);
});

test("in a flood of any size, at least one order is accepted for six that are shed", () => {
  ticks(5, 0, STARVED_MS + 1);
  ticks(30, 10_000, 300, 100);
  const accepted = ticks(30, 10_000, 300, 100).reduce((sum, taken) => sum + taken, 0);
  const shed = 30 * 10_000 - accepted;
  expect(shed / accepted).toBeGreaterThan(5.9);
  expect(shed / accepted).toBeLessThan(6.1);
});

/** CPU of an order, ms: of the gateway, of the client, and of those who decide it. */
const COST = { shed: 0.005, accept: 0.012, send: 0.005, decide: 0.033 };
/** What the decisions get at least while the gateway and the clients fill both cores. */
const MIN_SHARE = 0.35;
/** How many orders the gateway reads in a round of its event loop. */
const ROUND = 10_000;

/** Reads this many orders, one after the other. Returns how many were accepted. */
function round(orders: number): number {
  let accepted = 0;
  for (let i = 0; i < orders; i++) {
    const room = pace.room(nowMs);
    if (room) pace.took();
    accepted += Number(room);
    nowMs += room ? COST.accept : COST.shed;
  }
  return accepted;
}

/**
 * Clients with an order each, who send it again at once if it is shed, and the next one once it is
 * decided. They share two cores with the system. Returns the decisions of each second.
 */
function retryStorm(clients: number, seconds: number): number[] {
  const decisions: number[] = Array(seconds).fill(0);
  const fromMs = nowMs;
  let [unread, undecided, tickedMs, lateMs] = [clients, 0, nowMs, 0];
  for (let second = 0; second < seconds; second = Math.floor((nowMs - fromMs) / 1_000)) {
    const [startedMs, read] = [nowMs, Math.min(ROUND, unread)];
    const accepted = round(read);
    const busyMs = nowMs - startedMs;
    nowMs = Math.max(nowMs, startedMs + 1);
    const tookMs = nowMs - startedMs;
    const leftMs = Math.max(MIN_SHARE * tookMs, 2 * tookMs - busyMs - read * COST.send);
    const decided = Math.min(undecided, Math.floor(leftMs / COST.decide));
    pace.decided(decided);
    decisions[second] = (decisions[second] ?? 0) + decided;
    unread += decided - accepted;
    undecided += accepted - decided;
    lateMs = Math.max(lateMs, tookMs - 1);
    if (nowMs < tickedMs + 100) continue;
    pace.tick(nowMs, nowMs - tickedMs, lateMs);
    [tickedMs, lateMs] = [nowMs, 0];
  }
  return decisions;
}

test("a cold gateway outlasts clients that retry a shed order at once", () => {
  ticks(5, 0, STARVED_MS + 1);
  expect(pace.bounded).toBe(true);
  const decisions = retryStorm(30_000, 15);
  expect(decisions[0]).toBeGreaterThan(5_000);
  expect(Math.min(...decisions.slice(10))).toBeGreaterThan(35_000);
  expect(pace.bounded).toBe(false);
});
