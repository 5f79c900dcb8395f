// What an overview remembers: who was lost and who left, and dead letters while a shard moves.
import { expect, test } from "bun:test";
import { workerReport } from "../../core/domain/test-reports.ts";
import { Board, DeadMemory, LastKnown, LostRoles } from "./last-known.ts";

const w = (id: string, endsMs: number) => ({ report: workerReport({ id }), endsMs });

test("a value that cannot be read keeps its last one, with its time", () => {
  const known = new LastKnown<number>();
  expect([known.keep(undefined, 5), known.asOfMs]).toEqual([undefined, null]);
  expect([known.keep(0, 6), known.asOfMs]).toEqual([0, 6]);
  expect([known.keep(undefined, 9), known.asOfMs]).toEqual([0, 6]);
});

test("a role that signs off is not lost; one whose lease ended is, until it is back", () => {
  const lost = new LostRoles();
  lost.look([w("killed", 4_000), w("left", 4_000), w("slow", 4_000)], 1_000);
  lost.look([w("killed", 4_000), w("slow", 4_000)], 2_000);
  lost.look([], 4_500);
  expect(lost.list(4_500)).toEqual([]);
  // One that only paused for a moment, say with Redis, is back in time.
  lost.look([w("slow", 9_000)], 5_000);
  // At 2,000 it was still the report of 1,000.
  const gone = { id: "killed", kind: "worker" as const, lastSeenMs: 1_000 };
  expect(lost.list(8_000)).toEqual([gone]);
  lost.look([w("slow", 99_000_000), w("killed", 99_000_000)], 8_500);
  expect(lost.list(99_000)).toEqual([]);
});

test("a list without its reader is not whole, and neither are those right after it", () => {
  let nowMs = 0;
  const board = new Board(() => nowMs);
  const at = (ms: number, list: readonly ReturnType<typeof w>[] | undefined) => {
    nowMs = ms;
    return board.isWhole(list, "me");
  };
  expect(at(0, [w("me", 9_000), w("other", 9_000)])).toBe(true);
  expect(at(1_000, [])).toBe(false);
  expect(at(2_000, [w("me", 9_000)])).toBe(false);
  expect(at(3_600, [w("me", 9_000), w("other", 9_000)])).toBe(true);
  expect(at(5_000, undefined)).toBe(false);
  expect(at(6_000, [w("me", 9_000)])).toBe(false);
  // A reader that is never on the list, such as doctor.
  expect(new Board(() => 0).isWhole([], undefined)).toBe(true);
});

test("a lost role is forgotten after ten minutes", () => {
  const lost = new LostRoles();
  lost.look([w("killed", 4_000)], 1_000);
  lost.look([], 4_500);
  lost.look([], 600_000);
  expect(lost.list(600_000)).toHaveLength(1);
  lost.look([], 605_000);
  expect(lost.list(605_000)).toEqual([]);
});

test("dead letters stay while their shard moves, as old as they are", () => {
  const memory = new DeadMemory();
  const count = { queue: "orders.dead", region: "eu", messages: 3, atMs: 1_000, sinceMs: 400 };
  expect(memory.look([workerReport({ dead: [count] })], 1_100)).toEqual([count]);
  // The shard moves: nobody counts. Then its next owner does, who has just seen the queue.
  expect(memory.look([workerReport({})], 4_000)).toEqual([count]);
  const next = { ...count, atMs: 5_000, sinceMs: 5_000 };
  expect(memory.look([workerReport({ dead: [next] })], 5_100)).toEqual([{ ...next, sinceMs: 400 }]);
  // The report of the owner before does not bring the old count back.
  expect(memory.look([workerReport({ dead: [count] })], 5_200)[0]?.atMs).toBe(5_000);
  const empty = { ...count, messages: 0, atMs: 6_000, sinceMs: null };
  expect(memory.look([workerReport({ dead: [empty] })], 6_100)).toEqual([empty]);
  const again = { ...count, messages: 1, atMs: 7_000, sinceMs: 6_900 };
  expect(memory.look([workerReport({ dead: [again] })], 7_100)).toEqual([again]);
});

test("a region that nobody is connected to any more is forgotten", () => {
  const memory = new DeadMemory();
  const count = { queue: "orders.dead", region: "us", messages: 3, atMs: 1_000, sinceMs: 400 };
  const us = [{ region: "us", state: "away" as const }];
  expect(memory.look([workerReport({ dead: [count], brokers: us })], 1_100)).toHaveLength(1);
  expect(memory.look([], 1_200)).toHaveLength(1);
  expect(memory.look([workerReport({})], 1_300)).toEqual([]);
});
