import { expect, test } from "bun:test";
import { Schedule } from "./schedule.ts";

const run = { rate: 100, sockets: 4, seconds: 2, spread: false };

test("an order is due at its intended start, not an interval later", () => {
  const schedule = new Schedule(run);
  for (let order = 0; order < schedule.each; order++) {
    const dueMs = schedule.dueMs(order, 0);
    expect(schedule.dueBy(dueMs + 0.01, 0)).toBe(order + 1);
    expect(schedule.dueBy(dueMs - 0.01, 0)).toBe(order);
  }
});

test("a run has its rate times its length, and no order after its end", () => {
  const schedule = new Schedule(run);
  expect(schedule.each * run.sockets).toBe(200);
  expect(schedule.dueBy(60_000, 3)).toBe(schedule.each);
  expect(schedule.dueMs(schedule.each - 1, 3)).toBeLessThan(2_000);
});

test("sockets that take turns are one interval of the whole rate apart", () => {
  const schedule = new Schedule({ ...run, spread: true });
  expect([0, 1, 2, 3].map((socket) => schedule.dueMs(0, socket))).toEqual([0, 10, 20, 30]);
  expect(schedule.dueMs(1, 0)).toBe(40);
  expect(schedule.dueBy(29.9, 3)).toBe(0);
  expect(schedule.dueBy(30.1, 3)).toBe(1);
});
