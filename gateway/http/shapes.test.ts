// Bodies and queries off the hot path: the gateway refuses what the description of the call does
// not allow, names the member, and refuses nothing else but what is listed here.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { bearer, IDLE, startTestGateway, type TestGateway } from "../testing.ts";
import { OPENAPI } from "./openapi.ts";
import type { Json } from "./openapi-schemas.ts";
import { validatorAt } from "./test-openapi.ts";

let t: TestGateway;
let headers: Record<string, string>;
beforeAll(async () => {
  t = await startTestGateway({ ...IDLE, webhookPrivate: true });
  const { authorization } = await bearer("olga", { scope: "operator service" });
  headers = { authorization, "content-type": "application/json" };
});
afterAll(() => t.close());

/** What no schema says: whether one member fits the others, and what exists. */
const BEYOND: Readonly<Record<string, readonly string[]>> = {
  createSale: ["closesAt", "items[1].sku"],
  importSales: ["sales[0].closesAt"],
  openSale: ["closesAt"],
  changePrice: ["from"],
  restockItem: ["sku"],
  acceptRate: ["pair", "value"],
  refuseRate: ["pair", "value"],
  addWebhook: ["url", "after"],
  readFeed: ["after"],
  listTimeline: ["after"],
};
/** Order intake's own; openapi.test.ts compares its parser. Only a signed report is read. */
const OTHERS = new Set(["placeOrder", "placeOrders", "skipNumber", "reportCharge"]);

const TIME = "2027-01-31T10:00:00Z";
const ITEM = { sku: "vase", name: "Vase", category: "home", priceMinor: 1, initial: 1 };
const SALE = {
  id: "s1",
  name: "Sale",
  currency: "EUR",
  opensAt: TIME,
  closesAt: "2027-02-01T00:00:00Z",
};
const REASON = { reason: "why" };
const RATE = { pair: "EUR/USD", value: "1.5" };
const LETTERS = { queue: "orders.dead", reason: "x", user: "ann", ids: ["0123abcd"], all: true };
const CLAIM = { service: "olga", claim: "c1" };
const PART_KEY = "@auth0_7c5f/019ac9d2-6c00-7b3e-9f41-2d5c0a7e8b10/1/1";
/** A good body of each call, with all members that it may have. */
const GOOD: Readonly<Record<string, Json>> = {
  createSale: { ...SALE, items: [{ ...ITEM, limitPerUser: 2 }] },
  importSales: { sales: [{ ...SALE, items: [ITEM] }] },
  openSale: { at: TIME, closesAt: "2027-02-01T00:00:00+01:00" },
  closeSale: { at: TIME },
  restockItem: { sku: "lamp", units: 1 },
  addItem: { ...ITEM, limitPerUser: 0, ...REASON },
  correctUnits: { units: 1, ...REASON },
  changePrice: { priceMinor: 5, from: "2099-01-31T10:00:00Z", ...REASON },
  changeLimit: { limitPerUser: 2, ...REASON },
  withdrawItem: REASON,
  offerItem: REASON,
  acceptRate: RATE,
  refuseRate: RATE,
  setRoute: { service: "depot", region: "eu", new: true },
  redriveDeadLetters: { ...LETTERS, limit: 5 },
  dropDeadLetters: { ...LETTERS, limit: 5 },
  addWebhook: { url: "https://shop.example/x", types: ["order.paid"], after: "end" },
  redeliverEvent: { event: "e1" },
  claimParts: { ...CLAIM, max: 2, wait: 0, lease: 60 },
  reportPart: { ...CLAIM, key: PART_KEY, outcome: "failed", reason: "broken" },
};
/** Few, since each is a call that the audit keeps. */
const VALUES = [undefined, {}, 0, 1.5, "", "lamp", "@ann", "😀".repeat(150), ["order.none"]];
const TEXTS = ["", "0", "-1", "101", "1e2", "a b", "end", "paid", "é", "9".repeat(17), "EU"];

interface Call {
  readonly operationId: string;
  readonly requestBody?: object;
  readonly parameters?: readonly { readonly in: string; readonly name: string }[];
}
const CALLS = Object.entries(OPENAPI.paths as Record<string, Record<string, Call>>).flatMap(
  ([path, methods]) => Object.entries(methods).map(([method, call]) => ({ path, method, call })),
);
const withBody = CALLS.filter(({ call }) => call.requestBody && !OTHERS.has(call.operationId));

/** An order's id that nobody has. A cancel is refused at once. */
const FAR_AHEAD = "fd2bf05e-8041-799b-9277-05c75b8937a0";

/** Of a refusal that is about the request's own text. */
const ABOUT_TEXT = new Set([400, 422]);

async function refusalOf(method: string, path: string, query: string, body?: unknown) {
  const init = { method: method.toUpperCase(), headers };
  const sent = body === undefined ? init : { ...init, body: JSON.stringify(body) };
  const answer = await t.gateway.app.request(
    path
      .replace("/orders/{id}", `/orders/${FAR_AHEAD}`)
      .replace("{sale}", "nope")
      .replaceAll(/\{\w+\}/g, "x") + query,
    sent,
    { peer: "::1" },
  );
  if (!ABOUT_TEXT.has(answer.status)) return undefined;
  return (await answer.json()) as { readonly code: string; readonly field?: string };
}

/** The body with one member changed, in it or in the first object within it. */
function* spoiled(good: Json): Generator<Json> {
  for (const name of [...Object.keys(good), "more", "__proto__x"])
    for (const value of VALUES) yield { ...good, [name]: value };
  for (const [name, value] of Object.entries(good))
    if (Array.isArray(value) && typeof value[0] === "object")
      for (const inner of spoiled(value[0] as Json)) yield { ...good, [name]: [inner] };
}

const pointer = (path: string, method: string, ...rest: string[]) =>
  ["/paths", path, method, ...rest]
    .map((step, i) => (i === 0 ? step : encodeURIComponent(step.replaceAll("/", "~1"))))
    .join("/");

test("there is a valid body for each call that has one", () => {
  expect(Object.keys(GOOD).sort()).toEqual(withBody.map(({ call }) => call.operationId).sort());
});

test.each(withBody.map((c) => [c.call.operationId, c] as const))(
  "%s refuses the bodies that its schema refuses, by name",
  async (name, { path, method }) => {
    const place = pointer(path, method, "requestBody", "content", "application/json", "schema");
    const validate = validatorAt(place);
    const good = GOOD[name] as Json;
    expect([name, validate(good), await refusalOf(method, path, "", good)]).toEqual([
      name,
      true,
      undefined,
    ]);
    for (const sent of spoiled(good)) {
      const body = JSON.parse(JSON.stringify(sent)) as Json;
      const refusal = await refusalOf(method, path, "", body);
      if (refusal?.field !== undefined && BEYOND[name]?.includes(refusal.field)) continue;
      expect([body, refusal]).toEqual([body, validate(body) ? undefined : expect.anything()]);
      if (refusal) expect(refusal.field).toBeString();
    }
  },
);

const QUERIES = CALLS.flatMap(({ path, method, call }) =>
  (call.parameters ?? []).flatMap((parameter, i) =>
    parameter.in === "query" ? [{ path, method, i, call, parameter: parameter.name }] : [],
  ),
);

test("a query's parameters are refused as their schemas say, by name", async () => {
  expect(QUERIES.length).toBeGreaterThan(20);
  for (const { path, method, i, call, parameter } of QUERIES) {
    const validate = validatorAt(pointer(path, method, "parameters", String(i), "schema"));
    for (const text of TEXTS) {
      const query = `?${new URLSearchParams({ [parameter]: text })}`;
      const refusal = await refusalOf(method, path, query);
      if (BEYOND[call.operationId]?.includes(parameter)) continue;
      const found = refusal?.field === parameter;
      const fits = validate(text) || (/^\d+$/.test(text) && validate(Number(text)));
      expect([call.operationId, parameter, text, found]).toEqual([
        ...[call.operationId, parameter, text],
        !fits,
      ]);
    }
    const unknown = await refusalOf(method, path, "?wrong=1");
    expect([path, unknown]).toEqual([path, expect.objectContaining({ field: "wrong" })]);
  }
});
