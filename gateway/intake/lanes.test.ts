import { expect, test } from "bun:test";
import type { LaneLimits } from "../../broker/lanes.ts";
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
const ROOMY = { batchOrders: 500, batchBytes: 90_000 };
/** The longest that a small batch waits. */
const PACE_MS = 30;
/** A batch with this many rows does not wait. */
const ENOUGH = 100;

const numberOf = (row: Row) => (row.kind === "skip" ? row.seq : 0);

/** Lanes whose batches the test confirms. */
function rig({ shards = 1, bounds = {} }: { shards?: number; bounds?: Partial<LaneLimits> } = {}) {
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
    shards,
    limits: { ...limits, ...bounds },
    paceMs: () => PACE_MS,
    publish,
    numberPrefix: "",
    onSending() {},
    onSettled() {},
  });
  const addTo = (shard: number, ...rows: number[]) => {
    for (const seq of rows)
      lanes.add(shard, skipRow({ user: "ann", saleId: "s", seq }, 0), nobody, undefined);
  };
  const add = (...rows: number[]) => addTo(0, ...rows);
  return { runtime, lanes, sent, lengths, add, addTo, confirm: () => confirms.shift()?.() };
}

/** Rows so fast that batches leave at the full pace from now on. */
async function underLoad(it: ReturnType<typeof rig>): Promise<void> {
  for (let i = 0; i < 10; i++) {
    it.add(...Array.from({ length: ENOUGH }, () => 0));
    await it.runtime.advance(1);
    it.confirm();
  }
  await it.runtime.advance(0);
  it.sent.splice(0);
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
  await runtime.advance(0);
  expect(sent).toEqual([[1, 2], [3]]);
  confirm();
  await runtime.advance(0);
  await lanes.idle();
});

test("an order that finds no load waits for nothing, at 50 orders a second", async () => {
  const { runtime, sent, add, confirm } = rig();
  for (let i = 1; i <= 100; i++) {
    add(i);
    await runtime.advance(0);
    expect(sent).toHaveLength(i);
    await runtime.advance(5);
    confirm();
    await runtime.advance(15);
  }
});

test("under load the lanes send small batches together, one round in each interval", async () => {
  const it = rig({ shards: 2, bounds: ROOMY });
  const { runtime, sent, addTo, confirm } = it;
  await underLoad(it);
  for (let ms = 0; ms < 10 * PACE_MS; ms++) {
    addTo(ms % 2, ms);
    await runtime.advance(1);
    confirm();
    confirm();
  }
  expect(sent.length).toBeLessThanOrEqual(22);
  const most = Math.max(...sent.map((rows) => rows.length));
  expect(most).toBe(PACE_MS / 2);
});

test("under load a batch leaves at once when it has enough rows", async () => {
  const it = rig({ bounds: ROOMY });
  await underLoad(it);
  it.add(...Array.from({ length: ENOUGH - 1 }, () => 1));
  await it.runtime.advance(1);
  expect(it.sent).toEqual([]);
  it.add(1);
  await it.runtime.advance(0);
  expect(it.sent.map((rows) => rows.length)).toEqual([ENOUGH]);
});

test("under load full batches leave at once, one after the other", async () => {
  const it = rig({ bounds: { ...ROOMY, batchOrders: 120 } });
  const { runtime, sent, add, confirm } = it;
  await underLoad(it);
  add(1);
  await runtime.advance(1);
  expect(sent).toEqual([]);
  add(...Array.from({ length: 248 }, () => 2));
  await runtime.advance(0);
  expect(sent.map((rows) => rows.length)).toEqual([120]);
  confirm();
  await runtime.advance(0);
  expect(sent.map((rows) => rows.length)).toEqual([120, 120]);
  confirm();
  await runtime.advance(PACE_MS);
  expect(sent.map((rows) => rows.length)).toEqual([120, 120, 9]);
});

test("lanes that are closing under load are idle within an interval", async () => {
  const it = rig({ bounds: ROOMY });
  await underLoad(it);
  it.add(1);
  let idle = false;
  void it.lanes.idle().then(() => {
    idle = true;
  });
  await it.runtime.advance(PACE_MS);
  it.confirm();
  await it.runtime.advance(0);
  expect([it.sent, idle]).toEqual([[[1]], true]);
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
      await runtime.advance(PACE_MS);
      confirm();
    }
    confirm();
    await runtime.advance(PACE_MS);
    await lanes.idle();
    for (const length of lengths) expect(length).toBeLessThan(limits.batchBytes + FRAME);
    expect(lanes.waitingBytes).toBe(0);
  }
});
