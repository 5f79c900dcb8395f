import { expect, test } from "bun:test";
import { VirtualRuntime } from "../../core/runtime/testing.ts";
import { Chores } from "./chores.ts";

test("a task that hangs or fails delays no other, and never runs twice at once", async () => {
  const events: unknown[] = [];
  const chores = new Chores(new VirtualRuntime(), (event, detail) => events.push([event, detail]));
  const hung = Promise.withResolvers<void>();
  const begun = { hung: 0, failed: 0, done: 0 };
  const round = async () => {
    const done = Promise.withResolvers<void>();
    chores.begin("hung", () => {
      begun.hung++;
      return hung.promise;
    });
    chores.begin("failed", async () => {
      begun.failed++;
      throw new Error("no");
    });
    chores.begin("done", async () => {
      begun.done++;
      done.resolve();
    });
    await done.promise;
    await Bun.sleep(1);
  };
  await round();
  await round();
  expect(begun).toEqual({ hung: 1, failed: 2, done: 2 });
  expect(events).toEqual(Array(2).fill(["task failed", { what: "failed", error: "no" }]));
  hung.resolve();
  await Bun.sleep(1);
  await round();
  expect(begun.hung).toBe(2);
});

test("a task that has run for fifteen seconds is logged once", () => {
  const runtime = new VirtualRuntime();
  const events: unknown[] = [];
  const chores = new Chores(runtime, (event, detail) => events.push([event, detail]));
  const round = () => chores.begin("hung", () => new Promise(() => undefined));
  round();
  runtime.pass(14_999);
  round();
  expect(events).toEqual([]);
  runtime.pass(1);
  round();
  round();
  expect(events).toEqual([["task still running", { what: "hung", forMs: 15_000 }]]);
});
