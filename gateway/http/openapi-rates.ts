// The operator's calls for exchange rates that jumped, used by openapi-operator.ts.
import { RATE_VERDICT } from "../admin/admin-rates.ts";
import { body, type Json, list, object, ok, REPEATABLE } from "./openapi-schemas.ts";
import { shown } from "./openapi-shapes.ts";

const PAIR = { type: "string", pattern: "^[A-Z]{3}/[A-Z]{3}$", examples: ["EUR/USD"] };
const RATE_VALUE = { type: "string", pattern: "^\\d{1,9}(\\.\\d{1,12})?$", examples: ["1.0837"] };
const TIME = { type: "string", format: "date-time" };
const RATE = object({ pair: PAIR, value: RATE_VALUE, at: TIME }, ["pair", "value", "at"]);
const WAITING_RATE = object(
  {
    ...{ pair: PAIR, value: RATE_VALUE, at: TIME, since: TIME },
    last: { type: "string", description: "The value it is too far from" },
    state: { enum: ["held", "refused"] },
    waitsSeconds: { type: "integer" },
  },
  ["pair", "value", "last", "state", "at", "since", "waitsSeconds"],
);
export function ratePaths(refusals: (...statuses: number[]) => Json): Json {
  return {
    "/v1/admin/rates": {
      get: {
        summary: "Show the exchange rates in use, and those that jumped and are not used",
        responses: {
          200: ok(
            "By pair; `waiting` ones are `held` for an operator or `refused` by one",
            object({ rates: list(RATE), waiting: list(WAITING_RATE) }, ["rates", "waiting"]),
          ),
          ...refusals(401, 403, 404, 503),
        },
      },
    },
    ...Object.fromEntries(
      (["accept", "refuse"] as const).map((verdict) => [
        `/v1/admin/rates/${verdict}`,
        {
          post: {
            summary:
              verdict === "accept"
                ? "Use an exchange rate that jumped"
                : "Ignore an exchange rate that jumped until its source sends one that fits",
            parameters: [REPEATABLE],
            requestBody: body(shown(RATE_VERDICT)),
            responses: {
              200: ok("Done; `applied` says whether Redis has it", { type: "object" }),
              ...refusals(401, 403, 404, 409, 422, 503),
            },
          },
        },
      ]),
    ),
  };
}
