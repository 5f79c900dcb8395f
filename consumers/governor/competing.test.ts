import { expect, test } from "bun:test";
import type { Runtime } from "../../core/runtime/runtime.ts";
import { Competing } from "./competing.ts";
import type { Governing } from "./governing.ts";

test("the rest after a message follows its work, not its wait for a turn", async () => {
  let nowMs = 0;
  const took: number[] = [];
  const restMs = (workedMs: number) => {
    took.push(workedMs);
    return 0;
  };
  const competing = new Competing({
    runtime: { monotonicMs: () => nowMs } as Runtime,
    regions: [],
    subscribe: () => Promise.reject(new Error("no regions")),
    idle: () => true,
    governing: { restMs } as unknown as Governing,
  });
  await competing.work(async (begun) => {
    nowMs += 5_000;
    begun();
    nowMs += 20;
    begun(); // only the first turn counts
    nowMs += 10;
  });
  await competing.work(async () => {
    nowMs += 7;
  });
  await competing.work(async () => {});
  expect(took).toEqual([0, 30, 7]);
});
