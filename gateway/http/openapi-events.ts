// The feed of events, used by openapi.ts.
import { FEED_TYPES } from "../../core/domain/feed-event.ts";
import { DELIVERIES_QUERY, NEW_WEBHOOK, REDELIVERY } from "../admin/admin-webhooks.ts";
import { body, type Json, list, object, ok } from "./openapi-schemas.ts";
import { queryParameters, shown } from "./openapi-shapes.ts";
import { FEED_QUERY } from "./read-feed.ts";

const EVENT = object(
  {
    specversion: { const: "1.0" },
    id: { type: "string", description: "Unique permanently; the same in every copy of the event" },
    source: { type: "string" },
    type: { enum: FEED_TYPES },
    subject: { type: "string", description: "`user/order`" },
    time: { type: "string", format: "date-time" },
    datacontenttype: { const: "application/json" },
    data: {
      type: "object",
      properties: {
        orderId: { type: "string" },
        user: { type: "string" },
        saleId: { type: "string" },
        status: { type: "string" },
        generation: { type: "integer", minimum: 1 },
        lines: list({ type: "object" }),
        currency: { type: "string" },
        amount: { type: "integer", description: "Minor units" },
      },
      required: ["orderId", "user", "saleId", "status", "generation"],
    },
  },
  ["specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data"],
);

const ENDPOINT: Json = {
  type: "object",
  properties: {
    id: { type: "string" },
    url: { type: "string" },
    types: list({ enum: FEED_TYPES }),
    state: { enum: ["active", "failing", "paused"] },
    paused: { type: "object", description: "When, by whom and why" },
    failingSince: { type: "string", format: "date-time" },
    lastError: { type: "string" },
    lastSuccess: { type: "string", format: "date-time" },
    held: { type: "integer", description: "Events that wait for another try" },
    created: { type: "object" },
    secret: { type: "string", description: "Only in the answer to the creation" },
  },
};
const DELIVERY: Json = {
  type: "object",
  properties: {
    event: { type: "string" },
    type: { enum: FEED_TYPES },
    subject: { type: "string" },
    outcome: { enum: ["delivered", "failed", "given_up"] },
    tries: { type: "integer" },
    tookMs: { type: "integer" },
    at: { type: "string", format: "date-time" },
    status: { type: "integer" },
    error: { type: "string" },
  },
};

export function eventPaths(
  refusals: (...statuses: number[]) => Json,
  pathParameter: (name: string, description: string) => Json,
): Json {
  return {
    ...webhookPaths(refusals, pathParameter("id", "The endpoint")),
    "/v1/feed": {
      get: {
        summary: "Read the events of all orders, from a position on",
        description:
          "For services and operators. Each order's events are in order; none is skipped or " +
          "repeated. See docs/webhooks.md.",
        parameters: queryParameters(FEED_QUERY),
        responses: {
          200: ok(
            "A page; it may be empty",
            object({ events: list(EVENT), after: { type: "string" }, more: { type: "boolean" } }, [
              "events",
              "after",
              "more",
            ]),
          ),
          ...refusals(401, 403, 409, 422, 503),
        },
      },
    },
  };
}

function webhookPaths(refusals: (...statuses: number[]) => Json, id: Json): Json {
  const done = ok("Done", { type: "object" });
  const call = (summary: string, more: Json = {}): Json => ({
    summary,
    parameters: [id],
    responses: { 200: done, ...refusals(401, 403, 404, 503) },
    ...more,
  });
  return {
    "/v1/admin/webhooks": {
      get: {
        summary: "List the webhook endpoints",
        responses: {
          200: ok("The endpoints", object({ webhooks: list(ENDPOINT) }, ["webhooks"])),
          ...refusals(401, 403, 503),
        },
      },
      post: {
        summary: "Add a webhook endpoint",
        requestBody: body(shown(NEW_WEBHOOK)),
        responses: {
          201: ok("Added; the secret is shown only here", ENDPOINT),
          ...refusals(400, 401, 403, 409, 413, 422, 503),
        },
      },
    },
    "/v1/admin/webhooks/{id}": { delete: call("Remove a webhook endpoint") },
    "/v1/admin/webhooks/{id}/pause": { post: call("Pause a webhook endpoint") },
    "/v1/admin/webhooks/{id}/resume": { post: call("Resume a webhook endpoint") },
    "/v1/admin/webhooks/{id}/deliveries": {
      get: call("Show the latest deliveries to an endpoint, newest first", {
        parameters: [id, ...queryParameters(DELIVERIES_QUERY)],
        responses: {
          200: ok("The deliveries", object({ deliveries: list(DELIVERY) }, ["deliveries"])),
          ...refusals(401, 403, 404, 422, 503),
        },
      }),
    },
    "/v1/admin/webhooks/{id}/redeliver": {
      post: call("Send an event of the delivery log again", {
        requestBody: body(shown(REDELIVERY)),
        responses: {
          202: ok("It is sent again, under the same id", { type: "object" }),
          ...refusals(400, 401, 403, 404, 409, 413, 422, 503),
        },
      }),
    },
  };
}
