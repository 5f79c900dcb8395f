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
  headers = await bearer("ann");
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
  ...["stale_id", "future_id", "forbidden"],
]);
const SCALAR = fc.oneof(
  fc.constantFrom(null, true, 0, 1, -1, 1.5, 2, 1000, 1001, 2 ** 53, "", "1", "x", "lamp", "EUR"),
  fc.constantFrom({}, [], [[]], "é", "a b", "x".repeat(256), "x".repeat(257), "\u0000"),
);
const LINE = fc.record(
  {
    sku: fc.oneof(fc.constantFrom("lamp", "chair"), SCALAR),
    qty: fc.oneof(fc.constantFrom(1, 2), SCALAR),
  },
  { requiredKeys: [] },
);
const CHANGES: fc.Arbitrary<Record<string, unknown>> = fc.record(
  {
    id: SCALAR,
    saleId: SCALAR,
    seq: SCALAR,
    currency: SCALAR,
    lines: fc.oneof(fc.array(fc.oneof(LINE, SCALAR), { maxLength: 22 }), SCALAR),
    payment: SCALAR,
    metadata: fc.oneof(fc.constantFrom({ a: 1 }, [1]), SCALAR),
    maxTotal: SCALAR,
    more: SCALAR,
  },
  { requiredKeys: [] },
);

/** Fewer members are changed than not, so that many orders are good. */
const ORDERS = CHANGES.chain((changes) =>
  fc.subarray(Object.keys(changes), { maxLength: 2 }).map((names) => {
    const changed = order();
    for (const name of names) changed[name] = changes[name];
    return changed;
  }),
);

test("the gateway's own check of an order and its schema agree", async () => {
  const validate = validatorOf("Order");
  const verdicts = { good: 0, bad: 0 };
  const agree = async (body: Record<string, unknown>) => {
    const text = JSON.stringify(body);
    const value = readJson(text);
    if (value instanceof Problem) return;
    const answer = await post(`${t.gateway.url}/v1/orders`, text, headers);
    const { code, field } = (await answer.json()) as { code?: string; field?: string };
    if (code !== undefined && BEYOND_SCHEMAS.has(code)) return;
    const good = answer.status === 202;
    verdicts[good ? "good" : "bad"]++;
    expect([text, good, code, field]).toEqual([text, validate(value), code, field]);
  };
  await fc.assert(fc.asyncProperty(ORDERS, agree), { numRuns: 400 });
  expect(verdicts.good).toBeGreaterThan(40);
  expect(verdicts.bad).toBeGreaterThan(40);
});

test("the gateway's own check of a skip and its schema agree", async () => {
  const validate = validatorOf("Skip");
  const skips = fc.record(
    { saleId: fc.oneof(fc.constant("spring"), SCALAR), seq: SCALAR, more: SCALAR },
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
