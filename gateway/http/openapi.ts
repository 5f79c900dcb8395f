// The HTTP API as OpenAPI 3.1: what /openapi.json serves and /docs shows.
import { MOVES, RESTOCK, SALE_IMPORT } from "../admin/admin.ts";
import { DEFAULT_LIMITS } from "../intake/limits.ts";
import { MAX_KEY_LENGTH } from "../intake/order-keys.ts";
import { FOLLOW_QUERY } from "./event-stream.ts";
import { eventPaths } from "./openapi-events.ts";
import { EXAMPLES } from "./openapi-examples.ts";
import { finished, HEADERS, sharedRefusals, TAG_LIST } from "./openapi-finish.ts";
import { operatorPaths } from "./openapi-operator.ts";
import { otherPaths } from "./openapi-others.ts";
import { PART_SCHEMAS, partPaths } from "./openapi-parts.ts";
import {
  body,
  headerParameter,
  ID,
  type Json,
  json,
  list,
  name,
  ORDER_ID,
  object,
  ok,
  REPEATABLE,
  ref,
  repeatable,
  schemas,
} from "./openapi-schemas.ts";
import { queryParameters, shown } from "./openapi-shapes.ts";
import { PROBLEM_CODES, type ProblemCode, statusOf, titleOf } from "./problem.ts";
import { FOR_USER, ORDER_LIST_QUERY } from "./read-orders.ts";
import { SALES_QUERY } from "./read-sales.ts";

/** Codes of cancels, of parts and of sockets. No order is refused with one of them. */
const NOT_OF_ORDERS: ReadonlySet<ProblemCode> = new Set([
  ...(["too_many_cancels", "too_late", "too_many_claims", "lease_ended"] as const),
  ...(["credit", "foreign_origin"] as const),
]);

/** A call's refusals: one response per status, listing its problem codes. */
const refusals = (...statuses: number[]): Json => refusalsBut(new Set(), statuses);

function refusalsBut(absent: ReadonlySet<ProblemCode>, statuses: readonly number[]): Json {
  const responses: Json = {};
  for (const status of statuses) {
    const codes = PROBLEM_CODES.filter((code) => statusOf(code) === status && !absent.has(code));
    const description = codes.map((code) => `\`${code}\`: ${titleOf(code)}`).join("; ");
    responses[status] = {
      description,
      content: { "application/problem+json": { schema: ref("Problem") } },
    };
  }
  return responses;
}

const pathParameter = (
  parameter: string,
  description: string,
  schema: Json = { type: "string", minLength: 1 },
): Json => ({
  name: parameter,
  in: "path",
  required: true,
  schema,
  description,
});
const traceparent: Json = {
  name: "traceparent",
  in: "header",
  schema: { type: "string" },
  description:
    "W3C Trace Context: the request's trace. It is passed on with its orders to the ledger, " +
    "the payment provider and the services",
};

const ORDER_REFUSALS = [400, 401, 403, 409, 413, 415, 422, 429, 503];
const ADMIN_REFUSALS = [400, 401, 403, 404, 409, 413, 415, 422, 503];
const sale = pathParameter("sale", "The sale's id", name("The sale"));
const order = pathParameter("id", "The order's id", ORDER_ID);

const paths: Json = {
  "/v1/orders": {
    post: {
      summary: "Place an order",
      description:
        "202 once the broker has confirmed it. 503 `shed` (too much is waiting) and " +
        "`unavailable` (no region takes orders): no effect. 503 `unconfirmed`: it may have been " +
        "accepted; send the same id again, as often as needed. " +
        `A body has at most ${DEFAULT_LIMITS.bodyBytes} bytes.`,
      parameters: [
        headerParameter(
          "Idempotency-Key",
          "Instead of `id` in the body, or beside it: a UUID or any other text",
          { type: "string", pattern: `^[!#-+\\--[\\]-~]{1,${MAX_KEY_LENGTH}}$` },
        ),
        traceparent,
      ],
      requestBody: body(ref("Order")),
      responses: {
        202: ok("Accepted; Location is where to read its state", ref("Accepted")),
        ...refusalsBut(NOT_OF_ORDERS, ORDER_REFUSALS),
      },
    },
    get: {
      summary: "List your orders, newest first",
      description:
        "The next page begins at `before`; without it there is none. A page looks through a " +
        "bounded stretch of the ledger, so it may hold fewer orders than `limit`, even none.",
      parameters: queryParameters(ORDER_LIST_QUERY),
      responses: {
        200: ok("A page", object({ orders: list(ref("OrderStatus")), before: ID }, ["orders"])),
        ...refusals(401, 403, 422, 429, 503),
      },
    },
  },
  "/v1/orders/batch": {
    post: {
      summary: `Place up to ${DEFAULT_LIMITS.ordersPerRequest} orders`,
      description:
        "Each order is checked and accepted separately; one result each, in request order.",
      parameters: [traceparent],
      requestBody: body(
        object({ orders: list(ref("Order"), 1, DEFAULT_LIMITS.ordersPerRequest) }, ["orders"]),
      ),
      responses: {
        200: ok(
          "One result per order",
          object(
            {
              results: list({ oneOf: [ref("Accepted"), ref("NotAccepted")] }),
            },
            ["results"],
          ),
        ),
        ...refusals(400, 401, 413, 415, 422, 503),
      },
    },
  },
  "/v1/orders/{id}": {
    get: {
      summary: "Show one order and its events",
      parameters: [order, ...queryParameters(FOR_USER)],
      responses: {
        200: ok("`accepted` until decided, if this gateway accepted it", ref("OrderStatus")),
        ...refusals(401, 403, 404, 422, 429, 503),
      },
    },
    delete: {
      summary: "Cancel an order",
      description:
        "Possible up to two minutes after acceptance. 200: cancelled, and refunded if it had " +
        "been charged. 202: the order has not arrived yet, and is cancelled when it does; or " +
        "the cancel is still in progress. 409: too late, or the order is finished.",
      parameters: [order, ...queryParameters(FOR_USER)],
      responses: {
        200: ok("Cancelled", ref("Cancelled")),
        202: ok("The cancel is pending", ref("Cancelled")),
        ...refusals(401, 403, 409, 422, 429, 503),
      },
    },
  },
  "/v1/orders/{id}/events": {
    get: {
      summary: "Follow an order's events (server-sent events)",
      description:
        "Resumes after Last-Event-ID (or `after`). Ends when nothing can follow; 204 if nothing " +
        "can follow already. See docs/http.md.",
      parameters: [
        order,
        ...queryParameters(FOLLOW_QUERY),
        headerParameter("Last-Event-ID", "The id of the last event that the client has", {
          type: "string",
          pattern: "^\\d{0,15}$",
        }),
      ],
      responses: {
        200: {
          description: "The events",
          content: { "text/event-stream": { schema: { type: "string" } } },
        },
        204: { description: "No more events will follow" },
        ...refusals(401, 403, 404, 422, 429, 503),
      },
    },
  },
  "/v1/orders/skip": {
    post: {
      summary: "Give up a number",
      description:
        "Later numbers no longer wait for it. A refused order does not use up its number: send " +
        "another order with it, or skip it.",
      requestBody: body(ref("Skip")),
      responses: { 202: ok("Accepted", ref("Skipped")), ...refusals(...ORDER_REFUSALS) },
    },
  },
  "/v1/sales": {
    get: {
      summary: "List sales, the latest opening first",
      security: [],
      parameters: queryParameters(SALES_QUERY),
      responses: { 200: ok("A page", ref("SaleList")), ...refusals(404, 422, 429) },
    },
  },
  "/v1/sales/{sale}": {
    get: {
      summary: "Show a sale and its items",
      security: [],
      parameters: [sale],
      responses: { 200: ok("The sale", ref("Sale")), ...refusals(404, 429) },
    },
  },
  "/v1/sales/{sale}/stock": {
    get: {
      summary: "Show live stock of all items",
      security: [],
      parameters: [sale],
      responses: {
        200: ok(
          "Units by state",
          object({ saleId: name("The sale"), items: list(ref("Stock")) }, ["saleId", "items"]),
        ),
        ...refusals(404, 429, 503),
      },
    },
  },
  "/v1/sales/{sale}/stock/{sku}": {
    get: {
      summary: "Show live stock of one item",
      security: [],
      parameters: [sale, pathParameter("sku", "The item", name("The item"))],
      responses: { 200: ok("Units by state", ref("Stock")), ...refusals(404, 503) },
    },
  },
  "/v1/admin/sales": {
    get: {
      summary: "List all sales, with the ledger's stock",
      responses: { 200: ok("The sales", { type: "object" }), ...refusals(401, 403, 503) },
    },
    post: {
      summary: "Create a sale",
      parameters: [repeatable("Makes it safe to repeat; default: the sale's id")],
      requestBody: body(ref("NewSale")),
      responses: {
        201: ok("Created", ref("Change")),
        200: ok("Already created, identical", ref("Change")),
        ...refusals(...ADMIN_REFUSALS),
      },
    },
  },
  "/v1/admin/sales/import": {
    post: {
      summary: "Create several sales",
      requestBody: body(shown(SALE_IMPORT)),
      responses: {
        200: ok("One result per sale", { type: "object" }),
        ...refusals(...ADMIN_REFUSALS),
      },
    },
  },
  ...Object.fromEntries(
    (["open", "close"] as const).map((verb) => [
      `/v1/admin/sales/{sale}/${verb}`,
      {
        post: {
          summary:
            verb === "open"
              ? "Move a sale's opening, and its closing if given"
              : "Move a sale's closing",
          parameters: [sale, REPEATABLE],
          requestBody: {
            required: false,
            content: json(shown(MOVES[verb])),
          },
          responses: { 200: ok("Done", ref("Change")), ...refusals(...ADMIN_REFUSALS) },
        },
      },
    ]),
  ),
  "/v1/admin/sales/{sale}/restock": {
    post: {
      summary: "Add units of an item",
      parameters: [
        sale,
        repeatable("Makes it safe to repeat; without it, units sent twice are added twice"),
      ],
      requestBody: body(shown(RESTOCK)),
      responses: { 200: ok("Done", ref("Change")), ...refusals(...ADMIN_REFUSALS) },
    },
  },
  ...partPaths(refusals),
  ...eventPaths(refusals, pathParameter),
  ...operatorPaths(refusals, pathParameter),
  ...otherPaths(refusals),
};

function withExamples(of: Json): Json {
  return Object.fromEntries(
    Object.entries(of as Record<string, Json>).map(([name, schema]) => [
      name,
      name in EXAMPLES ? { ...schema, examples: [EXAMPLES[name]] } : schema,
    ]),
  );
}

export const OPENAPI: Json = {
  openapi: "3.1.0",
  info: {
    title: "Sluice",
    version: "1",
    description:
      "Flash-sale orders: accepted once the broker has confirmed them, decided exactly once, " +
      "in each user's order.",
    license: { name: "MIT", identifier: "MIT" },
  },
  servers: [{ url: "/" }],
  tags: TAG_LIST,
  security: [{ bearer: [] }],
  paths: finished(paths, refusals),
  components: {
    schemas: withExamples({ ...schemas, ...PART_SCHEMAS }),
    headers: HEADERS,
    responses: sharedRefusals([...new Set(PROBLEM_CODES.map(statusOf))], refusals),
    securitySchemes: { bearer: { type: "http", scheme: "bearer", bearerFormat: "JWT" } },
  },
};
