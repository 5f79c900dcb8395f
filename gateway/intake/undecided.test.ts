// Later states of orders arrive in their own pushes, before or after the batch's outcome. The
// client receives both, in order.
import { afterEach, expect, test } from "bun:test";
import { order, startTestGateway, type TestGateway, TestSocket } from "../testing.ts";
import { Recent } from "./recent.ts";

const started: TestGateway[] = [];
afterEach(async () => {
  for (const t of started.splice(0)) await t.close();
});

async function start(): Promise<TestGateway> {
  const t = await startTestGateway();
  started.push(t);
  t.broker.answer = undefined;
  return t;
}

/** Ann places an order, and its batch is sent to the broker. */
async function placed(t: TestGateway, socket: TestSocket, n: number, changes = {}) {
  const it = order({ seq: 2, ...changes }) as { id: string };
  socket.send({ type: "order", ref: "r", order: it });
  return { id: it.id, batch: await t.broker.batch(n) };
}

test("released before its outcome, an order is reported parked, then its state", async () => {
  const t = await start();
  const socket = await TestSocket.open(t.gateway.url, "ann");
  const { id, batch } = await placed(t, socket, 0);
  batch.settle("confirmed");
  await socket.next("acks");
  t.broker.tell({ batches: [], released: [["ann", id, "reserved"]] });
  t.broker.tell({ batches: [], released: [["ann", id, "paid"]] });
  t.broker.tell({ batches: [[batch.batch, "parked"]], released: [] });
  expect((await socket.next("outcomes")).outcomes).toEqual([
    [id, "parked"],
    [id, "reserved"],
    [id, "paid"],
  ]);
});

test("released before its batch is confirmed, an order is reported in sequence", async () => {
  const t = await start();
  const socket = await TestSocket.open(t.gateway.url, "ann");
  const { id, batch } = await placed(t, socket, 0);
  t.broker.tell({ batches: [[batch.batch, "parked"]], released: [["ann", id, "sold_out"]] });
  batch.settle("confirmed");
  expect((await socket.next("outcomes")).outcomes).toEqual([
    [id, "parked"],
    [id, "sold_out"],
  ]);
});

test("paid before its outcome arrives, an order is reported reserved, then paid", async () => {
  const t = await start();
  const socket = await TestSocket.open(t.gateway.url, "ann");
  const { id, batch } = await placed(t, socket, 0);
  batch.settle("confirmed");
  await socket.next("acks");
  t.broker.tell({ batches: [], released: [["ann", id, "paid"]] });
  t.broker.tell({ batches: [[batch.batch, "reserved"]], released: [] });
  expect((await socket.next("outcomes")).outcomes).toEqual([
    [id, "reserved"],
    [id, "paid"],
  ]);
});

test("sent again while parked, an order is reported to its last sender", async () => {
  const t = await start();
  const first = await TestSocket.open(t.gateway.url, "ann");
  const { id, batch } = await placed(t, first, 0);
  batch.settle("confirmed");
  t.broker.tell({ batches: [[batch.batch, "parked"]], released: [] });
  expect((await first.next("outcomes")).outcomes).toEqual([[id, "parked"]]);
  first.ws.close();
  const second = await TestSocket.open(t.gateway.url, "ann");
  const again = await placed(t, second, 1, { id });
  again.batch.settle("confirmed");
  t.broker.tell({ batches: [[again.batch.batch, "=parked"]], released: [] });
  t.broker.tell({ batches: [], released: [["ann", id, "reserved"]] });
  const named: unknown[] = [];
  while (named.length < 2) named.push(...((await second.next("outcomes")).outcomes as unknown[]));
  expect(named).toEqual([
    [id, "parked"],
    [id, "reserved"],
  ]);
});

test("the memory of recent orders is bounded, and each is forgotten once", () => {
  const lost: number[] = [];
  const recent = new Recent<number>(100, (value) => lost.push(value));
  for (let i = 0; i < 1_000; i++) recent.set(`k${i}`, i);
  expect(recent.size).toBeLessThanOrEqual(100);
  expect(lost).toEqual(Array.from({ length: 900 }, (_, i) => i));
  recent.set("k990", -1);
  recent.delete("k990");
  expect(recent.get("k990")).toBeUndefined();
  expect(recent.get("k999")).toBe(999);
});
