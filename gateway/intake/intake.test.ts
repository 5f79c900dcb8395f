import { afterEach, expect, test } from "bun:test";
import { fingerprintOf, type Order } from "../../core/domain/order.ts";
import { userOf } from "../../core/domain/row.ts";
import {
  bearer,
  closeGateways,
  idIn,
  order,
  post,
  start,
  startTestGateway,
  type TestGateway,
  traceIn,
} from "../testing.ts";

afterEach(closeGateways);

/** Characters of unsettled orders. */
const waitingBytes = (t: TestGateway) => t.gateway.report().waitingBytes;

const orders = (t: TestGateway) => `${t.gateway.url}/v1/orders`;

test("an order gets 202 with its place, and is published as a row to its shard", async () => {
  const { gateway, broker } = await start();
  const placed = order({
    seq: 3,
    lines: [
      { sku: "lamp", qty: 2 },
      { sku: "chair", qty: 1 },
    ],
    payment: 'a"b',
    metadata: { gift: true },
    maxTotal: 9,
  });
  const response = await post(`${gateway.url}/v1/orders`, placed, await bearer("ann"));
  expect(response.status).toBe(202);
  expect(response.headers.get("location")).toBe(`/v1/orders/${placed.id}`);
  expect(await response.json()).toEqual({
    id: placed.id,
    status: "accepted",
    estimate: { position: 0, seconds: 0 },
  });
  const taken = { ...placed, user: "ann", metadata: '{"gift":true}' } as unknown as Order;
  expect(broker.rows).toEqual([
    { kind: "order", order: taken, fingerprint: fingerprintOf(taken), atMs: expect.any(Number) },
  ]);
});

test("202 comes only after the confirm", async () => {
  const t = await start();
  t.broker.answer = undefined;
  let answered = false;
  const response = post(orders(t), order(), await bearer("ann")).then((r) => {
    answered = true;
    return r;
  });
  const batch = await t.broker.batch(0);
  // An answer without the confirm would arrive before this one.
  await fetch(`${t.gateway.url}/healthz`);
  expect(answered).toBe(false);
  batch.settle("confirmed");
  expect((await response).status).toBe(202);
});

test("nack, return, no confirm: 503 unconfirmed with the id; unsent: 503 unavailable", async () => {
  const t = await start();
  const headers = await bearer("ann");
  for (const outcome of ["nacked", "returned", "unknown"] as const) {
    t.broker.answer = outcome;
    const placed = order();
    const response = await post(orders(t), placed, headers);
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).toBe("1");
    expect(await response.json()).toMatchObject({
      code: "unconfirmed",
      detail: expect.stringContaining(placed.id as string),
    });
  }
  t.broker.answer = "unsent";
  expect(await (await post(orders(t), order(), headers)).json()).toMatchObject({
    ...{ status: 503, code: "unavailable" },
    detail: expect.stringContaining("no region's broker takes orders"),
  });
});

test("a blocked broker: nothing is published, and the answer does not blame the load", async () => {
  const t = await start();
  t.broker.isBlocked = true;
  const response = await post(orders(t), order(), await bearer("ann"));
  const body = (await response.json()) as { detail: string; estimate: { seconds: number } };
  expect([response.status, body.detail]).toEqual([
    503,
    "no effect: no region's broker takes orders at present; send it again later",
  ]);
  // Clients do not all return at once.
  expect(body.estimate.seconds).toBeWithin(1, 4);
  expect(response.headers.get("retry-after")).toBe(String(body.estimate.seconds));
  expect(t.broker.published).toEqual([]);
});

test("a user's later order is not published before the earlier one is settled", async () => {
  const t = await start();
  t.broker.answer = undefined;
  const headers = await bearer("ann");
  const [one, two] = [order(), order()];
  const first = post(orders(t), one, headers);
  const batch = await t.broker.batch(0);
  const waiting = waitingBytes(t);
  const second = post(orders(t), two, headers);
  // Two turns are enough for it to be published if nothing held it back.
  while (waitingBytes(t) === waiting) await fetch(`${t.gateway.url}/healthz`);
  await fetch(`${t.gateway.url}/healthz`);
  expect(t.broker.published.length).toBe(1);
  batch.settle("unknown");
  expect((await first).status).toBe(503);
  const next = await t.broker.batch(1);
  expect(next.rows.map(idIn)).toEqual([two.id]);
  expect(next.batch).not.toBe(batch.batch);
  next.settle("confirmed");
  expect((await second).status).toBe(202);
});

test("orders that arrive while a batch is in flight share the next one, per shard", async () => {
  const t = await start();
  t.broker.answer = undefined;
  const users = Array.from({ length: 40 }, (_, i) => `user${i}`);
  const headers = await bearer("shop", { scope: "service" });
  const send = (n: number) =>
    Promise.all(users.map((user) => post(orders(t), order({ user, seq: n }), headers)));
  const first = send(1);
  while (new Set(t.broker.published.map((p) => p.shard)).size < 4)
    await t.broker.batch(t.broker.published.length);
  const firstShards = t.broker.published.length;
  const second = send(2);
  // Settles batch after batch as they arrive, until all are answered.
  let settled = 0;
  const settling = Promise.all([first, second]).then((answers) => answers.flat());
  const all = () => t.broker.rows.length === 80;
  while (settled < t.broker.published.length || !all())
    (await t.broker.batch(settled++)).settle("confirmed");
  expect((await settling).every((r) => r.status === 202)).toBe(true);
  expect(firstShards).toBeGreaterThanOrEqual(4);
  expect(t.broker.published.length).toBeLessThan(80);
  for (const user of users) {
    const numbers = t.broker.rows.flatMap((row) =>
      row.kind === "order" && row.order.user === user ? [row.order.seq] : [],
    );
    expect(numbers.toSorted()).toEqual([1, 2]);
  }
});

test("batches are bounded by orders; beyond the waiting bytes orders are shed", async () => {
  const t = await start({ limits: { batchOrders: 2, waitingBytes: 1_300 } });
  t.broker.answer = undefined;
  const headers = await bearer("ann");
  const body = { orders: Array.from({ length: 12 }, () => order()) };
  const answer = post(`${orders(t)}/batch`, body, headers);
  let settled = 0;
  const results = answer.then(
    async (r) => ((await r.json()) as { results: Record<string, unknown>[] }).results,
  );
  let done = false;
  void results.then(() => {
    done = true;
  });
  for (; !done; settled++) {
    const batch = await Promise.race([t.broker.batch(settled), results.then(() => undefined)]);
    batch?.settle("confirmed");
  }
  const got = await results;
  const taken = got.filter((r) => r.status === "accepted").length;
  expect(taken).toBeGreaterThan(2);
  expect(taken).toBeLessThan(12);
  expect(got.slice(taken).every((r) => (r.problem as { code: string }).code === "shed")).toBe(true);
  expect(t.broker.published.every((p) => p.rows.length <= 2)).toBe(true);
  expect(t.broker.rows.map(idIn)).toEqual(body.orders.slice(0, taken).map((o) => o.id));
});

test("a batch gets one result per order, in order; bad ones do not stop good ones", async () => {
  const t = await start();
  const [good, other, bad] = [order(), order(), order({ lines: [] })];
  const response = await post(
    `${orders(t)}/batch`,
    { orders: [good, bad, 7, other] },
    await bearer("ann"),
  );
  expect(response.status).toBe(200);
  expect(await response.json()).toEqual({
    results: [
      { id: good.id, status: "accepted", estimate: expect.anything() },
      { id: bad.id, problem: expect.objectContaining({ code: "out_of_range", field: "lines" }) },
      { id: null, problem: expect.objectContaining({ code: "not_an_object" }) },
      { id: other.id, status: "accepted", estimate: expect.anything() },
    ],
  });
  expect(t.broker.rows.map(idIn)).toEqual([good.id, other.id]);
});

test("the Idempotency-Key replaces the id, and may not contradict it", async () => {
  const t = await start();
  const id = Bun.randomUUIDv7();
  const headers = { ...(await bearer("ann")), "idempotency-key": id };
  expect(await (await post(orders(t), order({ id: undefined }), headers)).json()).toMatchObject({
    id,
  });
  expect((await post(orders(t), order({ id }), headers)).status).toBe(202);
  expect(await (await post(orders(t), order(), headers)).json()).toMatchObject({
    status: 422,
    field: "Idempotency-Key",
  });
});

test("only a service may name the user", async () => {
  const t = await start();
  const named = order({ user: "bob" });
  expect((await post(orders(t), named, await bearer("shop", { scope: "service" }))).status).toBe(
    202,
  );
  expect(t.broker.rows.map(userOf)).toEqual(["bob"]);
  expect(await (await post(orders(t), named, await bearer("ann"))).json()).toMatchObject({
    status: 403,
    field: "user",
  });
});

test("a sale created a moment ago is found by the first order for it", async () => {
  const t = await start();
  const sale = { ...(await t.ledger.sales())[0], id: "flash" } as Awaited<
    ReturnType<typeof t.ledger.sales>
  >[number];
  await t.ledger.operate({ kind: "create", ref: "create flash", sale }, "op");
  // Another refresh may just have happened: then the order is refused, and the next refresh is due
  // only after the minimum interval.
  let response = await post(orders(t), order({ saleId: "flash" }), await bearer("ann"));
  while (response.status === 422)
    response = await post(orders(t), order({ saleId: "flash" }), await bearer("ann"));
  expect(response.status).toBe(202);
});

test("closing: orders in flight are settled and answered, then no more are served", async () => {
  const t = await startTestGateway();
  t.broker.answer = undefined;
  const response = post(orders(t), order(), await bearer("ann"));
  const batch = await t.broker.batch(0);
  const closing = t.close();
  batch.settle("confirmed");
  expect((await response).status).toBe(202);
  await closing;
  expect(fetch(`${t.gateway.url}/healthz`)).rejects.toThrow();
});

test("several gateways share a port", async () => {
  const first = await start({ reusePort: true });
  const second = await start({ reusePort: true, port: first.gateway.port, id: "gw-test-2" });
  expect(second.gateway.port).toBe(first.gateway.port);
  await first.gateway.close();
  expect((await post(orders(second), order(), await bearer("ann"))).status).toBe(202);
});

test("a request's trace is passed on with its orders; an invalid one is ignored", async () => {
  const { gateway, broker } = await start();
  const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const token = await bearer("ann");
  const send = (path: string, body: unknown, traceparent: string) =>
    fetch(`${gateway.url}${path}`, {
      method: "POST",
      headers: { ...token, traceparent, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  expect((await send("/v1/orders", order(), trace)).status).toBe(202);
  expect((await send("/v1/orders/batch", { orders: [order(), order()] }, trace)).status).toBe(200);
  expect((await send("/v1/orders", order(), trace.toUpperCase())).status).toBe(202);
  expect(broker.rows.map(traceIn)).toEqual([trace, trace, trace, undefined]);
});
