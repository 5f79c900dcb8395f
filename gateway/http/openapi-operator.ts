// The operator's calls for routes and dead letters, used by openapi.ts.
import { AUDIT_QUERY } from "../admin/admin-audit.ts";
import { LETTERS_CHOSEN, LETTERS_QUERY } from "../admin/admin-dead.ts";
import { ITEM_BODIES } from "../admin/admin-items.ts";
import { UNDECIDED_QUERY } from "../admin/admin-overview.ts";
import { NEW_ROUTE, ROUTE_QUERY } from "../admin/admin-routes.ts";
import { consolePaths } from "./openapi-console.ts";
import { ratePaths } from "./openapi-rates.ts";
import { body, type Json, list, name, object, ok, REPEATABLE, ref } from "./openapi-schemas.ts";
import { queryParameters, shown } from "./openapi-shapes.ts";
import type { Shape } from "./shape.ts";

const ROUTE = object(
  { category: name("The category"), region: { type: "string" }, service: { type: "string" } },
  ["category", "region", "service"],
);
const LETTER: Json = {
  type: "object",
  properties: {
    id: { type: "string" },
    region: { type: "string" },
    queue: { enum: ["orders.dead", "payments.dead", "fulfilment.unrouted"] },
    reason: { type: "string" },
    user: { type: "string" },
    order: { type: "string" },
    headers: { type: "object" },
    body: {},
  },
};
const UNASKED: Json = {
  type: "array",
  items: { type: "string" },
  description: "Regions whose broker did not answer; absent: none",
};
const WAITING: Json = {
  ...list(
    object({ region: { type: "string" }, messages: { type: "integer" } }, ["region", "messages"]),
  ),
  description:
    "Without a filter: what else is in `fulfilment.unrouted`, waiting for a route; absent: nothing",
};
const DEALT: Json = {
  type: "object",
  properties: {
    matched: { type: "integer" },
    done: { type: "integer" },
    left: list({ type: "object", properties: { id: { type: "string" }, why: { type: "string" } } }),
    unasked: UNASKED,
  },
};
const CHOSEN: Json = {
  ...shown(LETTERS_CHOSEN),
  anyOf: [
    ...["queue", "reason", "user", "ids"].map((name) => ({ required: [name] })),
    { required: ["all"], properties: { all: { const: true } } },
  ],
};

export function operatorPaths(
  refusals: (...statuses: number[]) => Json,
  pathParameter: (name: string, description: string, schema?: Json) => Json,
): Json {
  const id = pathParameter("id", "The letter");
  const category = pathParameter("category", "The category", name("The category"));
  return {
    "/v1/admin/routes": {
      get: {
        summary: "Show which service gets each category",
        responses: {
          200: ok("The routes", object({ routes: list(ROUTE) }, ["routes"])),
          ...refusals(401, 403, 503),
        },
      },
    },
    "/v1/admin/routes/{category}": {
      put: {
        summary: "Route a category's parts to a service",
        parameters: [category, REPEATABLE],
        requestBody: body(shown(NEW_ROUTE)),
        responses: {
          200: ok("Done; `applied` says whether every region's broker has it", { type: "object" }),
          ...refusals(401, 403, 409, 422, 503),
        },
      },
      delete: {
        summary: "Remove a route: parts of the category wait for a new one",
        parameters: [category, ...queryParameters(ROUTE_QUERY), REPEATABLE],
        responses: { 200: ok("Done", { type: "object" }), ...refusals(401, 403, 409, 422, 503) },
      },
    },
    ...ratePaths(refusals),
    ...itemPaths(refusals, pathParameter),
    "/v1/admin/me": {
      get: {
        summary: "Show who is calling, and whether they may change anything",
        responses: {
          200: ok(
            "The caller",
            object(
              {
                subject: { type: "string" },
                operate: { type: "boolean" },
                expiresAt: { type: "string", format: "date-time" },
                grafana: { type: "string", description: "SLUICE_GRAFANA_URL, if it is set" },
              },
              ["subject", "operate", "expiresAt"],
            ),
          ),
          ...refusals(401, 403),
        },
      },
    },
    "/v1/admin/audit": {
      get: {
        summary: "Show what operators did, newest first; `next` is the `before` of the next page",
        parameters: queryParameters(AUDIT_QUERY),
        responses: {
          200: ok(
            "A page; an entry without `status` has no result on record",
            object({ records: list({ type: "object" }), next: { type: "integer" } }, ["records"]),
          ),
          ...refusals(401, 403, 422, 503),
        },
      },
    },
    "/v1/admin/overview": {
      get: {
        summary: "Show everything at a glance: stock, lag, workers, gateways, dead letters",
        responses: {
          200: ok("Counters only grow: compute rates from two responses", {
            type: "object",
          }),
          ...refusals(401, 403, 404),
        },
      },
    },
    ...consolePaths(refusals, pathParameter),
    "/v1/admin/undecided": {
      get: {
        summary:
          "List this gateway's orders that one region alone holds and that have no outcome yet",
        parameters: queryParameters(UNDECIDED_QUERY),
        responses: {
          200: ok(
            "The oldest first",
            object(
              {
                gateway: { type: "string", description: "Who answers: its id" },
                region: { type: "string" },
                orders: list({ type: "object" }),
                full: { type: "boolean", description: "There may be more" },
              },
              ["gateway", "region", "orders", "full"],
            ),
          ),
          ...refusals(401, 403),
        },
      },
    },
    ...Object.fromEntries(
      (["pause", "resume"] as const).map((verb) => [
        `/v1/admin/workers/{id}/${verb}`,
        {
          post: {
            summary:
              verb === "pause"
                ? "Pause a worker (`*`: all): it decides nothing and its shards go to the others"
                : "Resume a worker (`*`: all)",
            parameters: [id],
            responses: {
              200: ok("The workers concerned; takes effect within a second", { type: "object" }),
              ...refusals(401, 403, 404, 503),
            },
          },
        },
      ]),
    ),
    "/v1/admin/dead": {
      get: {
        summary: "List dead letters, with the parts that a service gave up",
        parameters: queryParameters(LETTERS_QUERY),
        responses: {
          200: ok(
            "The letters, oldest first in each queue",
            object({ letters: list(LETTER), waiting: WAITING, unasked: UNASKED }, ["letters"]),
          ),
          ...refusals(401, 403, 422, 503),
        },
      },
    },
    "/v1/admin/dead/{id}": {
      get: {
        summary: "Show one letter with its body and history",
        parameters: [id],
        responses: { 200: ok("The letter", LETTER), ...refusals(401, 403, 404, 503) },
      },
    },
    ...Object.fromEntries(
      (["redrive", "drop"] as const).flatMap((verb) => {
        const summary =
          verb === "drop"
            ? "Remove letters permanently"
            : "Send letters back to where they came from, or retry their payments";
        return [
          [
            `/v1/admin/dead/${verb}`,
            {
              post: {
                summary,
                requestBody: body(CHOSEN),
                responses: { 200: ok("What was done", DEALT), ...refusals(401, 403, 422, 503) },
              },
            },
          ],
          [
            `/v1/admin/dead/{id}/${verb}`,
            {
              post: {
                summary: `${summary}: one`,
                parameters: [id],
                responses: { 200: ok("What was done", DEALT), ...refusals(401, 403, 404, 503) },
              },
            },
          ],
        ];
      }),
    ),
  };
}

/** Changes of one item, each with a reason. */
function itemPaths(
  refusals: Parameters<typeof operatorPaths>[0],
  pathParameter: Parameters<typeof operatorPaths>[1],
): Json {
  const sale = pathParameter("sale", "The sale");
  const sku = pathParameter("sku", "The item");
  const change = (summary: string, parameters: readonly Json[], shape: Shape, more: Json = {}) => ({
    post: {
      summary,
      parameters: [...parameters, REPEATABLE],
      requestBody: body(shown(shape)),
      responses: { 200: ok("Done", ref("Change")), ...more, ...refusals(...REFUSALS) },
    },
  });
  const one = (verb: keyof typeof ITEM_BODIES, summary: string, more: Json = {}) => ({
    [`/v1/admin/sales/{sale}/items/{sku}/${verb}`]: change(
      summary,
      [sale, sku],
      ITEM_BODIES[verb],
      more,
    ),
  });
  return {
    "/v1/admin/sales/{sale}/items": change("Add an item", [sale], ITEM_BODIES.add, {
      201: ok("Added", ref("Change")),
    }),
    ...one("correct", "Take units away, never more than are free", {
      202: ok("Not ended yet: Redis is away; repeat the call", ref("Change")),
    }),
    ...one("price", "Change the price for orders accepted from a moment on"),
    ...one("limit", "Change the limit per user"),
    ...one("withdraw", "Withdraw an item: new orders for it are refused"),
    ...one("offer", "Offer a withdrawn item again"),
  };
}

const REFUSALS = [400, 401, 403, 404, 409, 413, 415, 422, 503];
