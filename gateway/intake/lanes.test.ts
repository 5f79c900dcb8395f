import { expect, test } from "bun:test";
import { allRows, readMessage } from "../../core/domain/message.ts";
import {
  MAX_LINES,
  MAX_MONEY_MINOR,
  MAX_QTY,
  MAX_SEQ,
  type Order,
} from "../../core/domain/order.ts";
import { type Row, skipRow } from "../../core/domain/row.ts";
import { VirtualRuntime } from "../../core/runtime/testing.ts";
import type { Recipient } from "./batch.ts";
import { Lanes, type LanesOptions } from "./lanes.ts";

const nobody: Recipient = { follows: false, settled() {}, decided() {}, forgotten() {} };
const limits = { batchOrders: 3, batchBytes: 12_000, waitingBytes: 100_000 };
const LINGER_MS = 30;
/** How long a small batch waits after a confirm. */
const NEXT_MS = 5;

const numberOf = (row: Row) => (row.kind === "skip" ? row.seq : 0);

/** Lanes whose batches the test confirms. */
function rig(lingerMs?: () => number) {
  const runtime = new VirtualRuntime();
  const sent: number[][] = [];
  const lengths: number[] = [];
  const confirms: (() => void)[] = [];
  const publish: LanesOptions["publish"] = (_, body) => {
    lengths.push(body.length);
    sent.push(allRows(readMessage(body.toString())).map(numberOf));
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
    for (const seq of rows)
      lanes.add(0, skipRow({ user: "ann", saleId: "s", seq }, 0), nobody, undefined);
  };
  return { runtime, lanes, sent, lengths, add, confirm: () => confirms.shift()?.() };
}

test("rows of one turn share a message; the next one follows its confirm", async () => {
  const { runtime, sent, add, confirm, lanes } = rig();
  add(1, 2);
  await runtime.advance(0);
  expect(sent).toEqual([[1, 2]]);
  add(3);
  await runtime.advance(1_000);
  expect(sent).toEqual([[1, 2]]);
  confirm();
  await runtime.advance(NEXT_MS);
  expect(sent).toEqual([[1, 2], [3]]);
  confirm();
  await runtime.advance(NEXT_MS);
  await lanes.idle();
});

test("with lingering, rows of later turns share a message; full batches do not wait", async () => {
  const { runtime, sent, add, confirm, lanes } = rig(() => LINGER_MS);
  add(1);
  await runtime.advance(LINGER_MS - 1);
  add(2);
  expect(sent).toEqual([]);
  await runtime.advance(1);
  expect(sent).toEqual([[1, 2]]);
  add(3);
  confirm();
  await runtime.advance(LINGER_MS - 1);
  add(4);
  await runtime.advance(1);
  expect(sent.at(-1)).toEqual([3, 4]);
  add(5, 6, 7, 8);
  confirm();
  await runtime.advance(0);
  expect(sent.at(-1)).toEqual([5, 6, 7]);
  confirm();
  await runtime.advance(LINGER_MS);
  expect(sent.at(-1)).toEqual([8]);
  confirm();
  await runtime.advance(LINGER_MS);
  await lanes.idle();
});

/** Characters of the columns' names. */
const FRAME = 300;
const MARKS = '"\\'.repeat(8);

/** The largest order that the gateway accepts, or the smallest. */
function orderOf(large: boolean): Order {
  const lines = Array.from({ length: large ? MAX_LINES : 1 }, (_, i) => ({
    sku: large ? `${i}`.padStart(64, "s") : "a",
    qty: large ? MAX_QTY : 1,
  }));
  return {
    user: large ? "u".repeat(64) : "u",
    id: Bun.randomUUIDv7(),
    saleId: large ? "s".repeat(64) : "s",
    seq: large ? MAX_SEQ : 0,
    currency: "EUR",
    lines,
    payment: large ? MARKS.repeat(16) : "",
    metadata: large ? JSON.stringify(MARKS.repeat(31)) : "",
    maxTotal: large ? MAX_MONEY_MINOR : 0,
  };
}

test("no message exceeds its bound, whatever its orders hold, and room is returned", async () => {
  for (const mixed of [false, true]) {
    const { runtime, lanes, sent, lengths, confirm } = rig();
    const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    for (let i = 0; i < 12; i++) {
      const large = !mixed || i % 3 === 0;
      const taken = lanes.order(0, orderOf(large), 1e13, large ? trace : undefined, nobody, 0);
      expect(taken).toBe(true);
    }
    expect(lanes.waitingBytes).toBeGreaterThan(0);
    while (sent.flat().length < 12) {
      await runtime.advance(NEXT_MS);
      confirm();
    }
    confirm();
    await runtime.advance(NEXT_MS);
    await lanes.idle();
    for (const length of lengths) expect(length).toBeLessThan(limits.batchBytes + FRAME);
    expect(lanes.waitingBytes).toBe(0);
  }
});
