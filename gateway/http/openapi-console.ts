// The calls that the console reads besides the overview, used by openapi-operator.ts. Their shapes
// are in docs/console-api.md.
import { TIMELINE_KINDS } from "../../core/domain/timeline.ts";
import { ORDERS_QUERY, STORY_QUERY } from "../admin/admin-orders.ts";
import { HISTORY_QUERY, TIMELINE_QUERY } from "../admin/admin-timeline.ts";
import { type Json, list, ORDER_ID, object, ok, ref } from "./openapi-schemas.ts";
import { queryParameters } from "./openapi-shapes.ts";

export const FINDING = object(
  {
    code: { type: "string", description: "The table is core/domain/finding.ts" },
    level: { enum: ["trouble", "warning", "notice"] },
    subject: { type: "string", description: "Empty: the whole system" },
    what: { type: "string" },
    affects: { type: "string" },
    next: { type: "string", description: "What to do" },
    sinceMs: { type: ["integer", "null"], description: "Unix ms; null: unknown" },
    anchor: { type: "string", description: "In docs/operations.md" },
  },
  ["code", "level", "subject", "what", "affects", "next", "sinceMs", "anchor"],
);

export function consolePaths(
  refusals: (...statuses: number[]) => Json,
  pathParameter: (name: string, description: string, schema?: Json) => Json,
): Json {
  return {
    ...orderPaths(refusals, pathParameter),
    "/v1/admin/timeline": {
      get: {
        summary: "List what happened in the last day: roles, shards, alarms, operators, sales",
        parameters: queryParameters(TIMELINE_QUERY),
        responses: {
          200: ok(
            "Newest first, or with `after` oldest first",
            object(
              {
                entries: list(
                  object(
                    {
                      seq: { type: "integer" },
                      atMs: { type: "integer" },
                      kind: { enum: TIMELINE_KINDS },
                      subject: { type: "string" },
                      what: { type: "string" },
                    },
                    ["seq", "atMs", "kind", "subject", "what"],
                  ),
                ),
                next: {
                  type: "integer",
                  description: "The `before` (or `after`) of the next page",
                },
              },
              ["entries"],
            ),
          ),
          ...refusals(401, 403, 422, 503),
        },
      },
    },
    "/v1/admin/history": {
      get: {
        summary: "Show the main figures of each minute of the last day",
        parameters: queryParameters(HISTORY_QUERY),
        responses: {
          200: ok(
            "Oldest first; what is null is unknown",
            object({ minutes: list({ type: "object" }) }, ["minutes"]),
          ),
          ...refusals(401, 403, 422, 503),
        },
      },
    },
    "/v1/admin/verdict": {
      get: {
        summary: "Say what is wrong, whom it affects, since when, and what to do next",
        responses: {
          200: ok(
            "The most serious finding first",
            object(
              {
                atMs: { type: "integer" },
                verdict: object(
                  {
                    level: { enum: ["ok", "notice", "warning", "trouble"] },
                    findings: list(FINDING),
                  },
                  ["level", "findings"],
                ),
              },
              ["atMs", "verdict"],
            ),
          ),
          ...refusals(401, 403, 404),
        },
      },
    },
  };
}

function orderPaths(
  refusals: Parameters<typeof consolePaths>[0],
  pathParameter: Parameters<typeof consolePaths>[1],
): Json {
  return {
    "/v1/admin/orders": {
      get: {
        summary: "Find orders of any user: by id alone, by user, state or sale; newest first",
        parameters: queryParameters(ORDERS_QUERY),
        responses: {
          200: ok(
            "A page; it may be short, even empty, before the end",
            object({ orders: list(ref("OrderStatus")), before: { type: "string" } }, ["orders"]),
          ),
          ...refusals(401, 403, 422, 503),
        },
      },
    },
    "/v1/admin/orders/{id}": {
      get: {
        summary: "Show one order's whole story: times, entry, charges, parts, webhook deliveries",
        parameters: [pathParameter("id", "The order", ORDER_ID), ...queryParameters(STORY_QUERY)],
        responses: {
          200: ok("The order as its user sees it, and more", { type: "object" }),
          ...refusals(401, 403, 404, 422, 503),
        },
      },
    },
  };
}
