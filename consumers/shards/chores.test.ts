import { expect, test } from "bun:test";
import { Chores } from "./chores.ts";

test("a piece of work that hangs or fails keeps no other from being done, and is not begun twice", async () => {
  const events: unknown[] = [];
  const chores = new Chores((event, detail) => events.push([event, detail]));
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
  expect(events).toEqual(Array(2).fill(["left undone", { what: "failed", error: "no" }]));
  hung.resolve();
  await Bun.sleep(1);
  await round();
  expect(begun.hung).toBe(2);
});
