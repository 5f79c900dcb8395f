import { expect, test } from "bun:test";
import type { Recipient } from "./batch.ts";
import { Lanes, type LanesOptions } from "./lanes.ts";

const nobody: Recipient = { follows: false, settled() {}, decided() {}, forgotten() {} };
const limits = { batchOrders: 3, batchBytes: 1_000, waitingBytes: 10_000 };
const round = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Lanes whose batches the test confirms. */
function rig(lingerMs?: () => number) {
  const sent: string[] = [];
  const confirms: (() => void)[] = [];
  const next: (() => void)[] = [];
  const publish: LanesOptions["publish"] = (_, body) => {
    sent.push(body.toString());
    for (const resolve of next.splice(0)) resolve();
    return new Promise((resolve) => confirms.push(() => resolve("confirmed")));
  };
  const lanes = new Lanes({
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
  return {
    lanes,
    sent,
    add,
    confirm: () => confirms.shift()?.(),
    published: () => new Promise<void>((resolve) => next.push(resolve)),
  };
}

test("rows of one round share a message, the next one goes when it is confirmed", async () => {
  const { sent, add, confirm, published, lanes } = rig();
  add(1, 2);
  await round();
  expect(sent).toEqual(["[1,2]"]);
  add(3);
  const second = published();
  confirm();
  await second;
  expect(sent).toEqual(["[1,2]", "[3]"]);
  confirm();
  await lanes.idle();
});

test("lingering lets rows of later rounds share a message; full batches do not wait", async () => {
  const { sent, add, confirm, published, lanes } = rig(() => 30);
  const first = published();
  add(1);
  await round();
  await round();
  add(2);
  expect(sent).toEqual([]);
  await first;
  expect(sent).toEqual(["[1,2]"]);
  add(3);
  const second = published();
  confirm();
  await round();
  await round();
  add(4);
  await second;
  expect(sent.at(-1)).toBe("[3,4]");
  add(5, 6, 7, 8);
  confirm();
  await round();
  expect(sent.at(-1)).toBe("[5,6,7]");
  const last = published();
  confirm();
  await last;
  expect(sent.at(-1)).toBe("[8]");
  confirm();
  await lanes.idle();
});
