// Parts for processing services, used by openapi.ts.
import { body, type Json, list, name, ok, ref, TIME, whole } from "./openapi-schemas.ts";
import { shown } from "./openapi-shapes.ts";
import { CLAIM, MAX_PARTS, OUTCOMES, REPORT } from "./parts-http.ts";

const KEY = {
  type: "string",
  description: "`user/order/generation/part`: identifies the part permanently",
};

const strict = (properties: Json, required: string[], more: Json = {}): Json => ({
  type: "object",
  properties,
  required,
  additionalProperties: false,
  ...more,
});

export const PART_SCHEMAS: Json = {
  Claim: shown(CLAIM),
  Claimed: strict(
    {
      claim: name("As it was sent"),
      leaseUntil: { ...TIME, description: "Present if there are parts" },
      parts: list(ref("Part"), 0, MAX_PARTS),
    },
    ["claim", "parts"],
  ),
  Part: {
    type: "object",
    description: "What the service has to do for an order; newer gateways may add members",
    properties: {
      key: KEY,
      user: name("The buyer"),
      id: { type: "string", description: "The order" },
      saleId: name("The sale"),
      generation: { type: "integer", minimum: 1, description: "One more with each redrive" },
      part: { type: "integer", minimum: 1, description: "From 1 to `of`" },
      of: { type: "integer", minimum: 1, description: "How many parts the order has" },
      shard: { type: "integer", minimum: 0 },
      region: { type: "string", description: "Of the gateway that accepted the order" },
      lines: list(
        strict({ sku: name("The item"), qty: whole(1, 1_000), category: name("Its") }, [
          "sku",
          "qty",
          "category",
        ]),
      ),
      metadata: { type: "string", description: "JSON text that the client gave; empty if none" },
      traceparent: { type: "string" },
      request: { type: "integer", minimum: 1, description: "Grows each time it is put off" },
      sinceMs: { type: "integer", description: "When it was first put off, Unix ms" },
    },
    required: ["key", "user", "id", "saleId", "generation", "part", "of", "lines", "metadata"],
  },
  Report: {
    ...shown(REPORT),
    if: { properties: { outcome: { const: "failed" } } },
    // biome-ignore lint/suspicious/noThenProperty: the keyword of JSON Schema
    then: { required: ["reason"] },
    else: { properties: { reason: false } },
  },
  Reported: strict({ key: KEY, outcome: { enum: OUTCOMES } }, ["key", "outcome"]),
};

const REFUSALS = [400, 401, 403, 409, 413, 415, 422, 503];

export function partPaths(refusals: (...statuses: number[]) => Json): Json {
  return {
    "/v1/parts/claim": {
      post: {
        summary: "Claim parts of paid orders, for the service that is the token's subject",
        description:
          "Sent again with the same `claim`, at any gateway, it answers with the same parts that " +
          "are not reported yet. 409 `lease_ended`: its time is over. See docs/fulfilment.md.",
        requestBody: body(ref("Claim")),
        responses: {
          200: ok("The parts; none if none came in time", ref("Claimed")),
          ...refusals(404, 429, ...REFUSALS),
        },
      },
    },
    "/v1/parts/done": {
      post: {
        summary: "Report a claimed part as done, failed or put off",
        description:
          "200 once the ledger has it; safe to repeat. 409 `lease_ended`: no effect, since " +
          "another claim may have the part. 409 `conflict`: it has another outcome already. " +
          "503 `unconfirmed`: send the same report again.",
        requestBody: body(ref("Report")),
        responses: { 200: ok("Reported", ref("Reported")), ...refusals(404, ...REFUSALS) },
      },
    },
  };
}
