// Orders of a known form are not parsed. Nothing else may differ: neither the row nor the refusals.
import { afterEach, expect, test } from "bun:test";
import { fingerprintOf, type Order } from "../../core/domain/order.ts";
import type { Row } from "../../core/domain/row.ts";
import { knownSale } from "../catalogue.ts";
import {
  bearer,
  closeGateways,
  idIn,
  order,
  post,
  SALE,
  start,
  type TestGateway,
  type TestGatewayOptions,
  TestSocket,
} from "../testing.ts";
import { Forms } from "./forms.ts";

afterEach(closeGateways);

type Placed = Record<string, unknown>;

/** An order, so that its id and user come first, in the text as in the object. */
function first(changes: Placed = {}): Placed {
  const { id, ...rest } = order();
  const { user, ...others } = changes;
  return { id, ...(user === undefined ? {} : { user }), ...rest, ...others };
}

const as = async (user: string, scope = "service") => bearer(user, { scope });

async function codeOf(t: TestGateway, body: unknown, headers: Record<string, string>) {
  const response = await post(`${t.gateway.url}/v1/orders`, body, headers);
  return ((await response.json()) as { code?: string; status?: string }).code ?? response.status;
}

/** Whose form is known over HTTP and WebSocket. */
async function startWithForm(options?: TestGatewayOptions) {
  const t = await start(options);
  const socket = await TestSocket.open(t.gateway.url, "shop", { scope: "service" });
  const place = async (placed: Placed, answer = "acks"): Promise<unknown> => {
    socket.send({ type: "order", ref: "r", order: placed });
    return (await socket.next(answer))[answer];
  };
  expect(await codeOf(t, first({ user: "ann" }), await as("shop"))).toBe(202);
  await place(first({ user: "ann" }));
  return { ...t, t, socket, place };
}

const rowOf = (placed: Placed, user: string): Row => {
  const taken = { seq: 0, payment: "", metadata: "", maxTotal: 0, ...placed, user };
  const fingerprint = fingerprintOf(taken as unknown as Order);
  return {
    kind: "order",
    order: taken as unknown as Order,
    fingerprint,
    atMs: expect.any(Number) as unknown as number,
  };
};

test("an order of a known form is published with its own id and user", async () => {
  const { t, broker, place } = await startWithForm();
  broker.published.splice(0);
  const [overHttp, overSocket, own] = [first({ user: "bob" }), first({ user: "cat" }), first()];
  await codeOf(t, overHttp, await as("shop"));
  await place(overSocket);
  await codeOf(t, own, await bearer("dan"));
  expect(broker.rows).toEqual([
    rowOf(overHttp, "bob"),
    rowOf(overSocket, "cat"),
    rowOf(own, "dan"),
  ]);
});

test("payment, metadata, maximum and number stay each order's own", async () => {
  const { t, broker } = await startWithForm();
  broker.published.splice(0);
  const rows: Row[] = [];
  const mine: Placed[] = [
    { payment: "tok-1" },
    { payment: "tok-2" },
    { metadata: {} },
    { maxTotal: 5 },
    { maxTotal: 6 },
    { seq: 1 },
    { seq: 2 },
    { lines: [{ sku: "lamp", qty: 2 }] },
  ];
  for (const changes of mine)
    for (let i = 0; i < 2; i++) {
      const placed = first(changes);
      expect(await codeOf(t, placed, await bearer("ann"))).toBe(202);
      const metadata = changes.metadata ? JSON.stringify(changes.metadata) : "";
      rows.push(rowOf({ ...placed, metadata }, "ann"));
    }
  expect(broker.rows).toEqual(rows);
});

test("an order whose number or maximum is its own leaves no form", () => {
  const sale = knownSale(1, SALE);
  const forms = new Forms({ get: () => sale });
  const ann = {
    user: "ann",
    shard: 0,
    operator: false,
    viewer: false,
    service: false,
    expiresAtMs: 9e15,
  };
  const isLearnt = (changes: Placed): boolean => {
    const placed = first(changes);
    const head = Forms.headOf(JSON.stringify(placed));
    if (!head) throw new Error("not the start of an order");
    forms.learn(head, placed, ann, Date.now());
    return forms.of(head, ann) !== undefined;
  };
  expect([{ seq: 1 }, { maxTotal: 5 }].map(isLearnt)).toEqual([false, false]);
  expect(isLearnt({})).toBe(true);
});

test("whoever may not name a user is refused, though the form is known", async () => {
  const { t } = await startWithForm();
  expect(await codeOf(t, first({ user: "bob" }), await bearer("ann"))).toBe("forbidden");
});

test("a stale or malformed id is refused, though the form is known", async () => {
  const { t, place } = await startWithForm();
  const stale = { ...first(), id: "01890000-0000-7000-8000-000000000000" };
  expect(await codeOf(t, stale, await bearer("ann"))).toBe("stale_id");
  expect(await place(stale, "nacks")).toEqual([
    ["r", stale.id, expect.objectContaining({ code: "stale_id" })],
  ]);
  const malformed = { ...first(), id: "01890000-0000-4000-8000-000000000000" };
  expect(await codeOf(t, malformed, await bearer("ann"))).toBe("out_of_range");
});

test("a form known over WebSocket does not make a malformed body an order", async () => {
  const { t } = await startWithForm();
  const { user, ...rest } = first({ user: "ann" });
  const text = JSON.stringify({ ...rest });
  for (const wrong of [`${text}}`, text.slice(0, -1), text.replace("}]", "}}")])
    expect(await codeOf(t, wrong, await bearer("ann"))).toBe("malformed");
  const twice = text.replace('"saleId"', `"user":"bob","user":"${user}","saleId"`);
  for (let i = 0; i < 2; i++)
    expect(await codeOf(t, twice, await as("shop"))).toBe("duplicate_key");
});

test("a user behind other members is still read", async () => {
  const { t, broker } = await startWithForm();
  broker.published.splice(0);
  for (const user of ["bob", "bob", "cat"])
    expect(await codeOf(t, { ...order(), user }, await as("shop"))).toBe(202);
  expect(broker.rows.map((row) => row.kind === "order" && row.order.user)).toEqual([
    "bob",
    "bob",
    "cat",
  ]);
});

test("an Idempotency-Key that differs is refused, though the form is known", async () => {
  const { t } = await startWithForm();
  const headers = { ...(await bearer("ann")), "idempotency-key": Bun.randomUUIDv7() };
  expect(await codeOf(t, first(), headers)).toBe("out_of_range");
});

test("a form does not outlive its sale", async () => {
  const { t, place, ledger } = await startWithForm();
  const autumn = { ...SALE, id: "autumn" };
  ledger.sales = () => Promise.resolve([{ ...SALE, items: SALE.items.slice(1) }, autumn]);
  await ledger.operate({ kind: "create", ref: "other", sale: autumn }, "test");
  const other = async () => codeOf(t, { ...first(), saleId: "autumn" }, await bearer("ann"));
  while ((await other()) === "unknown_sale"); // until the gateway has looked again
  expect(await codeOf(t, first(), await bearer("ann"))).toBe("unknown_item");
  expect(await place(first(), "nacks")).toEqual([
    ["r", expect.any(String), expect.objectContaining({ code: "unknown_item" })],
  ]);
});

test("each order of a known form takes a token of its user", async () => {
  const { t } = await startWithForm({ admission: { userPerSecond: 0.001, userBurst: 2 } });
  const codes: unknown[] = [];
  for (let i = 0; i < 3; i++) codes.push(await codeOf(t, first(), await bearer("bob")));
  expect(codes).toEqual([202, 202, "rate_limited"]);
});

test("a trace in a frame stays with its order", async () => {
  const { socket, broker } = await startWithForm();
  broker.published.splice(0);
  const trace = (n: number) => `00-${String(n).padStart(32, "0")}-${"1".repeat(16)}-01`;
  for (const n of [1, 1, 2]) {
    const placed = first();
    socket.send({ type: "order", ref: "r", order: placed, traceparent: trace(n) });
    await socket.next("acks");
  }
  expect(broker.rows.map((row) => row.kind === "order" && row.trace)).toEqual([
    trace(1),
    trace(1),
    trace(2),
  ]);
});

test("answers given at once keep their own place, id and rate limit", async () => {
  const { t, broker } = await startWithForm({ admission: { userPerSecond: 1, userBurst: 9 } });
  broker.answer = undefined;
  broker.published.splice(0);
  const users = ["bob", "cat", "dan"];
  const placed = users.map((user) => first({ user }));
  const shop = await as("shop");
  const answers = placed.map((one) => post(`${t.gateway.url}/v1/orders`, one, shop));
  await broker.batch(0);
  const settled = setInterval(() => {
    for (const batch of broker.published) batch.settle("confirmed");
  }, 5);
  const responses = await Promise.all(answers);
  clearInterval(settled);
  expect(responses.map((r) => r.headers.get("location"))).toEqual(
    placed.map(({ id }) => `/v1/orders/${id}`),
  );
  expect(responses.map((r) => r.headers.get("ratelimit"))).toEqual(
    users.map(() => '"user";r=8;t=1'),
  );
  expect(broker.rows.map((row) => idIn(row)).toSorted()).toEqual(
    placed.map(({ id }) => id as string).toSorted(),
  );
});
