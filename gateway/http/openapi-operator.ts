// The operator's calls for routes and dead letters, used by openapi.ts.
import { MAX_MONEY_MINOR } from "../../core/domain/order.ts";
import { MAX_UNITS_PER_ITEM } from "../../core/domain/sale.ts";
import { consolePaths } from "./openapi-console.ts";
import { ratePaths } from "./openapi-rates.ts";
import { body, type Json, list, name, object, ok, ref, user, whole } from "./openapi-schemas.ts";

const MAX_LETTERS = 10_000;
const MAX_CHOSEN = 500;
const REGION = { type: "string", pattern: "^[a-z][a-z0-9-]{0,31}$" };
/** Text for people, on one line. */
const CONTROLS = "\\u0000-\\u001f\\u007f-\\u009f";
const TEXT = {
  type: "string",
  maxLength: 200,
  pattern: `^[^${CONTROLS}]*[^\\s${CONTROLS}][^${CONTROLS}]*$`,
};
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
const DEALT: Json = {
  type: "object",
  properties: {
    matched: { type: "integer" },
    done: { type: "integer" },
    left: list({ type: "object", properties: { id: { type: "string" }, why: { type: "string" } } }),
  },
};
const LETTERS = object(
  {
    queue: TEXT,
    reason: { ...TEXT, description: "Text the reason contains" },
    user: { ...user("The user the letters are about."), maxLength: 200 },
    ids: {
      ...list({ type: "string", pattern: "^[0-9a-f]{8}$" }),
      minItems: 1,
      maxItems: MAX_CHOSEN,
      description: "These letters alone",
    },
    all: { type: "boolean", description: "Every letter; required without a filter" },
    limit: whole(1, MAX_LETTERS, "Letters to read in each queue"),
  },
  [],
);
const FILTER: Json = {
  ...LETTERS,
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
  const query = (parameter: string): Json => ({
    name: parameter,
    in: "query",
    schema: SHAPES[parameter] ?? { type: "string" },
    description: QUERIES[parameter] ?? "",
  });
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
        parameters: [category],
        requestBody: body(
          object(
            {
              service: name("The service"),
              region: { ...REGION, description: "Only for orders accepted there" },
              new: { type: "boolean", description: "The service is yet to come" },
            },
            ["service"],
          ),
        ),
        responses: {
          200: ok("Done; `applied` says whether every region's broker has it", { type: "object" }),
          ...refusals(401, 403, 409, 422, 503),
        },
      },
      delete: {
        summary: "Remove a route: parts of the category wait for a new one",
        parameters: [category, query("region")],
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
        parameters: [
          { ...query("limit"), schema: whole(1, 1_000), description: "Entries; default 100" },
          {
            ...query("before"),
            schema: whole(1, Number.MAX_SAFE_INTEGER),
            description: "The `next` of the previous page",
          },
          { ...query("subject"), description: "Only what this token's subject did" },
          { ...query("action"), description: "Only this action, such as `restock`" },
        ],
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
        summary: "List this gateway's orders that only one region holds, and without an outcome",
        parameters: [query("region")],
        responses: {
          200: ok(
            "The oldest first",
            object(
              {
                region: { type: "string" },
                orders: list({ type: "object" }),
                full: { type: "boolean", description: "There may be more" },
              },
              ["region", "orders", "full"],
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
        summary: "List dead letters and unrouted parts",
        parameters: ["queue", "reason", "user", "limit"].map(query),
        responses: {
          200: ok(
            "The letters, oldest first in each queue",
            object({ letters: list(LETTER) }, ["letters"]),
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
            ? "Remove letters for good"
            : "Send letters back to where they came from, or retry their payments";
        return [
          [
            `/v1/admin/dead/${verb}`,
            {
              post: {
                summary,
                requestBody: body(FILTER),
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

const SHAPES: Readonly<Record<string, Json>> = {
  region: REGION,
  limit: whole(1, MAX_LETTERS),
  user: user("The user."),
};
const QUERIES: Readonly<Record<string, string>> = {
  region: "Only what belongs to this region",
  queue: "Letters of one queue",
  reason: "Letters whose reason contains this",
  user: "Letters about a user's orders",
  limit: "Letters to read in each queue; default 100",
};

/** Changes of one item, each with a reason. */
function itemPaths(
  refusals: Parameters<typeof operatorPaths>[0],
  pathParameter: Parameters<typeof operatorPaths>[1],
): Json {
  const sale = pathParameter("sale", "The sale");
  const sku = pathParameter("sku", "The item");
  const time = { type: "string", format: "date-time" };
  const change = (
    summary: string,
    parameters: readonly Json[],
    members: Json,
    more: Json = {},
  ) => ({
    post: {
      summary,
      parameters,
      requestBody: body(
        object({ ...members, reason: { ...TEXT, minLength: 1 } }, [
          ...Object.keys(members).filter((name) => !OPTIONAL.has(name)),
          "reason",
        ]),
      ),
      responses: { 200: ok("Done", ref("Change")), ...more, ...refusals(...REFUSALS) },
    },
  });
  const item = "/v1/admin/sales/{sale}/items/{sku}";
  const units = (least: number) => whole(least, MAX_UNITS_PER_ITEM);
  const price = whole(0, MAX_MONEY_MINOR, "Minor units of the sale's currency");
  const fresh = {
    sku: name("The item"),
    name: { ...TEXT, minLength: 1 },
    category: name("Decides which service fulfils it"),
    priceMinor: price,
  };
  return {
    "/v1/admin/sales/{sale}/items": change(
      "Add an item",
      [sale],
      { ...fresh, limitPerUser: units(0), initial: units(0) },
      { 201: ok("Added", ref("Change")) },
    ),
    [`${item}/correct`]: change(
      "Take units away, never more than are free",
      [sale, sku],
      { units: units(1) },
      { 202: ok("Not ended yet: Redis is away; repeat the call", ref("Change")) },
    ),
    [`${item}/price`]: change(
      "Change the price for orders accepted from a moment on; default: in five seconds",
      [sale, sku],
      { priceMinor: price, from: time },
    ),
    [`${item}/limit`]: change("Change the limit per user", [sale, sku], {
      limitPerUser: units(0),
    }),
    [`${item}/withdraw`]: change("Let nobody order it any more", [sale, sku], {}),
    [`${item}/offer`]: change("Offer a withdrawn item again", [sale, sku], {}),
  };
}

const OPTIONAL = new Set(["name", "limitPerUser", "from"]);
const REFUSALS = [400, 401, 403, 404, 409, 413, 415, 422, 503];
