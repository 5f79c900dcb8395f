import { afterEach, expect, test } from "bun:test";
import type { StoredOrder } from "../../ledger/contract.ts";
import { bearer, closeGateways, order, post, start, type TestGateway } from "../testing.ts";
import { OPENAPI } from "./openapi.ts";

afterEach(closeGateways);

async function get(t: TestGateway, path: string, headers: Record<string, string> = {}) {
  const response = await t.gateway.app.request(path, { headers }, { peer: "192.0.2.7" });
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as Record<string, unknown>,
  };
}

/** Orders as the ledger would return them, newest id first. */
function stored(user: string, count: number): StoredOrder[] {
  const base = {
    saleId: "spring",
    seq: 0,
    state: "reserved" as const,
    fingerprint: "f",
    acceptedAtMs: 1_000,
    decidedAtMs: 2_000,
    first: { state: "reserved" as const, atMs: 2_000 },
    shard: 0,
  };
  const rest = {
    currency: "EUR",
    lines: [{ sku: "lamp", qty: 1 }],
    payment: "secret",
    metadata: '{"a":1}',
    maxTotal: 0,
    traceparent: "",
  };
  return Array.from({ length: count }, () => ({
    user,
    id: Bun.randomUUIDv7(),
    ...base,
    ...rest,
  })).reverse();
}

function ledgerWith(t: TestGateway, orders: StoredOrder[]): void {
  t.ledger.order = (user, id) =>
    Promise.resolve(orders.find((o) => o.user === user && o.id === id));
  t.ledger.orderPage = (user, { limit, before, state, saleId }) => {
    const mine = orders.filter(
      (o) =>
        o.user === user &&
        (before === undefined || o.id < before) &&
        (state === undefined || o.state === state) &&
        (saleId === undefined || o.saleId === saleId),
    );
    const page = mine.slice(0, limit);
    const next = mine.length > limit ? page.at(-1)?.id : undefined;
    return Promise.resolve({ orders: page, ...(next === undefined ? {} : { before: next }) });
  };
}

test("the accepting gateway shows an undecided order, and only to its user", async () => {
  const t = await start();
  const placed = order();
  await post(`${t.gateway.url}/v1/orders`, placed, await bearer("ann"));
  expect(await get(t, `/v1/orders/${placed.id}`, await bearer("ann"))).toMatchObject({
    status: 200,
    body: { id: placed.id, status: "accepted" },
  });
  const foreign = await get(t, `/v1/orders/${placed.id}`, await bearer("bob"));
  expect(foreign).toMatchObject({ status: 404, body: { code: "not_known_yet" } });
  expect(foreign.headers.get("retry-after")).toBe("1");
});

test("an unconfirmed order is not shown as accepted", async () => {
  const t = await start();
  t.broker.answer = "unknown";
  const placed = order();
  expect((await post(`${t.gateway.url}/v1/orders`, placed, await bearer("ann"))).status).toBe(503);
  expect((await get(t, `/v1/orders/${placed.id}`, await bearer("ann"))).status).toBe(404);
});

test("memory is bounded: the oldest undecided order is forgotten first", async () => {
  const t = await start({ limits: { undecidedOrders: 2 } });
  const placed = [order(), order(), order()];
  for (const o of placed) await post(`${t.gateway.url}/v1/orders`, o, await bearer("ann"));
  const headers = await bearer("ann");
  const statuses = await Promise.all(
    placed.map(async (o) => (await get(t, `/v1/orders/${o.id}`, headers)).status),
  );
  expect(statuses).toEqual([404, 200, 200]);
});

test("a decided order is shown from the ledger with its events, without its token", async () => {
  const t = await start();
  const [mine] = stored("ann", 1) as [StoredOrder];
  ledgerWith(t, [mine]);
  t.ledger.events = () => Promise.resolve([{ atMs: 3_000, event: "paid", detail: "" }]);
  const { body } = await get(t, `/v1/orders/${mine.id}`, await bearer("ann"));
  expect(body).toMatchObject({
    id: mine.id,
    status: "reserved",
    metadata: { a: 1 },
    events: [
      { at: "1970-01-01T00:00:02.000Z", event: "reserved" },
      { at: "1970-01-01T00:00:03.000Z", event: "paid" },
    ],
  });
  expect(JSON.stringify(body)).not.toContain("secret");
});

test("a waiting order shows what it waits for, and no decision time yet", async () => {
  const t = await start();
  const [unnumbered, numbered, foreign, lined, charged] = stored("ann", 5) as [
    StoredOrder,
    StoredOrder,
    StoredOrder,
    StoredOrder,
    StoredOrder,
  ];
  const parked = { state: "parked", decidedAtMs: undefined } as const;
  ledgerWith(t, [
    { ...unnumbered, ...parked, currency: "USD" },
    { ...numbered, ...parked, seq: 2 },
    { ...foreign, ...parked, seq: 2, currency: "USD" },
    lined,
    charged,
  ]);
  t.ledger.bill = (_, id) =>
    Promise.resolve({ amount: 1, currency: "EUR", waits: id === lined.id });
  const headers = await bearer("ann");
  const shown = async ({ id }: StoredOrder) => (await get(t, `/v1/orders/${id}`, headers)).body;
  for (const [order, waitsFor] of [
    [unnumbered, "rate"],
    [numbered, "number"],
    [foreign, "number_or_rate"],
  ] as const) {
    expect(await shown(order)).toMatchObject({ status: "parked", waitsFor });
    expect(await shown(order)).not.toHaveProperty("decidedAt");
  }
  const decidedAt = "1970-01-01T00:00:02.000Z";
  expect(await shown(lined)).toMatchObject({ waitsFor: "earlier_charge", decidedAt });
  expect(await shown(charged)).toMatchObject({ status: "reserved", decidedAt });
  expect(await shown(charged)).not.toHaveProperty("waitsFor");
});

test("a user's orders come in pages, newest first", async () => {
  const t = await start();
  const orders = stored("ann", 5);
  ledgerWith(t, [...orders, ...stored("bob", 3)]);
  t.ledger.bills = (of) =>
    Promise.resolve(of.map(() => ({ amount: 100, currency: "EUR", waits: false })));
  const headers = await bearer("ann");
  const seen: unknown[] = [];
  let query = "";
  for (;;) {
    const { body } = await get(t, `/v1/orders?limit=2${query}`, headers);
    const page = body.orders as { id: string; amount: number }[];
    expect(page.every(({ amount }) => amount === 100)).toBe(true);
    seen.push(...page.map(({ id }) => id));
    if (body.before === undefined) break;
    query = `&before=${body.before}`;
  }
  expect(seen).toEqual(orders.map((o) => o.id));
});

test("a list can be of one status or one sale", async () => {
  const t = await start();
  const [paid, reserved, other] = stored("ann", 3) as [StoredOrder, StoredOrder, StoredOrder];
  ledgerWith(t, [{ ...paid, state: "paid" }, reserved, { ...other, saleId: "autumn" }]);
  const headers = await bearer("ann");
  const listed = async (query: string) =>
    ((await get(t, `/v1/orders?${query}`, headers)).body.orders as { id: string }[]).map(
      ({ id }) => id,
    );
  expect(await listed("status=paid")).toEqual([paid.id]);
  expect(await listed("saleId=autumn")).toEqual([other.id]);
  expect(await listed("status=paid&saleId=autumn")).toEqual([]);
});

test("other users' orders are for services and operators only", async () => {
  const t = await start();
  ledgerWith(t, stored("ann", 1));
  expect(await get(t, "/v1/orders?user=ann", await bearer("bob"))).toMatchObject({
    status: 403,
    body: { field: "user" },
  });
  for (const scope of ["service", "operator"])
    expect(
      (await get(t, "/v1/orders?user=ann", await bearer("bob", { scope }))).body.orders,
    ).toHaveLength(1);
});

test("invalid ids and parameters are named", async () => {
  const t = await start();
  const headers = await bearer("ann");
  const cases: [string, number, string][] = [
    ["/v1/orders/not-an-id", 422, "id"],
    ["/v1/orders?limit=0", 422, "limit"],
    ["/v1/orders?limit=101", 422, "limit"],
    ["/v1/orders?status=lost", 422, "status"],
    ["/v1/orders?status=accepted", 422, "status"],
    ["/v1/orders?saleId=a%20b", 422, "saleId"],
    ["/v1/orders?limit=x", 422, "limit"],
    ["/v1/orders?before=x", 422, "before"],
    ["/v1/orders?page=2", 422, "page"],
    ["/v1/sales/nope", 404, "sale"],
    ["/v1/sales/nope/stock", 404, "sale"],
    ["/v1/sales/spring/stock/nope", 404, "sku"],
  ];
  for (const [path, status, field] of cases)
    expect(await get(t, path, headers)).toMatchObject({ status, body: { field } });
  expect((await get(t, "/v1/orders")).status).toBe(401);
});

test("stock comes from Redis, queried once for any number of simultaneous readers", async () => {
  let asked = 0;
  const t = await start({
    stockOf: () => {
      asked++;
      return Promise.resolve([{ sku: "lamp", available: 100, releasing: 1, held: 3, sold: 1 }]);
    },
  });
  const answers = await Promise.all(
    Array.from({ length: 50 }, () => get(t, "/v1/sales/spring/stock")),
  );
  expect(answers.every((a) => a.status === 200)).toBe(true);
  expect(answers[0]?.body).toEqual({
    saleId: "spring",
    items: [
      { sku: "lamp", initial: 100, restocked: 5, available: 100, releasing: 1, held: 3, sold: 1 },
    ],
  });
  expect(asked).toBeLessThan(5);
});

test("without Redis only stock is unavailable", async () => {
  const t = await start({ stockOf: () => Promise.reject(new Error("away")) });
  expect(await get(t, "/v1/sales/spring/stock")).toMatchObject({
    status: 503,
    body: { code: "unavailable" },
  });
  expect((await get(t, "/v1/sales/spring")).status).toBe(200);
});

test("without the ledger a read is unavailable", async () => {
  const t = await start();
  t.ledger.order = () =>
    Promise.reject(Object.assign(new Error("gone"), { name: "LedgerUnavailable" }));
  expect(await get(t, `/v1/orders/${Bun.randomUUIDv7()}`, await bearer("ann"))).toMatchObject({
    status: 503,
    body: { code: "unavailable" },
  });
});

test("readyz reports what is missing, healthz only that the process answers", async () => {
  let ok = true;
  const t = await start({ ready: () => Promise.resolve({ ok, detail: { redis: ok } }) });
  expect(await get(t, "/readyz")).toMatchObject({
    status: 200,
    body: { ok: true, redis: true, draining: false },
  });
  t.gateway.leave();
  expect(await get(t, "/readyz")).toMatchObject({
    status: 503,
    body: { ok: false, draining: true },
  });
  expect((await post(`${t.gateway.url}/v1/orders`, order(), await bearer("ann"))).status).toBe(202);
  ok = false;
  expect(await get(t, "/readyz")).toMatchObject({ status: 503, body: { ok: false, redis: false } });
  expect((await get(t, "/healthz")).status).toBe(200);
});

test("metrics count confirmed and refused orders", async () => {
  const t = await start();
  await post(`${t.gateway.url}/v1/orders`, order(), await bearer("ann"));
  await post(`${t.gateway.url}/v1/orders`, "{", await bearer("ann"));
  const headers = { accept: "application/openmetrics-text" };
  const text = await (await t.gateway.app.request("/metrics", { headers })).text();
  expect(text).toContain('sluice_orders_accepted_total{role="gateway",region="eu"} 1\n');
  expect(text).toContain(
    'sluice_orders_refused_total{reason="malformed",role="gateway",region="eu"} 1\n',
  );
  expect(text).toContain('sluice_confirm_seconds_count{role="gateway",region="eu"} 1\n');
  expect(text.trimEnd()).toEndWith("# EOF");
});

test("the API description has every call, and no other", async () => {
  const t = await start();
  const served = t.gateway.app.routes
    .filter((r) => r.method !== "ALL")
    .map((r) => `${r.method} ${r.path.replaceAll(/:(\w+)/g, "{$1}")}`)
    .filter(
      (call) => !call.includes("/docs") && !call.endsWith("api.json") && !call.includes("/console"),
    );
  const raw = ["POST /v1/orders", "POST /v1/orders/batch", "GET /v1/ws"];
  const described = Object.entries(OPENAPI.paths as Record<string, object>).flatMap(
    ([path, methods]) => Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect(described.toSorted()).toEqual([...served, ...raw].toSorted());
  const text = JSON.stringify(OPENAPI);
  const schemas = (OPENAPI.components as { schemas: object }).schemas;
  for (const [, name] of text.matchAll(/#\/components\/schemas\/(\w+)/g))
    expect(schemas).toHaveProperty(name as string);
});

test("the docs page loads its own script alone, and reaches its gateway alone", async () => {
  const t = await start();
  const response = await t.gateway.app.request("/docs");
  const policy = response.headers.get("content-security-policy");
  expect(policy).toStartWith("default-src 'none'; style-src 'sha256-");
  expect(policy).toContain("; script-src 'self'; connect-src 'self'; ");
  const html = await response.text();
  expect(html.match(/<(script|link)[^>]*>|https?:\/\//g)).toEqual([
    '<script type="module" src="/docs/try.js">',
  ]);
  expect(html).toContain("/v1/orders/batch");
  expect((await get(t, "/openapi.json")).body).toMatchObject({ openapi: "3.1.0" });
});

test("only pages of allowed origins may read answers", async () => {
  const t = await start({ origins: ["https://shop.example"] });
  const cors = async (origin: string, method = "GET") =>
    (await fetch(`${t.gateway.url}/v1/orders`, { method, headers: { origin } })).headers.get(
      "access-control-allow-origin",
    );
  for (const method of ["GET", "POST", "OPTIONS"]) {
    expect(await cors("https://shop.example", method)).toBe("https://shop.example");
    expect(await cors("https://evil.example", method)).toBeNull();
  }
  const preflight = await fetch(`${t.gateway.url}/v1/orders`, {
    method: "OPTIONS",
    headers: { origin: "https://shop.example" },
  });
  expect(preflight.status).toBe(204);
  expect(preflight.headers.get("access-control-allow-headers")).toContain("Idempotency-Key");
  // What a phone with a wrong clock, and a page that is told to slow down, must be able to read.
  const placed = await post(`${t.gateway.url}/v1/orders`, order(), {
    ...(await bearer("ann")),
    origin: "https://shop.example",
  });
  expect(Date.parse(placed.headers.get("date") ?? "")).toBeGreaterThan(Date.now() - 60_000);
  const exposed = placed.headers.get("access-control-expose-headers")?.split(", ");
  for (const name of ["Date", "ETag", "Location", "RateLimit", "RateLimit-Policy", "Retry-After"])
    expect(exposed).toContain(name);
});
