// GET /v1/admin/me: who is calling, and whether they may change anything. The console shows viewers
// no buttons that would be refused. `grafana`: where its links into Grafana lead.
import { subjectOf } from "../../core/domain/user-name.ts";
import { may } from "../access/rights.ts";
import type { App, AppParts } from "../http/calls.ts";

export function addAdminMe(app: App, { options }: AppParts): void {
  const { grafana } = options.access;
  app.get("/v1/admin/me", (c) => {
    const principal = c.get("principal");
    const expiresAt = new Date(principal.expiresAtMs).toISOString();
    const answer = { subject: subjectOf(principal.user), operate: may(principal, "operate") };
    return c.json({ ...answer, expiresAt, ...(grafana ? { grafana } : {}) });
  });
}
