// POST /v1/parts/claim and /v1/parts/done: a processing service claims its parts of paid orders and
// reports them (docs/fulfilment.md). The token's subject is the service.
import { MAX_LINES, NAME_PATTERN } from "../../core/domain/order.ts";
import { UUID_V7 } from "../../core/domain/order-id.ts";
import { type Part, partKey } from "../../core/domain/part.ts";
import type { PartId } from "../../ledger/contract.ts";
import { may, scopesFor } from "../access/rights.ts";
import { Fields } from "../admin/fields.ts";
import { rfc3339 } from "../admin/sale-form.ts";
import type { ClaimAnswer, PartReport, ReportAnswer } from "../ports.ts";
import { type App, type AppParts, jsonOf, principalOf } from "./calls.ts";
import { type Problem, problem, Refused } from "./problem.ts";

export const MAX_PARTS = 100;
const DEFAULT_PARTS = 16;
/** Load balancers and clients keep a silent connection for longer. */
export const MAX_CLAIM_WAIT_S = 30;
export const LEASE_S = { least: 1, most: 3_600, usual: 60 } as const;
export const MAX_REASON = 200;
export const OUTCOMES = ["done", "later", "failed"] as const;
const MAX_GENERATION = 1_000_000_000;
const KEY = /^([^/]+)\/([^/]+)\/([1-9]\d{0,9})\/([1-9]\d?)$/;
const KEY_RULE = "the key of a claimed part: user/order/generation/part";

export function addParts(app: App, parts: AppParts): void {
  const desk = parts.options.parts;
  app.post("/v1/parts/claim", async (c) => {
    const { service, fields } = await read(parts, c.req.raw, ["claim", "max", "wait", "lease"]);
    const asked = {
      service,
      claim: fields.name("claim"),
      most: whole(fields, "max", 1, MAX_PARTS, DEFAULT_PARTS),
      waitMs: whole(fields, "wait", 0, MAX_CLAIM_WAIT_S, 0) * 1_000,
      leaseMs: whole(fields, "lease", LEASE_S.least, LEASE_S.most, LEASE_S.usual) * 1_000,
    };
    if (!desk) throw new Refused(problem("not_found"));
    const answer = await desk.claim(asked, c.req.raw.signal);
    if (answer.kind === "claimed" || answer.kind === "none")
      return c.json({ claim: asked.claim, ...shown(answer) });
    return parts.orders.intake.refuse(CLAIM_REFUSALS[answer.kind]).response();
  });
  app.post("/v1/parts/done", async (c) => {
    const known = ["claim", "key", "outcome", "reason"];
    const { service, fields } = await read(parts, c.req.raw, known);
    const [key, claim] = [fields.string("key"), fields.name("claim")];
    const report = { service, claim, of: partIn(fields, key), ...outcomeIn(fields) };
    if (!desk) throw new Refused(problem("not_found"));
    const answer = await desk.report(report);
    if (answer.kind !== "reported")
      return parts.orders.intake.refuse(reportRefusal(answer)).response();
    return c.json({ key, outcome: report.outcome });
  });
}

/** The caller's service, and the body's members. */
async function read(parts: AppParts, request: Request, known: readonly string[]) {
  const principal = await principalOf(parts, request.headers.get("authorization") ?? undefined);
  if (!may(principal, "serve"))
    throw new Refused(problem("forbidden", "scope", scopesFor("serve")));
  const value = await jsonOf(request, parts.limits.bodyBytes);
  const fields = Fields.of(value, ["service", ...known]);
  if (fields.has("service") && fields.name("service") !== principal.user)
    throw new Refused(problem("forbidden", "service", "the token's subject is another service"));
  if (!NAME_PATTERN.test(principal.user) || principal.user.startsWith("@"))
    throw new Refused(problem("forbidden", "sub", "no service can have this name"));
  return { service: principal.user, fields };
}

function whole(fields: Fields, name: string, least: number, most: number, usual: number): number {
  return fields.has(name) ? fields.whole(name, least, most) : usual;
}

function shown(answer: Found): object {
  if (answer.kind === "none" || answer.parts.length === 0) return { parts: [] };
  const withKey = (part: Part) => ({ key: partKey(part), ...part });
  return { leaseUntil: rfc3339(answer.untilMs), parts: answer.parts.map(withKey) };
}

type Found = Extract<ClaimAnswer, { kind: "claimed" }> | Extract<ClaimAnswer, { kind: "none" }>;

const CLAIM_REFUSALS: Readonly<Record<Exclude<ClaimAnswer, Found>["kind"], Problem>> = {
  ended: problem("lease_ended", "claim", "its parts may have another claim; use a new one"),
  too_many: problem("too_many_claims", "claim", "report parts, or wait until their leases end"),
  busy: problem("unavailable", "wait", "too many callers wait here"),
  unavailable: problem("unavailable", undefined, "send the same claim again"),
};

function partIn(fields: Fields, key: string): PartId {
  const [, user = "", id = "", generation = "", part = ""] = KEY.exec(key) ?? [];
  const of = { user, id, generation: Number(generation), part: Number(part) };
  const fits = of.generation <= MAX_GENERATION && of.part <= MAX_LINES;
  if (!NAME_PATTERN.test(user) || !UUID_V7.test(id) || !fits)
    fields.refuse("out_of_range", "key", KEY_RULE);
  return of;
}

function outcomeIn(fields: Fields): Pick<PartReport, "outcome" | "reason"> {
  const text = fields.string("outcome");
  const outcome = OUTCOMES.find((word) => word === text);
  if (!outcome) fields.refuse("out_of_range", "outcome", OUTCOMES.join(", "));
  if (outcome === "failed") return { outcome, reason: fields.text("reason") };
  if (fields.has("reason")) fields.refuse("out_of_range", "reason", "only with `failed`");
  return { outcome, reason: "" };
}

function reportRefusal(answer: Exclude<ReportAnswer, { kind: "reported" }>): Problem {
  switch (answer.kind) {
    case "unknown":
      return problem("not_found", "key", "the service has claimed no such part over HTTP");
    case "ended":
      return problem("lease_ended", "claim", "no effect: another claim may have the part");
    case "unconfirmed":
      return problem("unconfirmed", "key", "send the same report again");
    case "other":
      return problem("conflict", "outcome", OTHER[answer.fate]);
  }
}

const OTHER = {
  done: "no effect: the part is done",
  later: "no effect: the part was put off",
  failed: "no effect: the part has failed",
  gone: "no effect: the part is no longer the service's",
} as const;
