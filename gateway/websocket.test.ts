import { afterEach, expect, test } from "bun:test";
import { bearer, order, startTestGateway, type TestGateway, TestSocket, token } from "./testing.ts";

const started: TestGateway[] = [];
afterEach(async () => {
  for (const t of started.splice(0)) await t.close();
});

async function start(options?: Parameters<typeof startTestGateway>[0]): Promise<TestGateway> {
  const t = await startTestGateway(options);
  started.push(t);
  return t;
}

test("an order is acknowledged under its ref after the confirm, its outcome follows", async () => {
  const t = await start();
  t.broker.answer = undefined;
  const socket = await TestSocket.open(t.gateway.url, "ann");
  const placed = order();
  socket.send({ type: "order", ref: 'r"1', order: placed });
  const batch = await t.broker.batch(0);
  socket.send({ type: "ping" });
  await socket.next("pong");
  expect(socket.waiting).toEqual([]);
  // The outcome overtakes the confirm on its way here, but not on the way to the client.
  t.broker.tell({ batches: [[batch.batch, "reserved"]], released: [] });
  socket.send({ type: "ping" });
  await socket.next("pong");
  expect(socket.waiting).toEqual([]);
  batch.settle("confirmed");
  expect(await socket.next("acks")).toEqual({ type: "acks", acks: [['r"1', placed.id]], credit: expect.any(Number) });
  expect(await socket.next("outcomes")).toEqual({ type: "outcomes", outcomes: [[placed.id, "reserved"]] });
});

test("a frame of many orders: one ack or nack each, under the frame's ref", async () => {
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

test("what is not confirmed is nacked: unconfirmed with the id, or shed", async () => {
  const t = await start();
  const socket = await TestSocket.open(t.gateway.url, "ann");
  for (const [outcome, code] of [
    ["unknown", "unconfirmed"],
    ["nacked", "unconfirmed"],
    ["unsent", "shed"],
  ] as const) {
    t.broker.answer = outcome;
    const placed = order();
    socket.send({ type: "order", ref: "r", order: placed });
    expect((await socket.next("nacks")).nacks).toEqual([["r", placed.id, expect.objectContaining({ code, status: 503 })]]);
  }
});

test("a skip is acknowledged without an id", async () => {
  const t = await start();
  const socket = await TestSocket.open(t.gateway.url, "ann");
  socket.send({ type: "skip", ref: "s", saleId: "spring", seq: 4 });
  expect((await socket.next("acks")).acks).toEqual([["s", null]]);
  expect(t.broker.rows).toEqual([["s", "ann", "", "", expect.any(Number), "spring", 4]]);
  socket.send({ type: "skip", ref: "s", saleId: "spring" });
  expect((await socket.next("nacks")).nacks).toEqual([["s", null, expect.objectContaining({ field: "seq" })]]);
});

test("a resent order is told the outcome it had, an altered one that it is in conflict; a parked one hears when it is let go", async () => {
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

test("outcomes go to the socket that placed the order, those of unknown batches to nobody", async () => {
  const t = await start();
  const [one, two] = [await TestSocket.open(t.gateway.url, "ann"), await TestSocket.open(t.gateway.url, "ann")];
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

test("a browser shows its token in the first frame, and a later one renews it", async () => {
  const t = await start();
  const socket = await TestSocket.open(t.gateway.url);
  socket.send({ type: "auth", token: await token("ann") });
  expect(await socket.next("ready")).toMatchObject({ user: "ann", credit: expect.any(Number) });
  socket.send({ type: "auth", token: await token("ann", { expiresInS: 7_200 }) });
  expect(await socket.next("ready")).toMatchObject({ user: "ann" });
  socket.send({ type: "auth", token: await token("bob") });
  expect((await socket.next("error")).problem).toMatchObject({ code: "forbidden", field: "token" });
});

test("without a token nothing is taken: a bad one, none in the first frame, or none in time closes the socket", async () => {
  const t = await start({ limits: { authenticateWithinMs: 100 } });
  const bad = await TestSocket.open(t.gateway.url);
  bad.send({ type: "auth", token: "rubbish" });
  expect((await bad.next("error")).problem).toMatchObject({ code: "bad_token" });
  expect((await bad.closed).code).toBe(1008);
  const none = await TestSocket.open(t.gateway.url);
  none.send({ type: "order", ref: "1", order: order() });
  expect((await none.next("error")).problem).toMatchObject({ code: "no_token" });
  expect((await none.closed).code).toBe(1008);
  const silent = await TestSocket.open(t.gateway.url);
  expect((await silent.closed).code).toBe(1008);
  expect(TestSocket.open(t.gateway.url, "ann", { expiresInS: -5 })).rejects.toThrow("refused");
  expect(t.broker.rows).toEqual([]);
});

test("a token that expires while the socket is open is noticed by the next order", async () => {
  let aheadMs = 0;
  const t = await start({ clock: () => Date.now() + aheadMs });
  const socket = await TestSocket.open(t.gateway.url, "ann", { expiresInS: 60 });
  aheadMs = 61_000;
  socket.send({ type: "order", ref: "1", order: order() });
  expect((await socket.next("nacks")).nacks).toEqual([
    ["1", expect.any(String), expect.objectContaining({ code: "token_expired", status: 401 })],
  ]);
});

test("orders beyond the credit are nacked 429 without effect; answered ones give theirs back", async () => {
  const t = await start({ limits: { credit: 2 } });
  t.broker.answer = undefined;
  const socket = await TestSocket.open(t.gateway.url, "ann");
  socket.send({ type: "orders", ref: "r", orders: [order(), order(), order()] });
  expect((await socket.next("nacks")).nacks).toEqual([["r", expect.any(String), expect.objectContaining({ code: "credit", status: 429 })]]);
  const batch = await t.broker.batch(0);
  expect(batch.rows.length).toBe(2);
  batch.settle("confirmed");
  await socket.next("acks");
  socket.send({ type: "orders", ref: "r", orders: [order(), order()] });
  (await t.broker.batch(1)).settle("confirmed");
  expect((await socket.next("acks")).acks).toHaveLength(2);
});

test("garbage is answered with what is wrong, and closes the socket when it goes on", async () => {
  const t = await start();
  const socket = await TestSocket.open(t.gateway.url, "ann");
  const cases: [unknown, string, string?][] = [
    ["{", "malformed"],
    ["[]", "not_an_object"],
    [{}, "missing_field", "type"],
    [{ type: "toString" }, "out_of_range", "type"],
    [{ type: "order", ref: "1", order: {}, extra: 1 }, "unknown_field", "extra"],
    [{ type: "order", order: order() }, "missing_field", "ref"],
    [{ type: "order", ref: "x".repeat(65), order: order() }, "out_of_range", "ref"],
    ['{"type":"ping","type":"order"}', "duplicate_key", "type"],
    [{ type: "orders", ref: "1", orders: [] }, "out_of_range", "orders"],
    [{ type: "auth", token: 1 }, "wrong_type", "token"],
  ];
  for (const [frame, code, field] of cases) {
    socket.send(frame);
    const { problem } = (await socket.next("error")) as unknown as { problem: Record<string, unknown> };
    expect([problem.code, problem.field]).toEqual([code, field]);
  }
  expect((await socket.closed).code).toBe(1008);
  expect(t.broker.rows).toEqual([]);
});

test("a binary frame is garbage, an oversize one closes the socket", async () => {
  const t = await start();
  const binary = await TestSocket.open(t.gateway.url, "ann");
  binary.ws.send(new Uint8Array([1, 2, 3]));
  expect((await binary.next("error")).problem).toMatchObject({ code: "wrong_type" });
  const large = await TestSocket.open(t.gateway.url, "ann");
  large.send("x".repeat(64 * 1024 + 1));
  expect((await large.closed).code).toBe(1009);
});

test("stock is told whole at first and then as it changes", async () => {
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
  expect((await socket.next("error")).problem).toMatchObject({ code: "unknown_sale", field: "saleId" });
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
  expect(await socket.next("stock")).toEqual({ type: "stock", saleId: "spring", items: [["lamp", 99]] });
});

test("a page of another origin is refused; the gateway's own and those allowed are not", async () => {
  const t = await start({ origins: ["https://shop.example"] });
  const headers = {
    ...(await bearer("ann")),
    upgrade: "websocket",
    connection: "Upgrade",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
  };
  const from = (origin: string) => fetch(`${t.gateway.url}/v1/ws`, { headers: { ...headers, origin } });
  const refused = await from("https://evil.example");
  expect([refused.status, await refused.json()]).toEqual([403, expect.objectContaining({ code: "foreign_origin" })]);
  const open = (origin: string) =>
    new Promise<string>((resolve) => {
      const ws = new WebSocket(`${t.gateway.url.replace("http", "ws")}/v1/ws`, { headers: { origin } } as unknown as string[]);
      ws.onopen = () => resolve("open");
      ws.onerror = () => resolve("refused");
    });
  expect(await open("https://shop.example")).toBe("open");
  expect(await open(t.gateway.url)).toBe("open");
  expect(await open("null")).toBe("refused");
});

test("a plain request to the socket's path is 400", async () => {
  const t = await start();
  const response = await fetch(`${t.gateway.url}/v1/ws`);
  expect([response.status, await response.json()]).toEqual([400, expect.objectContaining({ field: "Upgrade" })]);
});

test("closing: orders in flight are acknowledged, later ones shed, then the socket is closed with 1001", async () => {
  const t = await startTestGateway();
  t.broker.answer = undefined;
  const socket = await TestSocket.open(t.gateway.url, "ann");
  const [first, late] = [order(), order()];
  socket.send({ type: "order", ref: "first", order: first });
  const batch = await t.broker.batch(0);
  const closing = t.close();
  socket.send({ type: "order", ref: "late", order: late });
  expect((await socket.next("nacks")).nacks).toEqual([["late", late.id, expect.objectContaining({ code: "shed" })]]);
  batch.settle("confirmed");
  expect((await socket.next("acks")).acks).toEqual([["first", first.id]]);
  expect((await socket.closed).code).toBe(1001);
  await closing;
  expect(t.broker.rows.length).toBe(1);
});

test("a socket that goes away leaves nothing behind; its orders go on", async () => {
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
  expect(await metrics()).toMatch(/verdict="confirmed"\} 1\n/);
  expect(await metrics()).toMatch(/sluice_gateway_undecided_orders\{[^}]*\} 0\n/);
});
