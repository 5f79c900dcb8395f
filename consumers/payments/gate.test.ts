import { expect, test } from "bun:test";
import { Gate } from "./gate.ts";

const always = () => true;

test("calls beyond the limit follow in order, even after a failure", async () => {
  const gate = new Gate(2);
  const begun: number[] = [];
  let running = 0;
  let most = 0;
  const calls = Array.from({ length: 7 }, (_, i) => {
    const call = Promise.withResolvers<void>();
    const done = gate.pass(always, async () => {
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
  await Promise.all([gate.pass(always, async () => {}), gate.pass(always, async () => {})]);
});

test("a call that is no longer wanted when a place is free ends without it", async () => {
  const gate = new Gate(1);
  const slow = Promise.withResolvers<void>();
  const first = gate.pass(always, () => slow.promise);
  let wanted = true;
  const begun: string[] = [];
  const old = [1, 2].map((n) =>
    gate.pass(
      () => wanted,
      async () => begun.push(`old ${n}`),
    ),
  );
  const next = gate.pass(always, async () => begun.push("new"));
  wanted = false;
  slow.resolve();
  expect(await Promise.all([first, ...old, next])).toEqual([undefined, undefined, undefined, 1]);
  expect(begun).toEqual(["new"]);
  expect(
    await gate.pass(
      () => false,
      async () => "called",
    ),
  ).toBeUndefined();
});

test("what waits is bounded by what is wanted, while the calls before it hang", async () => {
  const gate = new Gate(1);
  const slow = Promise.withResolvers<void>();
  const hanging = gate.pass(always, () => slow.promise);
  const rounds = Array.from({ length: 20 }, (_, round) => ({ round }));
  let current = 0;
  const ended: Promise<unknown>[] = [];
  for (const { round } of rounds) {
    current = round;
    for (let n = 0; n < 10; n++)
      ended.push(
        gate.pass(
          () => current === round,
          async () => "called",
        ),
      );
    expect(gate.size).toBe(10);
  }
  current = -1;
  gate.sweep();
  expect(gate.size).toBe(0);
  expect(new Set(await Promise.all(ended))).toEqual(new Set([undefined]));
  slow.resolve();
  await hanging;
});
