import { afterEach, expect, test } from "bun:test";
import type { Operation } from "../../ledger/contract.ts";
import { bearer, closeGateways, order, post, start, type TestGateway } from "../testing.ts";

afterEach(closeGateways);

const operator = () => bearer("olga", { scope: "operator" });
const ITEM = { sku: "vase", category: "home", priceMinor: 1_500, initial: 7 };
const NEW_SALE = {
  id: "summer",
  currency: "EUR",
  opensAt: "2027-06-01T10:00:00Z",
  closesAt: "2027-06-01T14:00:00+02:00",
  items: [ITEM],
};

/** The gateway's app without a socket. */
async function call(
  t: TestGateway,
  path: string,
  body?: unknown,
  headers?: Record<string, string>,
) {
  const init = {
    method: body === undefined ? "GET" : "POST",
    headers: {
      ...(headers ?? (await operator())),
      ...(body === "" ? {} : { "content-type": "application/json" }),
    },
    ...(body === undefined || body === "" ? {} : { body: JSON.stringify(body) }),
  };
  const response = await t.gateway.app.request(path, init, { peer: "192.0.2.7" });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

test("a created sale is visible, open for orders at once, and passed to Redis", async () => {
  const applied: Operation[] = [];
  const t = await start({
    applyOperation: (operation) => {
      applied.push(operation);
      return Promise.resolve();
    },
  });
  expect(await call(t, "/v1/admin/sales", NEW_SALE)).toMatchObject({
    status: 201,
    body: { saleId: "summer", result: "done", applied: true },
  });
  expect(applied).toMatchObject([
    { kind: "create", sale: { id: "summer", opensAtMs: Date.parse(NEW_SALE.opensAt) } },
  ]);
  const shown = await call(t, "/v1/sales/summer");
  expect(shown.body).toMatchObject({
    id: "summer",
    name: "summer",
    closesAt: "2027-06-01T12:00:00.000Z",
    items: [{ ...ITEM, name: "vase", limitPerUser: 0 }],
  });
  const placed = order({ saleId: "summer", lines: [{ sku: "vase", qty: 1 }] });
  expect((await post(`${t.gateway.url}/v1/orders`, placed, await bearer("ann"))).status).toBe(202);
});

test("the same sale again changes nothing; another one with its name is a conflict", async () => {
  const t = await start();
  await call(t, "/v1/admin/sales", NEW_SALE);
  expect(await call(t, "/v1/admin/sales", NEW_SALE)).toMatchObject({
    status: 200,
    body: { result: "repeated" },
  });
  expect((await call(t, "/v1/admin/sales", { ...NEW_SALE, currency: "USD" })).status).toBe(409);
});

test("a restock is counted once per Idempotency-Key", async () => {
  const t = await start();
  const headers = { ...(await operator()), "idempotency-key": "delivery-17" };
  const restock = (units: number) =>
    call(t, "/v1/admin/sales/spring/restock", { sku: "lamp", units }, headers);
  expect(await restock(5)).toMatchObject({
    status: 200,
    body: { ref: "delivery-17", result: "done" },
  });
  expect((await restock(5)).body).toMatchObject({ result: "repeated" });
  expect(await restock(6)).toMatchObject({
    status: 409,
    body: { code: "conflict", field: "Idempotency-Key" },
  });
  expect((await call(t, "/v1/sales/spring/stock/lamp")).body).toMatchObject({
    restocked: 5,
    available: 105,
  });
});

test("opening and closing move the window; the default is now", async () => {
  const clock = () => Date.parse("2027-03-01T00:00:00Z");
  const t = await start({ clock, auth: { maxLifeMs: 10 ** 12 } });
  const headers = { ...(await bearer("olga", { scope: "operator", expiresInS: 10 ** 8 })) };
  const opening = { at: "2027-02-01T08:00:00Z", closesAt: "2027-04-01T00:00:00Z" };
  expect((await call(t, "/v1/admin/sales/spring/open", opening, headers)).status).toBe(200);
  expect((await call(t, "/v1/admin/sales/spring/close", "", headers)).status).toBe(200);
  expect((await call(t, "/v1/sales/spring")).body).toMatchObject({
    opensAt: "2027-02-01T08:00:00.000Z",
    closesAt: "2027-03-01T00:00:00.000Z",
  });
});

test("a closed sale opens again with a new end; one that closes first is refused", async () => {
  const t = await start();
  const spring = "/v1/admin/sales/spring";
  expect((await call(t, `${spring}/close`, "")).status).toBe(200);
  const conflict = { status: 409, body: { code: "conflict", field: "sale" } };
  expect(await call(t, `${spring}/open`, "")).toMatchObject(conflict);
  expect(await call(t, `${spring}/close`, { at: "2020-01-01T00:00:00Z" })).toMatchObject(conflict);
  const again = { at: "2027-02-01T08:00:00Z", closesAt: "2027-02-01T09:00:00Z" };
  expect(await call(t, `${spring}/open`, { ...again, closesAt: again.at })).toMatchObject({
    ...{ status: 422, body: { code: "out_of_range", field: "closesAt" } },
  });
  expect((await call(t, `${spring}/open`, again)).status).toBe(200);
  expect((await call(t, "/v1/sales/spring")).body).toMatchObject({
    opensAt: "2027-02-01T08:00:00.000Z",
    closesAt: "2027-02-01T09:00:00.000Z",
  });
});

test("times that no clock shows are refused", async () => {
  const t = await start();
  for (const at of [
    ...["2027-02-30T10:00:00Z", "2027-02-29T10:00:00Z", "2027-13-01T10:00:00Z"],
    ...["2027-04-31T10:00:00+02:00", "2027-01-31T24:00:00Z", "2027-01-31T10:60:00Z"],
    "2027-01-31T10:00:00+24:00",
  ])
    expect(await call(t, "/v1/admin/sales/spring/close", { at })).toMatchObject({
      ...{ status: 422, body: { code: "out_of_range", field: "at" } },
    });
  const leap = { at: "2028-02-29T10:00:00.250-01:30", closesAt: "2028-03-01T00:00:00z" };
  expect((await call(t, "/v1/admin/sales/spring/open", leap)).status).toBe(200);
  expect((await call(t, "/v1/sales/spring")).body.opensAt).toBe("2028-02-29T11:30:00.250Z");
});

test("a change that Redis cannot take yet is still made, and the answer says so", async () => {
  const t = await start({ applyOperation: () => Promise.reject(new Error("Redis is away")) });
  expect(await call(t, "/v1/admin/sales", NEW_SALE)).toMatchObject({
    status: 201,
    body: { applied: false },
  });
});

test("an import creates all sales or, with a mistake in one, none", async () => {
  const t = await start();
  const bad = { ...NEW_SALE, id: "b", items: [ITEM, { ...ITEM, initial: -1 }] };
  expect(
    await call(t, "/v1/admin/sales/import", { sales: [{ ...NEW_SALE, id: "a" }, bad] }),
  ).toMatchObject({
    status: 422,
    body: { field: "sales[1].items[1].initial" },
  });
  expect((await call(t, "/v1/sales/a")).status).toBe(404);
  const results = (
    await call(t, "/v1/admin/sales/import", {
      sales: [
        { ...NEW_SALE, id: "a" },
        { ...NEW_SALE, id: "spring" },
      ],
    })
  ).body.results;
  expect(results).toMatchObject([
    { saleId: "a", result: "done" },
    { saleId: "spring", result: expect.stringMatching(/sale_exists|ref_conflict/) },
  ]);
});

test("the list shows all sales with the ledger's stock", async () => {
  const t = await start();
  expect((await call(t, "/v1/admin/sales")).body).toMatchObject({
    sales: [{ id: "spring", stock: [{ sku: "chair", available: 10 }, { sku: "lamp" }] }],
  });
});

test("mistakes are named", async () => {
  const t = await start();
  const sale = (changes: Record<string, unknown>) =>
    ["/v1/admin/sales", { ...NEW_SALE, ...changes }] as const;
  const cases: [readonly [path: string, body: unknown], number, string, string][] = [
    [sale({ id: "a b" }), 422, "out_of_range", "id"],
    [sale({ id: undefined }), 422, "missing_field", "id"],
    [sale({ extra: 1 }), 422, "unknown_field", "extra"],
    [sale({ currency: "ZZZ" }), 422, "unknown_currency", "currency"],
    [sale({ opensAt: "2027-06-01" }), 422, "out_of_range", "opensAt"],
    [sale({ opensAt: "2027-06-01T10:00:00" }), 422, "out_of_range", "opensAt"],
    [sale({ closesAt: NEW_SALE.opensAt }), 422, "out_of_range", "closesAt"],
    [sale({ items: [] }), 422, "out_of_range", "items"],
    [sale({ items: [ITEM, ITEM] }), 422, "duplicate_item", "items[1].sku"],
    [sale({ items: [{ ...ITEM, priceMinor: 9.99 }] }), 422, "out_of_range", "items[0].priceMinor"],
    [sale({ items: [7] }), 422, "wrong_type", "items[0]"],
    [["/v1/admin/sales/spring/restock", { sku: "lamp", units: 0 }], 422, "out_of_range", "units"],
    [["/v1/admin/sales/spring/restock", { sku: "nope", units: 1 }], 422, "unknown_item", "sku"],
    [["/v1/admin/sales/nope/restock", { sku: "lamp", units: 1 }], 404, "not_found", "sale"],
    [["/v1/admin/sales/nope/open", {}], 404, "not_found", "sale"],
    [["/v1/admin/sales/spring/close", { at: "soon" }], 422, "out_of_range", "at"],
  ];
  for (const [[path, body], status, code, field] of cases)
    expect(await call(t, path, body)).toMatchObject({ status, body: { code, field } });
});
