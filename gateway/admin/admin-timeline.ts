// /v1/admin/timeline: what happened in the last day. /v1/admin/history: the main figures of each of
// its minutes.
import { newestFirst } from "../../core/domain/timeline.ts";
import type { App, AppParts } from "../http/calls.ts";
import { problem, Refused } from "../http/problem.ts";
import { object, optional, read, wholeText } from "../http/shape.ts";

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1_000;
const MOST = Number.MAX_SAFE_INTEGER;

export const TIMELINE_QUERY = object({
  limit: optional(wholeText(1, MAX_LIMIT, "Most entries of a page; default 100")),
  before: optional(wholeText(1, MOST, "The `next` of the previous page")),
  after: optional(wholeText(0, MOST, "Only later entries, oldest first; not with `before`")),
});
export const HISTORY_QUERY = object({
  sinceMs: optional(wholeText(0, MOST, "Only minutes that began then or later, Unix ms")),
});

export function addAdminTimeline(app: App, { options }: AppParts): void {
  const { ledger } = options.stores;

  app.get("/v1/admin/timeline", async (c) => {
    const { limit = DEFAULT_LIMIT, before, after } = read(TIMELINE_QUERY, c.req.query());
    if (before !== undefined && after !== undefined)
      throw new Refused(problem("out_of_range", "after", "either 'before' or 'after'"));
    const page = await ledger.timeline({ limit, before, after });
    const next = page.length === limit ? { next: page.at(-1)?.seq } : {};
    const entries = after === undefined ? newestFirst(page) : page;
    return c.json({ entries, ...next }, 200, { "cache-control": "no-store" });
  });

  app.get("/v1/admin/history", async (c) => {
    const { sinceMs = 0 } = read(HISTORY_QUERY, c.req.query());
    return c.json({ minutes: await ledger.history(sinceMs) }, 200, { "cache-control": "no-store" });
  });
}
