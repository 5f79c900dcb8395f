// The operator's calls about routes and dead letters, for openapi.ts.
import { body, type Json, list, name, object, ok, whole } from "./openapi-schemas.ts";

const MAX_LETTERS = 10_000;
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
const FILTER = object(
  {
    queue: { type: "string" },
    reason: { type: "string", description: "A part of the reason" },
    user: name("Whose orders they are about"),
    all: { type: "boolean", description: "Every letter; needed when there is no filter" },
    limit: whole(1, MAX_LETTERS, "Letters looked at in each queue"),
  },
  [],
);

export function operatorPaths(
  refusals: (...statuses: number[]) => Json,
  pathParameter: (name: string, description: string) => Json,
): Json {
  const id = pathParameter("id", "The letter");
  const category = pathParameter("category", "The category");
  const query = (parameter: string): Json => ({
    name: parameter,
    in: "query",
    schema: { type: "string" },
    description: QUERIES[parameter] ?? "",
  });
  return {
    "/v1/admin/routes": {
      get: {
        summary: "Which service gets which category",
        responses: {
          200: ok("The routes", object({ routes: list(ROUTE) }, ["routes"])),
          ...refusals(401, 403, 503),
        },
      },
    },
    "/v1/admin/routes/{category}": {
      put: {
        summary: "Parts of a category go to a service from now on",
        parameters: [category],
        requestBody: body(
          object(
            {
              service: name("The service"),
              region: { type: "string", description: "Only orders taken in there" },
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
        summary: "Parts of a category wait until there is a route again",
        parameters: [category, query("region")],
        responses: { 200: ok("Done", { type: "object" }), ...refusals(401, 403, 409, 422, 503) },
      },
    },
    "/v1/admin/overview": {
      get: {
        summary: "Everything in one look: stock, lag, workers, gateways, dead letters",
        responses: {
          200: ok("Rates come from the difference of two looks: counters only grow", {
            type: "object",
          }),
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
                ? "A worker (`*`: all) decides nothing until resumed; its shards go to the others"
                : "A worker (`*`: all) goes on",
            parameters: [id],
            responses: {
              200: ok("The workers meant; done within a second", { type: "object" }),
              ...refusals(401, 403, 404, 503),
            },
          },
        },
      ]),
    ),
    "/v1/admin/dead": {
      get: {
        summary: "Dead letters, and parts without a route",
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
        summary: "One letter, with body and trail",
        parameters: [id],
        responses: { 200: ok("The letter", LETTER), ...refusals(401, 403, 404, 503) },
      },
    },
    ...Object.fromEntries(
      (["redrive", "drop"] as const).flatMap((verb) => {
        const summary =
          verb === "drop"
            ? "Take letters out for good"
            : "Send letters where they came from, or try their payments again";
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

const QUERIES: Readonly<Record<string, string>> = {
  region: "The route of this region only",
  queue: "Letters of one queue",
  reason: "Letters whose reason holds this",
  user: "Letters about a user's orders",
  limit: "Letters looked at in each queue, 100 unless said",
};
