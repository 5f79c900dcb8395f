import { expect, test } from "bun:test";
import { VirtualRuntime } from "../../core/runtime/testing.ts";
import type { Recipient } from "./batch.ts";
import { Lanes, type LanesOptions } from "./lanes.ts";

const nobody: Recipient = { follows: false, settled() {}, decided() {}, forgotten() {} };
const limits = { batchOrders: 3, batchBytes: 1_000, waitingBytes: 10_000 };
const LINGER_MS = 30;
/** What a small batch waits behind a confirm. */
const NEXT_MS = 5;

/** Lanes whose batches the test confirms. */
function rig(lingerMs?: () => number) {
  const runtime = new VirtualRuntime();
  const sent: string[] = [];
  const confirms: (() => void)[] = [];
  const publish: LanesOptions["publish"] = (_, body) => {
    sent.push(body.toString());
    return new Promise((resolve) => confirms.push(() => resolve("confirmed")));
  };
  const lanes = new Lanes({
    runtime,
    shards: 1,
    limits,
    publish,
    numberPrefix: "",
    onSending() {},
    onSettled() {},
    ...(lingerMs ? { lingerMs } : {}),
  });
  const add = (...rows: number[]) => {
    for (const row of rows) lanes.add(0, String(row), "ann", `${row}`, nobody, undefined);
  };
  return { runtime, lanes, sent, add, confirm: () => confirms.shift()?.() };
}

test("rows of one round share a message, the next one goes when it is confirmed", async () => {
  const { runtime, sent, add, confirm, lanes } = rig();
  add(1, 2);
  await runtime.advance(0);
  expect(sent).toEqual(["[1,2]"]);
  add(3);
  await runtime.advance(1_000);
  expect(sent).toEqual(["[1,2]"]);
  confirm();
  await runtime.advance(NEXT_MS);
  expect(sent).toEqual(["[1,2]", "[3]"]);
  confirm();
  await runtime.advance(NEXT_MS);
  await lanes.idle();
});

test("lingering lets rows of later rounds share a message; full batches do not wait", async () => {
  const { runtime, sent, add, confirm, lanes } = rig(() => LINGER_MS);
  add(1);
  await runtime.advance(LINGER_MS - 1);
  add(2);
  expect(sent).toEqual([]);
  await runtime.advance(1);
  expect(sent).toEqual(["[1,2]"]);
  add(3);
  confirm();
  await runtime.advance(LINGER_MS - 1);
  add(4);
  await runtime.advance(1);
  expect(sent.at(-1)).toBe("[3,4]");
  add(5, 6, 7, 8);
  confirm();
  await runtime.advance(0);
  expect(sent.at(-1)).toBe("[5,6,7]");
  confirm();
  await runtime.advance(LINGER_MS);
  expect(sent.at(-1)).toBe("[8]");
  confirm();
  await runtime.advance(LINGER_MS);
  await lanes.idle();
});
