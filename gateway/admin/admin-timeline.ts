// /v1/admin/timeline: what happened in the last day. /v1/admin/history: the main figures of each of
// its minutes.
import type { App, AppParts } from "../http/calls.ts";
import { problem, Refused } from "../http/problem.ts";
import { queryOf } from "../http/read-orders.ts";

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1_000;

export function addAdminTimeline(app: App, { options }: AppParts): void {
  const { ledger } = options.stores;

  app.get("/v1/admin/timeline", async (c) => {
    const query = queryOf(c.req.query(), ["limit", "before", "after"]);
    const limit = numberOf("limit", query.limit, 1, MAX_LIMIT) ?? DEFAULT_LIMIT;
    const before = numberOf("before", query.before, 1, Number.MAX_SAFE_INTEGER);
    const after = numberOf("after", query.after, 0, Number.MAX_SAFE_INTEGER);
    if (before !== undefined && after !== undefined)
      throw new Refused(problem("out_of_range", "after", "either 'before' or 'after'"));
    const entries = await ledger.timeline({ limit, before, after });
    const next = entries.length === limit ? { next: entries.at(-1)?.seq } : {};
    return c.json({ entries, ...next }, 200, { "cache-control": "no-store" });
  });

  app.get("/v1/admin/history", async (c) => {
    const { sinceMs } = queryOf(c.req.query(), ["sinceMs"]);
    const since = numberOf("sinceMs", sinceMs, 0, Number.MAX_SAFE_INTEGER) ?? 0;
    return c.json({ minutes: await ledger.history(since) }, 200, { "cache-control": "no-store" });
  });
}

function numberOf(name: string, text: string | undefined, least: number, most: number) {
  if (text === undefined) return undefined;
  const number = /^\d{1,16}$/.test(text) ? Number(text) : -1;
  if (number < least || number > most)
    throw new Refused(problem("out_of_range", name, `${least} to ${most}`));
  return number;
}
