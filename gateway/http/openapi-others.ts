// The calls of others than shops and operators: the payment provider, sockets, monitoring. Used by
// openapi.ts.
import { body, type Json, object, ok, ref } from "./openapi-schemas.ts";
import { shown } from "./openapi-shapes.ts";
import { EVENT } from "./webhook-event.ts";

export function otherPaths(refusals: (...statuses: number[]) => Json): Json {
  return {
    "/v1/payments/webhook": {
      post: {
        summary: "For the payment provider: report on a charge",
        security: [],
        description:
          "Signed as in Standard Webhooks, see docs/payments.md. It may be sent again: replays " +
          "and events without news change nothing. Unlisted statuses get 200 and have no effect.",
        parameters: ["webhook-id", "webhook-timestamp", "webhook-signature"].map((header) => ({
          name: header,
          in: "header",
          required: true,
          schema: { type: "string" },
          description: "As in Standard Webhooks",
        })),
        requestBody: body(shown(EVENT)),
        responses: {
          200: ok(
            "Accepted, or correctly without effect",
            object({ taken: { type: "boolean" }, outcome: { type: "string" } }, [
              "taken",
              "outcome",
            ]),
          ),
          ...refusals(400, 401, 404, 413, 422, 503),
        },
      },
    },
    "/v1/rates": {
      get: {
        summary: "Show the exchange rates that are in use now",
        description:
          "For prices that pages show. An order's rate is fixed when it is decided; after " +
          "`until`, none is decided by this one.",
        security: [],
        responses: { 200: ok("The rates", ref("Rates")), ...refusals(429, 503) },
      },
    },
    "/v1/ws": {
      get: {
        summary: "WebSocket: orders in, acknowledgements and outcomes out",
        description: "The protocol is described in docs/websocket.md.",
        responses: {
          101: { description: "Switching protocols" },
          ...refusals(400, 401, 403, 429, 503),
        },
      },
    },
    "/": {
      get: {
        summary: "Show links to what this gateway serves",
        description: "A page for browsers, JSON for everyone else.",
        security: [],
        tags: ["Start"],
        responses: {
          200: {
            description: "Addresses below this gateway's own; `shop` only if it has one",
            content: {
              "application/json": { schema: ref("Start") },
              "text/html": { schema: { type: "string" } },
            },
          },
        },
      },
    },
    "/healthz": {
      get: {
        summary: "Check that the process answers",
        security: [],
        responses: { 200: ok("Yes", { type: "object" }) },
      },
    },
    "/readyz": {
      get: {
        summary: "Check that orders can be accepted",
        security: [],
        responses: {
          200: ok("Yes", { type: "object" }),
          503: ok("No, and why", { type: "object" }),
        },
      },
    },
    "/metrics": {
      get: {
        summary: "Show metrics for Prometheus",
        description: "Only if they have no port of their own (SLUICE_GATEWAY_METRICS_PORT)",
        security: [],
        responses: {
          200: { description: "Prometheus text; OpenMetrics if Accept names it" },
          ...refusals(404, 429),
        },
      },
    },
  };
}
