// POST /v1/parts/claim and /v1/parts/done: a processing service claims its parts of paid orders and
// reports them (docs/fulfilment.md). The token's subject is the service.
import { MAX_LINES, NAME_PATTERN } from "../../core/domain/order.ts";
import { UUID_V7 } from "../../core/domain/order-id.ts";
import { type Part, partKey } from "../../core/domain/part.ts";
import { USER_NAME } from "../../core/domain/user-name.ts";
import type { PartId } from "../../ledger/contract.ts";
import { may, scopesFor } from "../access/rights.ts";
import { rfc3339 } from "../admin/sale-form.ts";
import type { ClaimAnswer, PartReport, ReportAnswer } from "../ports.ts";
import { type App, type AppParts, jsonOf, principalOf } from "./calls.ts";
import { type Problem, problem, Refused } from "./problem.ts";
import { line, matching, name, object, oneOf, optional, type Read, read, whole } from "./shape.ts";

export const MAX_PARTS = 100;
const DEFAULT_PARTS = 16;
/** Load balancers and clients keep a silent connection for longer. */
const MAX_CLAIM_WAIT_S = 30;
const LEASE_S = { least: 1, most: 3_600, usual: 60 } as const;
export const OUTCOMES = ["done", "later", "failed"] as const;

const SERVICE = {
  service: optional(name("The service; if it is given, it must be the token's subject")),
};
export const CLAIM = object({
  ...SERVICE,
  claim: name("The caller's own name for this claim, such as a UUID"),
  max: optional(whole(1, MAX_PARTS, `Parts at most; default ${DEFAULT_PARTS}`)),
  wait: optional(whole(0, MAX_CLAIM_WAIT_S, "Seconds to wait for a part; default 0")),
  lease: optional(
    whole(
      LEASE_S.least,
      LEASE_S.most,
      `Seconds until parts without a report may be claimed again; default ${LEASE_S.usual}`,
    ),
  ),
});
const inner = ({ source }: RegExp): string => source.slice(1, -1);
/** Generations go up to 1,000,000,000, parts to MAX_LINES. */
const KEY = new RegExp(
  `^${inner(USER_NAME)}/${inner(UUID_V7)}/([1-9]\\d{0,8}|1000000000)/([1-9]|1\\d|${MAX_LINES})$`,
);
export const REPORT = object({
  ...SERVICE,
  claim: name("The claim that has the part"),
  key: matching(
    KEY,
    "the key of a claimed part: user/order/generation/part",
    "`user/order/generation/part`: identifies the part permanently",
  ),
  outcome: oneOf(OUTCOMES, {
    description: "`later`: it is given out again after a growing wait. `failed`: for an operator",
  }),
  reason: optional(line("Why it failed; with `failed`, and only then")),
});

export function addParts(app: App, parts: AppParts): void {
  const desk = parts.options.parts;
  app.post("/v1/parts/claim", async (c) => {
    const { service, said } = await readFor(parts, c.req.raw, CLAIM);
    const { claim, max: most = DEFAULT_PARTS, wait = 0, lease = LEASE_S.usual } = said;
    const asked = { service, claim, most, waitMs: wait * 1_000, leaseMs: lease * 1_000 };
    if (!desk) throw new Refused(problem("not_found"));
    const answer = await desk.claim(asked, c.req.raw.signal);
    if (answer.kind === "claimed" || answer.kind === "none")
      return c.json({ claim: asked.claim, ...shown(answer) });
    return parts.orders.intake.refuse(CLAIM_REFUSALS[answer.kind]).response();
  });
  app.post("/v1/parts/done", async (c) => {
    const { service, said } = await readFor(parts, c.req.raw, REPORT);
    const { claim, key } = said;
    const report = { service, claim, of: partIn(key), ...outcomeIn(said) };
    if (!desk) throw new Refused(problem("not_found"));
    const answer = await desk.report(report);
    if (answer.kind !== "reported")
      return parts.orders.intake.refuse(reportRefusal(answer)).response();
    return c.json({ key, outcome: report.outcome });
  });
}

/** The caller's service, and the body. */
async function readFor<S extends typeof CLAIM | typeof REPORT>(
  parts: AppParts,
  request: Request,
  shape: S,
): Promise<{ readonly service: string; readonly said: Read<S> }> {
  const principal = await principalOf(parts, request.headers.get("authorization") ?? undefined);
  if (!may(principal, "serve"))
    throw new Refused(problem("forbidden", "scope", scopesFor("serve")));
  const said = read<S>(shape, await jsonOf(request, parts.limits.bodyBytes));
  if (said.service !== undefined && said.service !== principal.user)
    throw new Refused(problem("forbidden", "service", "the token's subject is another service"));
  if (!NAME_PATTERN.test(principal.user) || principal.user.startsWith("@"))
    throw new Refused(problem("forbidden", "sub", "no service can have this name"));
  return { service: principal.user, said };
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

/** Of a key that REPORT has checked. */
function partIn(key: string): PartId {
  const [user = "", id = "", generation, part] = key.split("/");
  return { user, id, generation: Number(generation), part: Number(part) };
}

function outcomeIn({
  outcome,
  reason,
}: Read<typeof REPORT>): Pick<PartReport, "outcome" | "reason"> {
  if (outcome === "failed" && reason === undefined)
    throw new Refused(problem("missing_field", "reason"));
  if (outcome !== "failed" && reason !== undefined)
    throw new Refused(problem("out_of_range", "reason", "only with `failed`"));
  return { outcome, reason: reason ?? "" };
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
