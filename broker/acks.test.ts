import { expect, test } from "bun:test";
import { Pacer } from "../core/runtime/pacer.ts";
import { VirtualRuntime } from "../core/runtime/testing.ts";
import { OrderedAcks } from "./acks.ts";

const PACE_MS = 100;

function rig() {
  const runtime = new VirtualRuntime();
  const pacer = new Pacer({ runtime, mostMs: () => PACE_MS, fullFrom: 50 });
  const sent: number[] = [];
  const acks = new OrderedAcks((tag) => sent.push(tag), pacer);
  let tag = 0;
  const message = () => {
    acks.expect(++tag);
    acks.settle(tag);
  };
  return { runtime, acks, sent, message };
}

/** A message every 20 ms. */
async function load(it: ReturnType<typeof rig>, messages: number): Promise<void> {
  for (let i = 0; i < messages; i++) {
    it.message();
    await it.runtime.advance(20);
  }
}

test("a single message is acknowledged at once", async () => {
  const it = rig();
  it.message();
  await it.runtime.advance(0);
  expect(it.sent).toEqual([1]);
});

test("under load one acknowledgement stands for the messages of an interval", async () => {
  const it = rig();
  await load(it, 50);
  it.sent.splice(0);
  await load(it, 50);
  await it.runtime.advance(PACE_MS);
  expect(it.sent.length).toBeLessThanOrEqual(1_000 / PACE_MS + 2);
  expect(it.sent.at(-1)).toBe(100);
});

test("messages in quick succession do not use up the prefetch", async () => {
  const it = rig();
  await load(it, 50);
  await it.runtime.advance(PACE_MS);
  it.message();
  await it.runtime.advance(0);
  it.sent.splice(0);
  for (let i = 0; i < 10; i++) it.message();
  await it.runtime.advance(0);
  expect(it.sent).toEqual([61]);
});

test("nothing is acknowledged beyond the first message that is not settled", async () => {
  const it = rig();
  for (const tag of [1, 2, 3]) it.acks.expect(tag);
  it.acks.settle(3);
  it.acks.settle(1);
  await it.runtime.advance(PACE_MS);
  expect(it.sent).toEqual([1]);
  it.acks.settle(2);
  await it.runtime.advance(PACE_MS);
  expect(it.sent).toEqual([1, 3]);
});

test("a flush acknowledges what waits, once", async () => {
  const it = rig();
  await load(it, 50);
  it.message();
  it.sent.splice(0);
  it.acks.flush();
  expect(it.sent).toEqual([51]);
  await it.runtime.advance(2 * PACE_MS);
  expect(it.sent).toEqual([51]);
});
