import { expect, test } from "bun:test";
import { Gate } from "./gate.ts";

test("calls beyond the limit follow in order, even after a failure", async () => {
  const gate = new Gate(2);
  const begun: number[] = [];
  let running = 0;
  let most = 0;
  const calls = Array.from({ length: 7 }, (_, i) => {
    const call = Promise.withResolvers<void>();
    const done = gate.pass(async () => {
      begun.push(i);
      most = Math.max(most, ++running);
      try {
        await call.promise;
      } finally {
        running--;
      }
    });
    return { ...call, done: done.catch(() => "failed") };
  });
  for (const [i, call] of calls.entries()) {
    if (i === 2) call.reject(new Error("no answer"));
    else call.resolve();
    expect(await call.done).toBe(i === 2 ? "failed" : undefined);
  }
  expect(begun).toEqual([0, 1, 2, 3, 4, 5, 6]);
  expect(most).toBe(2);
  // All places are free again.
  await Promise.all([gate.pass(async () => {}), gate.pass(async () => {})]);
});
