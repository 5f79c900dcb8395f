import { afterEach, expect, test } from "bun:test";
import { bearer, closeGateways, order, post, start, type TestGateway } from "../testing.ts";

afterEach(closeGateways);

const REASON = { reason: "the shelf had less" };
const LAMP = "/v1/admin/sales/spring/items/lamp";

async function change(t: TestGateway, path: string, body: object, ref?: string) {
  const headers = {
    ...(await bearer("olga", { scope: "operator" })),
    "content-type": "application/json",
    ...(ref === undefined ? {} : { "idempotency-key": ref }),
  };
  const init = { method: "POST", headers, body: JSON.stringify({ ...REASON, ...body }) };
  const response = await t.gateway.app.request(path, init, { peer: "192.0.2.7" });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

async function lamp(t: TestGateway): Promise<Record<string, unknown> | undefined> {
  const response = await t.gateway.app.request("/v1/sales/spring");
  const { items } = (await response.json()) as { items: Record<string, unknown>[] };
  return items.find(({ sku }) => sku === "lamp");
}

test("a correction answers by Redis's: done, refused, or not ended yet", async () => {
  const outcomes: ("done" | "refused" | "away")[] = ["done", "refused", "away", "done"];
  const t: TestGateway = await start({
    applyOperation: async ({ ref }) => {
      const outcome = outcomes.shift() ?? "away";
      if (outcome === "away") throw new Error("Redis is away");
      await t.ledger.settleCorrection(ref, outcome);
    },
  });
  const correct = (units: number, ref: string) => change(t, `${LAMP}/correct`, { units }, ref);
  expect(await correct(5, "c1")).toMatchObject({ status: 200, body: { result: "done" } });
  expect(await correct(5, "c2")).toMatchObject({ status: 409, body: { field: "units" } });
  expect(await correct(5, "c3")).toMatchObject({ status: 202, body: { applied: false } });
  expect(await correct(1, "c4")).toMatchObject({ status: 409, body: { field: "sku" } });
  expect(await correct(5, "c3")).toMatchObject({ status: 200, body: { result: "repeated" } });
  expect(await correct(91, "c5")).toMatchObject({ status: 409, body: { field: "units" } });
  expect((await t.ledger.stock("spring"))[1]).toMatchObject({ corrected: 10, available: 90 });
});

test("a price holds from a moment on, by default in five seconds", async () => {
  let now = Date.now();
  const t = await start({ clock: () => now });
  const price = (body: object, ref?: string) => change(t, `${LAMP}/price`, body, ref);
  expect((await price({ priceMinor: 3_900 }, "p1")).status).toBe(200);
  now += 1_000;
  expect((await price({ priceMinor: 3_900 }, "p1")).body).toMatchObject({ result: "repeated" });
  expect(await lamp(t)).toMatchObject({ priceMinor: 4_900, prices: [{ priceMinor: 3_900 }] });
  now += 4_000;
  expect(await lamp(t)).toMatchObject({ priceMinor: 3_900 });
  expect(await lamp(t)).not.toHaveProperty("prices");
  const past = new Date(now - 1).toISOString();
  expect(await price({ priceMinor: 1, from: past })).toMatchObject({
    ...{ status: 422, body: { code: "out_of_range", field: "from" } },
  });
});

test("a withdrawn item is unknown at once; one that is added can be ordered", async () => {
  const t = await start();
  const place = async (sku: string) =>
    (
      await post(
        `${t.gateway.url}/v1/orders`,
        order({ lines: [{ sku, qty: 1 }] }),
        await bearer("ann"),
      )
    ).status;
  expect((await change(t, `${LAMP}/withdraw`, {})).status).toBe(200);
  expect(await lamp(t)).toMatchObject({ withdrawn: true });
  expect(await place("lamp")).toBe(422);
  expect((await change(t, `${LAMP}/offer`, {})).status).toBe(200);
  expect(await place("lamp")).toBe(202);
  const item = { sku: "vase", category: "home", priceMinor: 1_500, initial: 7 };
  expect((await change(t, "/v1/admin/sales/spring/items", item)).status).toBe(201);
  expect((await change(t, "/v1/admin/sales/spring/items", item)).status).toBe(409);
  expect(await place("vase")).toBe(202);
});

test("mistakes are named, and every change has a reason", async () => {
  const t = await start();
  const cases: [string, object, number, string, string][] = [
    [`${LAMP}/correct`, { units: 1, reason: undefined }, 422, "missing_field", "reason"],
    [`${LAMP}/correct`, { units: 0 }, 422, "out_of_range", "units"],
    [`${LAMP}/price`, { priceMinor: -1 }, 422, "out_of_range", "priceMinor"],
    [`${LAMP}/limit`, { limitPerUser: "2" }, 422, "wrong_type", "limitPerUser"],
    [`${LAMP}/withdraw`, { units: 1 }, 422, "unknown_field", "units"],
    ["/v1/admin/sales/spring/items/x/withdraw", {}, 422, "unknown_item", "sku"],
    ["/v1/admin/sales/nope/items/x/withdraw", {}, 404, "not_found", "sale"],
    [
      "/v1/admin/sales/spring/items/chair/limit",
      { limitPerUser: 2 },
      409,
      "conflict",
      "limitPerUser",
    ],
    ["/v1/admin/sales/spring/items", { sku: "vase" }, 422, "missing_field", "category"],
  ];
  for (const [path, body, status, code, field] of cases)
    expect(await change(t, path, body)).toMatchObject({ status, body: { code, field } });
  await change(t, `${LAMP}/withdraw`, {});
  const { records } = await t.ledger.auditLog({ limit: 1 });
  expect(records[0]).toMatchObject({ action: "items.withdraw", target: "lamp spring" });
});

test("an unknown service is refused with those that exist, unless it is yet to come", async () => {
  const t = await start({ services: async () => ["depot", "warehouse"] });
  const route = async (body: object) => {
    const headers = {
      ...(await bearer("olga", { scope: "operator" })),
      "content-type": "application/json",
    };
    const init = { method: "PUT", headers, body: JSON.stringify(body) };
    const response = await t.gateway.app.request("/v1/admin/routes/home", init);
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  expect(await route({ service: "nosuch" })).toMatchObject({
    status: 422,
    body: { field: "service", detail: expect.stringContaining("known: depot, warehouse") },
  });
  expect((await route({ service: "nosuch", new: true })).status).toBe(200);
  expect((await route({ service: "depot" })).status).toBe(200);
});

test("a category without a route is a warning before the sale opens", async () => {
  const t = await start();
  const item = { sku: "oil", category: "art", priceMinor: 1_500, initial: 7 };
  const added = await change(t, "/v1/admin/sales/spring/items", item);
  expect(added.body.warnings).toEqual([
    expect.stringContaining("category 'art' has no route"),
    expect.stringContaining("category 'home' has no route"),
  ]);
  for (const category of ["art", "home"])
    await t.ledger.operate(
      { kind: "route", ref: category, category, region: "", service: "depot" },
      "op",
    );
  const offered = await change(t, `${LAMP}/offer`, {});
  expect(offered.body).not.toHaveProperty("warnings");
});
