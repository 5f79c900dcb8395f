// The calls that the console reads besides the overview, used by openapi-operator.ts. Their shapes
// are in docs/console-api.md.
import { type Json, list, object, ok } from "./openapi-schemas.ts";

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

export function consolePaths(refusals: (...statuses: number[]) => Json): Json {
  return {
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
