// Each row: a mistake a client may make, and the status, code and field of the answer. None of it
// may reach the broker.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { connect } from "node:net";
import { bearer, order, post, startTestGateway, type TestGateway } from "../testing.ts";

let t: TestGateway;
let ann: { authorization: string };
/** Well-formed orders that were sent. */
let taken = 0;
beforeAll(async () => {
  t = await startTestGateway();
  ann = await bearer("ann");
});
afterAll(() => t.close());

const HOUR_MS = 3_600_000;
const line = (changes: Record<string, unknown>) =>
  order({ lines: [{ sku: "lamp", qty: 1, ...changes }] });
const withProto = JSON.stringify(order()).replace("{", '{"__proto__":{"user":"bob"},');
const deep = `${"[".repeat(40)}${"]".repeat(40)}`;

const rows: readonly [what: string, body: unknown, status: number, code: string, field?: string][] =
  [
    ["malformed JSON", "{", 400, "malformed"],
    ["an empty body", "", 400, "malformed"],
    ["not an object", "[]", 400, "not_an_object"],
    ["null", "null", 400, "not_an_object"],
    [
      "duplicate keys",
      JSON.stringify(order()).replace("{", '{"seq":1,"seq":2,'),
      400,
      "duplicate_key",
      "seq",
    ],
    ["deep nesting", `{"metadata":{"a":${deep}}}`, 400, "too_deep"],
    [
      "very deep nesting",
      `{"metadata":${"[".repeat(30_000)}${"]".repeat(30_000)}}`,
      400,
      "too_deep",
    ],
    ["an unknown field", order({ price: 1 }), 422, "unknown_field", "price"],
    ["a field of every object", order({ constructor: 1 }), 422, "unknown_field", "constructor"],
    ["__proto__", withProto, 422, "unknown_field", "__proto__"],
    [
      "__proto__ in a line",
      JSON.stringify(line({ p: 1 })).replace('"p"', '"__proto__"'),
      422,
      "unknown_field",
      "lines[0].__proto__",
    ],
    [
      "__proto__ in metadata",
      JSON.stringify(order({ metadata: { p: 1 } })).replace('"p"', '"__proto__"'),
      422,
      "unknown_field",
      "metadata.__proto__",
    ],
    ["an unknown field of a line", line({ price: 1 }), 422, "unknown_field", "lines[0].price"],
    ["no id", order({ id: undefined }), 422, "missing_field", "id"],
    ["an id of the wrong type", order({ id: 7 }), 422, "wrong_type", "id"],
    ["a UUID of another version", order({ id: crypto.randomUUID() }), 422, "out_of_range", "id"],
    [
      "an id in capitals",
      order({ id: Bun.randomUUIDv7().toUpperCase() }),
      422,
      "out_of_range",
      "id",
    ],
    [
      "a stale id",
      order({ id: Bun.randomUUIDv7("hex", Date.now() - HOUR_MS) }),
      422,
      "stale_id",
      "id",
    ],
    [
      "a future id",
      order({ id: Bun.randomUUIDv7("hex", Date.now() + HOUR_MS) }),
      422,
      "future_id",
      "id",
    ],
    ["no sale", order({ saleId: undefined }), 422, "missing_field", "saleId"],
    ["an unknown sale", order({ saleId: "nope" }), 422, "unknown_sale", "saleId"],
    ["a sale of the wrong type", order({ saleId: ["spring"] }), 422, "wrong_type", "saleId"],
    ["no lines", order({ lines: undefined }), 422, "missing_field", "lines"],
    ["empty lines", order({ lines: [] }), 422, "out_of_range", "lines"],
    [
      "too many lines",
      order({ lines: Array.from({ length: 21 }, () => ({ sku: "lamp", qty: 1 })) }),
      422,
      "out_of_range",
      "lines",
    ],
    [
      "lines of the wrong type",
      order({ lines: { 0: { sku: "lamp", qty: 1 } } }),
      422,
      "wrong_type",
      "lines",
    ],
    ["a line of the wrong type", order({ lines: [["lamp", 1]] }), 422, "wrong_type", "lines[0]"],
    ["an unknown item", line({ sku: "nope" }), 422, "unknown_item", "lines[0].sku"],
    [
      "an item named like a property",
      line({ sku: "toString" }),
      422,
      "unknown_item",
      "lines[0].sku",
    ],
    ["an item of the wrong type", line({ sku: 7 }), 422, "wrong_type", "lines[0].sku"],
    [
      "the same item twice",
      order({
        lines: [
          { sku: "lamp", qty: 1 },
          { sku: "chair", qty: 1 },
          { sku: "lamp", qty: 2 },
        ],
      }),
      422,
      "duplicate_item",
      "lines[2].sku",
    ],
    ["no quantity", line({ qty: undefined }), 422, "missing_field", "lines[0].qty"],
    ["a quantity of zero", line({ qty: 0 }), 422, "out_of_range", "lines[0].qty"],
    ["a negative quantity", line({ qty: -1 }), 422, "out_of_range", "lines[0].qty"],
    ["a fraction", line({ qty: 1.5 }), 422, "out_of_range", "lines[0].qty"],
    ["a huge quantity", line({ qty: 1e15 }), 422, "out_of_range", "lines[0].qty"],
    [
      "an infinite quantity",
      JSON.stringify(line({ qty: 7 })).replace(":7", ":1e999"),
      422,
      "out_of_range",
      "lines[0].qty",
    ],
    ["a quantity as text", line({ qty: "1" }), 422, "wrong_type", "lines[0].qty"],
    ["no currency", order({ currency: undefined }), 422, "missing_field", "currency"],
    ["an unknown currency", order({ currency: "EUX" }), 422, "unknown_currency", "currency"],
    ["a currency in lower case", order({ currency: "eur" }), 422, "unknown_currency", "currency"],
    ["a currency of the wrong type", order({ currency: 978 }), 422, "wrong_type", "currency"],
    ["number zero", order({ seq: 0 }), 422, "out_of_range", "seq"],
    ["a fractional number", order({ seq: 1.5 }), 422, "out_of_range", "seq"],
    ["a number as text", order({ seq: "1" }), 422, "wrong_type", "seq"],
    ["null for a number", order({ seq: null }), 422, "wrong_type", "seq"],
    ["payment of the wrong type", order({ payment: {} }), 422, "wrong_type", "payment"],
    ["empty payment", order({ payment: "" }), 422, "out_of_range", "payment"],
    ["payment too long", order({ payment: "x".repeat(257) }), 422, "out_of_range", "payment"],
    [
      "payment with a control character",
      order({ payment: "a\u0000b" }),
      422,
      "out_of_range",
      "payment",
    ],
    ["metadata of the wrong type", order({ metadata: "x" }), 422, "wrong_type", "metadata"],
    [
      "metadata too large",
      order({ metadata: { x: "x".repeat(1_100) } }),
      422,
      "out_of_range",
      "metadata",
    ],
    [
      "metadata too large in bytes",
      order({ metadata: { x: "ü".repeat(600) } }),
      422,
      "out_of_range",
      "metadata",
    ],
    ["a maximum of zero", order({ maxTotal: 0 }), 422, "out_of_range", "maxTotal"],
    ["a fractional maximum", order({ maxTotal: 9.99 }), 422, "out_of_range", "maxTotal"],
    [
      "a maximum beyond exact integers",
      order({ maxTotal: 2 ** 60 }),
      422,
      "out_of_range",
      "maxTotal",
    ],
    ["another user", order({ user: "bob" }), 403, "forbidden", "user"],
    ["too large", order({ metadata: { x: "x".repeat(70_000) } }), 413, "too_large"],
  ];

for (const row of rows) test(row[0], () => refused(row));

async function refused([, body, status, code, field]: (typeof rows)[number]): Promise<void> {
  const response = await post(`${t.gateway.url}/v1/orders`, body, ann);
  expect(response.status).toBe(status);
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  const problem = (await response.json()) as Record<string, unknown>;
  expect(problem).toMatchObject({
    type: `urn:sluice:problem:${code}`,
    status,
    code,
    title: expect.any(String),
  });
  expect(problem.field).toBe(field as string);
}

test("the wrong content type is 415", async () => {
  for (const type of ["text/plain", "application/x-www-form-urlencoded", "application/jsonp"]) {
    const response = await post(`${t.gateway.url}/v1/orders`, order(), {
      ...ann,
      "content-type": type,
    });
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([
      415,
      "unsupported_type",
    ]);
  }
});

test("a compressed body is 415 with what is understood", async () => {
  for (const [encoding, status] of [
    ["gzip", 415],
    ["br", 415],
    ["identity", 202],
  ] as const) {
    const body = order();
    if (status === 202) taken++;
    const response = await post(`${t.gateway.url}/v1/orders`, body, {
      ...ann,
      "content-encoding": encoding,
    });
    expect(response.status).toBe(status);
    if (status === 202) continue;
    expect(await response.json()).toMatchObject({
      code: "unsupported_encoding",
      field: "Content-Encoding",
    });
    expect(response.headers.get("accept-encoding")).toBe("identity");
  }
});

test("answers are neither kept by caches nor taken for pages", async () => {
  taken++;
  const answers = [
    await post(`${t.gateway.url}/v1/orders`, order(), ann),
    await post(`${t.gateway.url}/v1/orders`, "{", ann),
    await post(`${t.gateway.url}/v1/orders/batch`, { orders: [1] }, ann),
    await fetch(`${t.gateway.url}/v1/orders`, { headers: ann }),
    await fetch(`${t.gateway.url}/v1/nothing`),
  ];
  for (const { headers } of answers)
    expect([headers.get("cache-control"), headers.get("x-content-type-options")]).toEqual([
      "no-store",
      "nosniff",
    ]);
});

test("missing, bad and expired tokens are 401 with a challenge", async () => {
  const cases: [Record<string, string>, string, string][] = [
    [{}, "no_token", "Bearer"],
    [{ authorization: "Bearer rubbish" }, "bad_token", 'Bearer error="invalid_token"'],
    [
      await bearer("ann", { secret: "some other secret of sufficient length" }),
      "bad_token",
      'Bearer error="invalid_token"',
    ],
    [await bearer("ann", { expiresInS: -1 }), "token_expired", 'Bearer error="invalid_token"'],
  ];
  for (const [headers, code, challenge] of cases) {
    const response = await post(`${t.gateway.url}/v1/orders`, order(), headers);
    expect([response.status, response.headers.get("www-authenticate")]).toEqual([401, challenge]);
    expect(await response.json()).toMatchObject({ code });
  }
});

test("a batch itself: no list, an empty one, too many, an unknown field", async () => {
  const cases: [unknown, string, string?][] = [
    [{}, "missing_field", "orders"],
    [{ orders: {} }, "wrong_type", "orders"],
    [{ orders: [] }, "out_of_range", "orders"],
    [{ orders: Array.from({ length: 501 }, () => 1) }, "out_of_range", "orders"],
    [{ orders: [1], more: 1 }, "unknown_field", "more"],
    [[], "not_an_object"],
  ];
  for (const [body, code, field] of cases)
    expect(await (await post(`${t.gateway.url}/v1/orders/batch`, body, ann)).json()).toMatchObject(
      field ? { code, field } : { code },
    );
});

test("a skip: each field is checked as in an order", async () => {
  const cases: [unknown, string, string?][] = [
    ["{", "malformed"],
    [{ saleId: "spring" }, "missing_field", "seq"],
    [{ saleId: "spring", seq: 0 }, "out_of_range", "seq"],
    [{ saleId: "nope", seq: 1 }, "unknown_sale", "saleId"],
    [{ saleId: "spring", seq: 1, id: "x" }, "unknown_field", "id"],
  ];
  for (const [body, code, field] of cases)
    expect(await (await post(`${t.gateway.url}/v1/orders/skip`, body, ann)).json()).toMatchObject(
      field ? { code, field } : { code },
    );
});

test("other methods are 405 with the allowed ones, other paths 404", async () => {
  const methods: [string, string, string][] = [
    ["DELETE", "/v1/orders", "GET, POST"],
    ["GET", "/v1/orders/batch", "POST"],
    ["GET", "/v1/orders/skip", "POST"],
    ["POST", "/v1/sales/spring", "GET"],
    ["PUT", "/v1/admin/sales", "GET, POST"],
  ];
  for (const [method, path, allow] of methods) {
    const response = await fetch(t.gateway.url + path, { method, headers: ann });
    expect([response.status, response.headers.get("allow")]).toEqual([405, allow]);
    expect(await response.json()).toMatchObject({ code: "method_not_allowed" });
  }
  expect(await (await fetch(`${t.gateway.url}/v2/orders`)).json()).toMatchObject({
    status: 404,
    code: "not_found",
  });
});

test("a request names exactly one host", async () => {
  const body = JSON.stringify(order());
  const post = (hosts: string) =>
    raw(
      `POST /v1/orders HTTP/1.1\r\n${hosts}Authorization: ${ann.authorization}\r\n` +
        `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
  const get = (hosts: string) => raw(`GET /v1/sales HTTP/1.1\r\n${hosts}\r\n`);
  const upgrade = (hosts: string) =>
    raw(`GET /v1/ws HTTP/1.1\r\n${hosts}Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n`);
  for (const send of [post, get, upgrade])
    for (const hosts of ["Host: a\r\nHost: b\r\n", "Host: a\r\nHost: a\r\n", "Host: a, b\r\n"])
      expect(await send(hosts)).toMatch(/^HTTP\/1.1 400 [\s\S]*"code":"bad_host"/);
  for (const send of [post, get, upgrade]) expect(await send("")).toStartWith("HTTP/1.1 400");
});

/** Sends bytes on a new socket and returns the reply, until the server has answered or closed. */
function raw(text: string, options: { halfClose?: boolean } = {}): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let got = "";
  const socket = connect({ port: t.gateway.port, host: "127.0.0.1", allowHalfOpen: true });
  socket.on("data", (data) => {
    got += data;
    if (got.includes("\r\n\r\n")) socket.end();
  });
  socket.on("close", () => resolve(got));
  socket.on("end", () => socket.end());
  socket.on("error", () => resolve(got));
  if (options.halfClose) socket.end(text);
  else socket.write(text);
  return promise;
}

const head = (lengths: string) =>
  `POST /v1/orders HTTP/1.1\r\nHost: x\r\nAuthorization: ${ann.authorization}\r\n` +
  `Content-Type: application/json\r\n${lengths}\r\n\r\n`;

test("an oversize body is refused unread; a chunked one once it is too large", async () => {
  for (const bytes of [65_537, 10_000_000_000])
    expect(await raw(head(`Content-Length: ${bytes}`))).toContain('"code":"too_large"');
  const chunk = "x".repeat(70_000);
  expect(
    await raw(`${head("Transfer-Encoding: chunked")}${chunk.length.toString(16)}\r\n${chunk}\r\n`),
  ).toContain('"code":"too_large"');
});

test("a chunked body within the bound is accepted like any other", async () => {
  const before = t.broker.rows.length;
  const body = JSON.stringify(order());
  const answer = await raw(
    `${head("Transfer-Encoding: chunked")}${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
  );
  expect(answer).toStartWith("HTTP/1.1 202");
  expect(t.broker.rows.length).toBe(before + 1);
});

test("half a request places nothing when the client closes; a whole one does", async () => {
  const before = t.broker.rows.length;
  const body = JSON.stringify(order());
  await raw(`${head(`Content-Length: ${body.length}`)}${body.slice(0, 40)}`, { halfClose: true });
  expect(t.broker.rows.length).toBe(before);
  // Bun sends no answer once the client's side is closed, but the order is published.
  await raw(`${head(`Content-Length: ${body.length}`)}${body}`, { halfClose: true });
  while (t.broker.rows.length === before) await Bun.sleep(1);
  expect(t.broker.rows.length).toBe(before + 1);
});

test("no refused request has reached the broker", () => {
  expect(t.broker.rows.length).toBe(taken + 2); // and the two well-formed ones above
});
