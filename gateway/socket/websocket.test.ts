import { afterEach, expect, test } from "bun:test";
import {
  closeGateways,
  order,
  start,
  startTestGateway,
  TestSocket,
  token,
  traceIn,
} from "../testing.ts";

afterEach(closeGateways);

test("an order is acknowledged with its ref after the confirm, its outcome follows", async () => {
  const t = await start();
  t.broker.answer = undefined;
  const socket = await TestSocket.open(t.gateway.url, "ann");
  const placed = order();
  socket.send({ type: "order", ref: 'r"1', order: placed });
  const batch = await t.broker.batch(0);
  socket.send({ type: "ping" });
  await socket.next("pong");
  expect(socket.waiting).toEqual([]);
  // The outcome arrives before the confirm, but must not reach the client first.
  t.broker.tell({ batches: [[batch.batch, "reserved"]], released: [] });
  socket.send({ type: "ping" });
  await socket.next("pong");
  expect(socket.waiting).toEqual([]);
  batch.settle("confirmed");
  const acked = {
    type: "acks",
    acks: [['r"1', placed.id]],
    credit: expect.any(Number),
    estimate: { position: 0, seconds: 0 },
  };
  expect(await socket.next("acks")).toEqual(acked);
  expect(await socket.next("outcomes")).toEqual({
    type: "outcomes",
    outcomes: [[placed.id, "reserved"]],
  });
});

test("a frame of many orders: one ack or nack each, with the frame's ref", async () => {
  const t = await start();
  const socket = await TestSocket.open(t.gateway.url, "ann");
  const [a, b, bad] = [order(), order(), order({ currency: "XXX" })];
  socket.send({ type: "orders", ref: "m", orders: [a, bad, b] });
  expect((await socket.next("acks")).acks).toEqual([
    ["m", a.id],
    ["m", b.id],
  ]);
  expect((await socket.next("nacks")).nacks).toEqual([
    ["m", bad.id, expect.objectContaining({ code: "unknown_currency", field: "currency" })],
  ]);
});

test("acks of one batch come in one frame", async () => {
  const t = await start();
  t.broker.answer = undefined;
  const socket = await TestSocket.open(t.gateway.url, "ann");
  for (let i = 0; i < 50; i++) socket.send({ type: "order", ref: String(i), order: order() });
  const acked: unknown[] = [];
  let frames = 0;
  for (let n = 0; acked.length < 50; n++) {
    (await t.broker.batch(n)).settle("confirmed");
    acked.push(...((await socket.next("acks")).acks as [string, string][]).map(([ref]) => ref));
    frames++;
  }
  expect(acked).toEqual(Array.from({ length: 50 }, (_, i) => String(i)));
  expect(frames).toBe(t.broker.published.length);
});

test("without a confirm an order is nacked: unconfirmed with its id, or unavailable", async () => {
  const t = await start();
  const socket = await TestSocket.open(t.gateway.url, "ann");
  for (const [outcome, code] of [
    ["unknown", "unconfirmed"],
    ["nacked", "unconfirmed"],
    ["unsent", "unavailable"],
  ] as const) {
    t.broker.answer = outcome;
    const placed = order();
    socket.send({ type: "order", ref: "r", order: placed });
    expect((await socket.next("nacks")).nacks).toEqual([
      ["r", placed.id, expect.objectContaining({ code, status: 503 })],
    ]);
  }
});

test("a skip is acknowledged without an id", async () => {
  const t = await start();
  const socket = await TestSocket.open(t.gateway.url, "ann");
  socket.send({ type: "skip", ref: "s", saleId: "spring", seq: 4 });
  expect((await socket.next("acks")).acks).toEqual([["s", null]]);
  expect(t.broker.rows).toEqual([
    { kind: "skip", user: "ann", saleId: "spring", seq: 4, atMs: expect.any(Number) },
  ]);
  socket.send({ type: "skip", ref: "s", saleId: "spring" });
  expect((await socket.next("nacks")).nacks).toEqual([
    ["s", null, expect.objectContaining({ field: "seq" })],
  ]);
});

test("a resent order gets its old outcome, an altered one conflict, a parked one two", async () => {
  const t = await start();
  const socket = await TestSocket.open(t.gateway.url, "ann");
  const [resent, altered, early] = [order(), order(), order({ seq: 2 })];
  socket.send({ type: "orders", ref: "r", orders: [resent, altered, early] });
  await socket.next("acks");
  const { batch } = await t.broker.batch(0);
  t.broker.tell({ batches: [[batch, "=sold_out,!reserved,parked"]], released: [] });
  expect((await socket.next("outcomes")).outcomes).toEqual([
    [resent.id, "sold_out"],
    [altered.id, "reserved", "conflict"],
    [early.id, "parked"],
  ]);
  t.broker.tell({ batches: [], released: [["ann", early.id as string, "reserved"]] });
  expect((await socket.next("outcomes")).outcomes).toEqual([[early.id, "reserved"]]);
});

test("outcomes go to the socket that placed the order; unknown batches are ignored", async () => {
  const t = await start();
  const [one, two] = [
    await TestSocket.open(t.gateway.url, "ann"),
    await TestSocket.open(t.gateway.url, "ann"),
  ];
  one.send({ type: "order", ref: "1", order: order() });
  await one.next("acks");
  two.send({ type: "order", ref: "2", order: order() });
  await two.next("acks");
  const batch = await t.broker.batch(1);
  t.broker.tell({
    batches: [
      ["other-1", "reserved"],
      [batch.batch, "reserved"],
    ],
    released: [["ann", "x", "reserved"]],
  });
  await two.next("outcomes");
  one.send({ type: "ping" });
  await one.next("pong");
  expect([one.waiting, two.waiting]).toEqual([[], []]);
});

test("a browser sends its token in the first frame, and a later one renews it", async () => {
  const t = await start();
  const socket = await TestSocket.open(t.gateway.url);
  socket.send({ type: "auth", token: await token("ann") });
  expect(await socket.next("ready")).toMatchObject({ user: "ann", credit: expect.any(Number) });
  socket.send({ type: "auth", token: await token("ann", { expiresInS: 7_200 }) });
  expect(await socket.next("ready")).toMatchObject({ user: "ann" });
  socket.send({ type: "auth", token: await token("bob") });
  expect((await socket.next("error")).problem).toMatchObject({ code: "forbidden", field: "token" });
});

test("stock comes in full at first, then as it changes", async () => {
  let available = 100;
  const stockOf = () =>
    Promise.resolve(
      ["lamp", "chair"].map((sku) => ({
        sku,
        initial: 100,
        restocked: 0,
        available: sku === "lamp" ? available : 5,
        releasing: 0,
        held: 0,
        sold: 0,
      })),
    );
  const t = await start({ stockOf });
  const socket = await TestSocket.open(t.gateway.url, "ann");
  socket.send({ type: "subscribe", saleId: "nope" });
  expect((await socket.next("error")).problem).toMatchObject({
    code: "unknown_sale",
    field: "saleId",
  });
  socket.send({ type: "subscribe", saleId: "spring" });
  expect(await socket.next("stock")).toEqual({
    type: "stock",
    saleId: "spring",
    items: [
      ["lamp", 100],
      ["chair", 5],
    ],
  });
  available = 99;
  expect(await socket.next("stock")).toEqual({
    type: "stock",
    saleId: "spring",
    items: [["lamp", 99]],
  });
});

test("closing: orders in flight are acknowledged, later ones refused; close 1001", async () => {
  const t = await startTestGateway();
  t.broker.answer = undefined;
  const socket = await TestSocket.open(t.gateway.url, "ann");
  const [first, late] = [order(), order()];
  socket.send({ type: "order", ref: "first", order: first });
  const batch = await t.broker.batch(0);
  const closing = t.close();
  socket.send({ type: "order", ref: "late", order: late });
  expect((await socket.next("nacks")).nacks).toEqual([
    ["late", late.id, expect.objectContaining({ code: "unavailable" })],
  ]);
  batch.settle("confirmed");
  expect((await socket.next("acks")).acks).toEqual([["first", first.id]]);
  expect((await socket.closed).code).toBe(1001);
  await closing;
  expect(t.broker.rows.length).toBe(1);
});

test("a closed socket leaves nothing behind; its orders continue", async () => {
  const t = await start();
  t.broker.answer = undefined;
  const socket = await TestSocket.open(t.gateway.url, "ann");
  socket.send({ type: "subscribe", saleId: "spring" });
  await socket.next("stock");
  socket.send({ type: "order", ref: "1", order: order() });
  const batch = await t.broker.batch(0);
  (socket.ws as unknown as { terminate(): void }).terminate();
  const metrics = async () => await (await fetch(`${t.gateway.url}/metrics`)).text();
  while (!/sluice_gateway_sockets\{[^}]*\} 0\n/.test(await metrics()));
  batch.settle("confirmed");
  t.broker.tell({ batches: [[batch.batch, "reserved"]], released: [] });
  expect(await metrics()).toMatch(/orders_accepted_total\{[^}]*\} 1\n/);
  expect(await metrics()).toMatch(/sluice_gateway_undecided_orders\{[^}]*\} 0\n/);
});

test("a frame names its orders' trace; an invalid one is ignored", async () => {
  const t = await start();
  const socket = await TestSocket.open(t.gateway.url, "ann");
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  socket.send({ type: "order", ref: "1", order: order(), traceparent });
  await socket.next("acks");
  socket.send({ type: "orders", ref: "2", orders: [order()], traceparent: 7 });
  await socket.next("acks");
  expect(t.broker.rows.map(traceIn)).toEqual([traceparent, undefined]);
});
