// The description against what it describes. Besides, gateway/testing.ts checks every answer that
// any test gets from its gateways.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { stringify } from "yaml";
import { readJson } from "../intake/json.ts";
import { bearer, order, post, startTestGateway, type TestGateway } from "../testing.ts";
import { OPENAPI } from "./openapi.ts";
import { EXAMPLES } from "./openapi-examples.ts";
import { Problem } from "./problem.ts";
import { misfit, validatorOf } from "./test-openapi.ts";

const FILE = `${import.meta.dir}/../../docs/openapi.yaml`;

let t: TestGateway;
let headers: { authorization: string };
beforeAll(async () => {
  t = await startTestGateway();
  headers = await bearer("ann", { scope: "service" });
});
afterAll(() => t.close());

interface Call {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly responses: Record<string, { readonly $ref?: string; readonly headers?: object }>;
}
const calls = Object.values(OPENAPI.paths as Record<string, Record<string, Call>>).flatMap(
  (methods) => Object.values(methods),
);

test("every call has a name of its own, a known tag and headers", () => {
  const names = calls.map(({ operationId }) => operationId);
  expect(new Set(names).size).toBe(names.length);
  for (const name of names) expect(name).toMatch(/^[a-z][A-Za-z]+$/);
  const tags = (OPENAPI.tags as { name: string }[]).map(({ name }) => name);
  for (const call of calls) {
    expect(call.tags).toHaveLength(1);
    expect(tags).toContain(call.tags[0] as string);
    for (const response of Object.values(call.responses))
      if (response.$ref === undefined)
        expect(response.headers).toHaveProperty("X-Content-Type-Options");
  }
});

test.each(Object.entries(EXAMPLES))("the example of %s fits its schema", (name, example) => {
  const validate = validatorOf(name);
  expect([validate(example), validate.errors]).toEqual([true, null]);
});

test("an answer that is not described is found", async () => {
  const url = `${t.gateway.url}/v1/orders`;
  const json = { "content-type": "application/json" };
  const wrong = [
    new Response("{}", { status: 418, headers: json }),
    new Response("{}", { status: 202, headers: json }),
    new Response("", { status: 202, headers: { "content-type": "text/plain" } }),
    new Response(JSON.stringify(EXAMPLES.Accepted), {
      status: 202,
      headers: { ...json, etag: '"x"' },
    }),
  ];
  const refused = { ...(EXAMPLES.Problem as object), code: "credit", status: 429 };
  const typed = { "content-type": "application/problem+json" };
  wrong.push(new Response(JSON.stringify(refused), { status: 429, headers: typed }));
  for (const answer of wrong) expect(await misfit("POST", url, answer)).toBeDefined();
  const right = new Response(JSON.stringify(EXAMPLES.Accepted), { status: 202, headers: json });
  expect(await misfit("POST", url, right)).toBeUndefined();
});

test("docs/openapi.yaml is this description", async () => {
  // Written out again with SLUICE_WRITE_OPENAPI=1.
  const text = stringify(JSON.parse(JSON.stringify(OPENAPI)), { lineWidth: 100 });
  if (process.env.SLUICE_WRITE_OPENAPI === "1") await Bun.write(FILE, text);
  expect(readFileSync(FILE, "utf8")).toBe(text);
});

/** What a schema cannot say: what exists, how old an id is, how many bytes a text has. */
const BEYOND_SCHEMAS = new Set([
  ...["unknown_sale", "unknown_item", "unknown_currency", "duplicate_item"],
  ...["stale_id", "future_id"],
]);
const VALUES = [
  ...[null, true, 0, 1, -1, 1.5, 2, 1000, 1001, 2 ** 53, "", "1", "x", "lamp", "EUR", "spring"],
  ...[{}, { a: 1 }, [], [1], [[]], "é", "a b", "\u0000", Bun.randomUUIDv7(), crypto.randomUUID()],
  ...["x".repeat(64), "x".repeat(65), "x".repeat(256), "x".repeat(257)],
  ...[20, 21].map((count) => Array.from({ length: count }, () => ({ sku: "lamp", qty: 1 }))),
];
const MEMBERS = [
  "id",
  "user",
  "saleId",
  "seq",
  "currency",
  "lines",
  "payment",
  "metadata",
  "maxTotal",
];
const VALUE = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...VALUES) },
  ...[fc.string({ unit: "binary" }), fc.integer(), fc.double(), fc.object({ maxDepth: 2 })],
);

/** Orders with one wrong member, or perhaps wrong: each member with each value, and without. */
function* nearlyRight(): Generator<Record<string, unknown>> {
  for (const value of [undefined, ...VALUES]) {
    for (const member of [...MEMBERS, "more"]) yield order({ [member]: value });
    for (const member of ["sku", "qty", "more"])
      yield order({ lines: [{ sku: "lamp", qty: 1, [member]: value }] });
    yield order({ lines: [{ sku: "lamp", qty: 1 }, value] });
  }
}

test("the gateway's own check of an order and its schema agree", async () => {
  const validate = validatorOf("Order");
  const verdicts = { good: 0, bad: 0 };
  const agree = async (body: Record<string, unknown>) => {
    const text = JSON.stringify(body);
    const value = readJson(text);
    if (value instanceof Problem) return;
    const answer = await post(`${t.gateway.url}/v1/orders`, text, headers);
    const { code, field } = (await answer.json()) as { code?: string; field?: string };
    // An Idempotency-Key may stand in for the id, so a body may lack it.
    if (field === "id" && code === "missing_field") return;
    if (code !== undefined && BEYOND_SCHEMAS.has(code)) return;
    if (field === "metadata.__proto__") return;
    const good = answer.status === 202;
    verdicts[good ? "good" : "bad"]++;
    expect([text, good, code, field]).toEqual([text, validate(value), code, field]);
  };
  for (const body of nearlyRight()) await agree(body);
  expect(verdicts.good).toBeGreaterThan(20);
  expect(verdicts.bad).toBeGreaterThan(200);
  const changes = fc.dictionary(fc.constantFrom(...MEMBERS), VALUE, { maxKeys: 3 });
  const mixed = fc.asyncProperty(changes, (more) => agree(order(more)));
  await fc.assert(mixed, { numRuns: 150 });
});

test("the gateway's own check of a skip and its schema agree", async () => {
  const validate = validatorOf("Skip");
  const skips = fc.record(
    { saleId: fc.oneof(fc.constant("spring"), VALUE), seq: VALUE, more: VALUE },
    { requiredKeys: [] },
  );
  const agree = async (body: object) => {
    const answer = await post(`${t.gateway.url}/v1/orders/skip`, body, headers);
    const { code } = (await answer.json()) as { code?: string };
    if (code !== undefined && BEYOND_SCHEMAS.has(code)) return;
    expect([body, answer.status === 202]).toEqual([body, validate(body)]);
  };
  await fc.assert(fc.asyncProperty(skips, agree), { numRuns: 200 });
});
