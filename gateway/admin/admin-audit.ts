// GET /v1/admin/audit: what operators did, newest first, a page at a time.
import { nameOfUser, subjectOf } from "../../core/domain/user-name.ts";
import type { AuditRecord } from "../../ledger/audit-log.ts";
import type { App, AppParts } from "../http/calls.ts";
import { object, oneOf, optional, read, text, wholeText } from "../http/shape.ts";
import { rfc3339 } from "./sale-form.ts";

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1_000;

export const AUDIT_QUERY = object({
  limit: optional(wholeText(1, MAX_LIMIT, "Entries; default 100")),
  before: optional(wholeText(1, Number.MAX_SAFE_INTEGER, "The `next` of the previous page")),
  subject: optional(text({ description: "Only what this token's subject did" })),
  action: optional(text({ description: "Only this action, such as `sales.restock`" })),
  changes: optional(
    oneOf(["yes", "no"], { description: "`yes`: leave out calls that only read; default `no`" }),
  ),
});

export function addAdminAudit(app: App, { options }: AppParts): void {
  app.get("/v1/admin/audit", async (c) => {
    const query = read(AUDIT_QUERY, c.req.query());
    const { limit = DEFAULT_LIMIT, before, subject, action, changes } = query;
    const { records, next } = await options.stores.ledger.auditLog({
      ...{ limit, before },
      // By the text of a token or, for the command line, as it is.
      subjects: subject === undefined ? undefined : [subject, nameOfUser(subject) ?? subject],
      action,
      changes: changes === "yes",
    });
    return c.json({ records: records.map(shown), next }, 200, { "cache-control": "no-store" });
  });
}

/** `status` is missing while no result is on record. */
export function shown({ seq, atMs, subject, action, target, detail, result }: AuditRecord) {
  return {
    ...{ seq, at: rfc3339(atMs), subject: subjectOf(subject), action, target },
    detail: JSON.parse(detail) as unknown,
    ...(result ? { status: result.status, endedAt: rfc3339(result.atMs) } : {}),
  };
}
