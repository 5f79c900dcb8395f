import { expect, test } from "bun:test";
import { realRuntime } from "./runtime.ts";
import { VirtualRuntime } from "./testing.ts";

const { monotonicMs, sleep, startTimer, startInterval, stopTimer, nextTurn } = realRuntime;

test("the members work by themselves, without the object they come from", () => {
  expect(Math.abs(realRuntime.wallMs() - Date.now())).toBeLessThan(1_000);
  const { random, randomBytes, uuid, uuidV7 } = realRuntime;
  expect(random()).toBeLessThan(1);
  expect(randomBytes(16)).toHaveLength(16);
  expect(randomBytes(16)).not.toEqual(randomBytes(16));
  expect(uuid()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4/);
  expect(uuidV7()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/);
});

test("monotonic time does not go back", () => {
  let lastMs = monotonicMs();
  for (let i = 0; i < 10_000; i++) {
    const nowMs = monotonicMs();
    expect(nowMs).toBeGreaterThanOrEqual(lastMs);
    lastMs = nowMs;
  }
});

test("a sleep lasts its time", async () => {
  const startedMs = monotonicMs();
  await sleep(20);
  expect(monotonicMs() - startedMs).toBeGreaterThanOrEqual(19);
});

test("an aborted sleep ends at once, even if aborted before it starts", async () => {
  const startedMs = monotonicMs();
  const abort = new AbortController();
  const slept = sleep(60_000, abort.signal);
  abort.abort();
  await slept;
  await sleep(60_000, abort.signal);
  expect(monotonicMs() - startedMs).toBeLessThan(10_000);
});

test("a sleep that was not aborted forgets its signal", async () => {
  const { signal } = new AbortController();
  let listeners = 0;
  const [add, remove] = [signal.addEventListener, signal.removeEventListener];
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    listeners++;
    add.apply(signal, args);
  };
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    listeners--;
    remove.apply(signal, args);
  };
  await sleep(1, signal);
  expect(listeners).toBe(0);
});

test("timers stop, of either kind, and twice", async () => {
  let calls = 0;
  const once = startTimer(() => calls++, 5);
  const again = startInterval(() => calls++, 5);
  for (const timer of [once, again, once, undefined]) stopTimer(timer);
  await sleep(30);
  expect(calls).toBe(0);
});

test("an interval calls until it is stopped", async () => {
  const third = Promise.withResolvers<void>();
  let calls = 0;
  const timer = startInterval(() => ++calls === 3 && third.resolve(), 1);
  await third.promise;
  stopTimer(timer);
  await sleep(20);
  expect(calls).toBe(3);
});

test("the next turn comes after promises that are settled now", async () => {
  const order: string[] = [];
  const turned = new Promise<void>((resolve) =>
    nextTurn(() => {
      order.push("turn");
      resolve();
    }),
  );
  void Promise.resolve().then(() => order.push("settled"));
  await turned;
  expect(order).toEqual(["settled", "turn"]);
});

test("a signal aborts after its time", async () => {
  const signal = realRuntime.abortAfter(5);
  expect(signal.aborted).toBe(false);
  await new Promise((resolve) => signal.addEventListener("abort", resolve));
  expect((signal.reason as Error).name).toBe("TimeoutError");
});

test("virtual timers fire by time, then in the order they were started", async () => {
  const runtime = new VirtualRuntime();
  const fired: string[] = [];
  const note = (name: string) => fired.push(`${name} ${runtime.monotonicMs()}`);
  runtime.startTimer(() => note("late"), 10);
  runtime.startTimer(() => note("a"), 5);
  runtime.startTimer(() => note("b"), 5);
  const every = runtime.startInterval(() => note("every"), 4);
  await runtime.advance(9);
  runtime.stopTimer(every);
  await runtime.advance(1);
  expect(fired).toEqual(["every 4", "a 5", "b 5", "every 8", "late 10"]);
  expect(runtime.timers).toBe(0);
});

test("virtual sleepers go to sleep again before the next timer fires", async () => {
  const runtime = new VirtualRuntime();
  const woke: number[] = [];
  const walk = async () => {
    for (let i = 0; i < 3; i++) {
      await runtime.sleep(10);
      woke.push(runtime.monotonicMs());
    }
  };
  const walked = walk();
  await runtime.advance(100);
  await walked;
  expect(woke).toEqual([10, 20, 30]);
});

test("virtual sleep can be aborted, and the wall clock jumps alone", async () => {
  const runtime = new VirtualRuntime();
  const abort = new AbortController();
  const slept = runtime.sleep(1_000, abort.signal);
  abort.abort();
  await slept;
  const wallMs = runtime.wallMs();
  runtime.jumpWall(-3_600_000);
  expect([runtime.monotonicMs(), runtime.wallMs() - wallMs]).toEqual([0, -3_600_000]);
  expect(runtime.timers).toBe(0);
});

test("virtual randomness follows the seed", () => {
  const draw = (seed: number) => {
    const runtime = new VirtualRuntime(seed);
    return [runtime.random(), runtime.uuidV7(), ...runtime.randomBytes(4)];
  };
  expect(draw(7)).toEqual(draw(7));
  expect(draw(7)).not.toEqual(draw(8));
});
