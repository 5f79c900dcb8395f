// GET /v1/admin/audit: what operators did, newest first, a page at a time.
import { nameOfUser, subjectOf } from "../../core/domain/user-name.ts";
import type { AuditRecord } from "../../ledger/audit-log.ts";
import type { App, AppParts } from "../http/calls.ts";
import { Problem, problem, Refused } from "../http/problem.ts";
import { rfc3339 } from "./sale-form.ts";

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1_000;
const KNOWN = ["limit", "before", "subject", "action"];

export function addAdminAudit(app: App, { options }: AppParts): void {
  app.get("/v1/admin/audit", async (c) => {
    const query = c.req.query();
    for (const name of Object.keys(query))
      if (!KNOWN.includes(name)) throw new Refused(new Problem("unknown_field", name.slice(0, 64)));
    const { subject, action } = query;
    const { records, next } = await options.stores.ledger.auditLog({
      limit: numberOf("limit", query.limit, MAX_LIMIT) ?? DEFAULT_LIMIT,
      before: numberOf("before", query.before, Number.MAX_SAFE_INTEGER),
      // By the text of a token or, for the command line, as it is.
      subjects: subject === undefined ? undefined : [subject, nameOfUser(subject) ?? subject],
      action,
    });
    return c.json({ records: records.map(shown), next }, 200, { "cache-control": "no-store" });
  });
}

function numberOf(name: string, text: string | undefined, most: number): number | undefined {
  if (text === undefined) return undefined;
  const number = /^\d{1,16}$/.test(text) ? Number(text) : 0;
  if (number < 1 || number > most) throw new Refused(problem("out_of_range", name, `1 to ${most}`));
  return number;
}

/** `status` is missing while no result is on record. */
export function shown({ seq, atMs, subject, action, target, detail, result }: AuditRecord) {
  return {
    ...{ seq, at: rfc3339(atMs), subject: subjectOf(subject), action, target },
    detail: JSON.parse(detail) as unknown,
    ...(result ? { status: result.status, endedAt: rfc3339(result.atMs) } : {}),
  };
}
