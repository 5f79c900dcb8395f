import { afterEach, expect, test } from "bun:test";
import { bearer, order, startTestGateway, type TestGateway, TestSocket } from "../testing.ts";

let t: TestGateway;
afterEach(async () => t?.close());
const start = async () => {
  t = await startTestGateway();
  return t;
};

/** DELETE as a user; the shard answers `word`. */
async function cancel(id: string, word: string, user = "ann"): Promise<Response> {
  const { gateway, broker } = t;
  const n = broker.published.length;
  const response = fetch(`${gateway.url}/v1/orders/${id}`, {
    method: "DELETE",
    headers: await bearer(user),
  });
  const { batch, rows } = await broker.batch(n);
  expect(rows).toEqual([{ kind: "cancel", user, id, atMs: expect.any(Number) }]);
  broker.tell({ batches: [[batch, word]], released: [] });
  return response;
}

test.each([
  ["+cancelled", 200, { status: "cancelled" }],
  ["=cancelled", 200, { status: "cancelled" }],
  ["+cancel_pending", 202, { status: "cancel_pending" }],
  ["-too_late", 409, { code: "too_late", field: "id" }],
  ["-dispatched", 409, { code: "too_late", detail: "the order is dispatched" }],
  ["-too_many", 429, { code: "too_many_cancels" }],
])("a cancel with the outcome word %s is answered %i", async (word, status, body) => {
  await start();
  const response = await cancel(Bun.randomUUIDv7(), word);
  expect(response.status).toBe(status);
  expect(await response.json()).toMatchObject(body);
});

test("a cancel is published before its answer, which says if it is unconfirmed", async () => {
  const { gateway, broker } = await start();
  broker.answer = "unknown";
  const response = await fetch(`${gateway.url}/v1/orders/${Bun.randomUUIDv7()}`, {
    method: "DELETE",
    headers: await bearer("ann"),
  });
  expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([
    503,
    "unconfirmed",
  ]);
});

test("a cancel with a malformed id or without a token is not published", async () => {
  const { gateway, broker } = await start();
  const bad = await fetch(`${gateway.url}/v1/orders/nonsense`, {
    method: "DELETE",
    headers: await bearer("ann"),
  });
  expect([bad.status, await bad.json()]).toMatchObject([422, { field: "id" }]);
  expect(
    (await fetch(`${gateway.url}/v1/orders/${Bun.randomUUIDv7()}`, { method: "DELETE" })).status,
  ).toBe(401);
  const foreign = await fetch(`${gateway.url}/v1/orders/${Bun.randomUUIDv7()}?user=bob`, {
    method: "DELETE",
    headers: await bearer("ann"),
  });
  expect(foreign.status).toBe(403);
  expect(broker.published).toEqual([]);
});

test("over a WebSocket a cancel is acked once confirmed, and its outcome follows", async () => {
  const { gateway, broker } = await start();
  const socket = await TestSocket.open(gateway.url, "ann");
  const id = Bun.randomUUIDv7();
  socket.send({ type: "cancel", ref: "c1", id });
  expect(await socket.next("acks")).toMatchObject({ acks: [["c1", id]] });
  broker.tell({ batches: [[(await broker.batch(0)).batch, "+cancelled"]], released: [] });
  expect(await socket.next("outcomes")).toMatchObject({ outcomes: [[id, "cancelled"]] });
  socket.send({ type: "cancel", ref: "c2", id });
  await socket.next("acks");
  broker.tell({ batches: [[(await broker.batch(1)).batch, "-too_late"]], released: [] });
  expect(await socket.next("outcomes")).toMatchObject({
    outcomes: [[id, "too_late", "not_cancelled"]],
  });
  socket.send({ type: "cancel", ref: "c3", id: 7 });
  expect(await socket.next("nacks")).toMatchObject({
    nacks: [["c3", null, { code: "out_of_range", field: "id" }]],
  });
});

test("a reserved order's later states reach the socket that placed it", async () => {
  const { gateway, broker } = await start();
  const socket = await TestSocket.open(gateway.url, "ann");
  const placed = order();
  socket.send({ type: "order", ref: "1", order: placed });
  await socket.next("acks");
  broker.tell({ batches: [[(await broker.batch(0)).batch, "reserved"]], released: [] });
  broker.tell({ batches: [], released: [["ann", placed.id as string, "paid"]] });
  const told: string[][] = [];
  while (told.at(-1)?.[1] !== "paid")
    told.push(...((await socket.next("outcomes")).outcomes as string[][]));
  expect(told).toEqual([
    [placed.id as string, "reserved"],
    [placed.id as string, "paid"],
  ]);
});
