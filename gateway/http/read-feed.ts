// GET /v1/feed: the events of all orders from a position on, for operators and services. A page
// that would be empty is answered when there is an event, or when the caller's wait is over.

import { showEvent } from "../../core/domain/feed-event.ts";
import { cursorOf, type FeedPosition, readCursor } from "../../core/domain/feed-position.ts";
import { messageOf } from "../../core/domain/message-of.ts";
import type { Runtime, Timer } from "../../core/runtime/runtime.ts";
import type { FeedPage, Ledger } from "../../ledger/contract.ts";
import { may, scopesFor } from "../access/rights.ts";
import { cursor } from "../admin/admin-webhooks.ts";
import { rfc3339 } from "../admin/sale-form.ts";
import { type App, type AppParts, principalOf } from "./calls.ts";
import { problem, Refused } from "./problem.ts";
import { object, optional, read, wholeText } from "./shape.ts";

export const MAX_FEED_PAGE = 1_000;
const DEFAULT_PAGE = 200;
/** Load balancers and clients keep a silent connection for longer. */
export const MAX_FEED_WAIT_S = 30;
/** Callers of a gateway that wait. The next one is answered 503 and comes back. */
const MAX_WAITING = 100;
const LOOK_EVERY_MS = 200;

const AFTER_RULE = "start, end, or the after of a page";
export const FEED_QUERY = object({
  after: optional(cursor(AFTER_RULE, "`start` (default), `end`, or the `after` of a page")),
  limit: optional(wholeText(1, MAX_FEED_PAGE, "About how many events; default 200")),
  wait: optional(wholeText(0, MAX_FEED_WAIT_S, "Seconds to wait for an event; default 0")),
});

export function addFeed(app: App, parts: AppParts): void {
  const { ledger } = parts.options.stores;
  app.get("/v1/feed", async (c) => {
    const principal = await principalOf(parts, c.req.header("authorization"));
    if (!may(principal, "feed"))
      throw new Refused(problem("forbidden", "scope", scopesFor("feed")));
    const query = read(FEED_QUERY, c.req.query());
    const { limit = DEFAULT_PAGE, wait = 0 } = query;
    const after = await positionOf(ledger, query.after);
    const page = await parts.reads.longPoll.page(after, limit, wait * 1_000, c.req.raw.signal);
    if (page === "gone") throw new Refused(problem("conflict", "after", GONE));
    if (page === "busy")
      throw new Refused(problem("unavailable", "wait", "too many callers wait here"));
    return c.json(
      {
        events: page.events.map((event) => showEvent(event, rfc3339)),
        after: cursorOf(page.after),
        more: page.more,
      },
      200,
      { "cache-control": "no-store" },
    );
  });
}

const GONE =
  "this ledger does not have the position: it was restored from a backup, or is another one";

async function positionOf(
  ledger: Pick<Ledger, "feedAt">,
  after: string | undefined,
): Promise<FeedPosition> {
  if (after === undefined || after === "start" || after === "end")
    return ledger.feedAt(after ?? "start");
  const position = readCursor(after);
  if (!position) throw new Refused(problem("out_of_range", "after", AFTER_RULE));
  return position;
}

/** Callers that wait for the next event. The ledger is asked once for all of them. */
export class LongPoll {
  /** What resumes a waiting caller, and the position it has read up to. */
  private readonly waiting = new Map<() => void, string>();
  private timer: Timer | undefined;
  private stopped = false;

  constructor(
    private readonly runtime: Runtime,
    private readonly ledger: Pick<Ledger, "feed" | "feedAt">,
    private readonly log: (event: string, detail: Record<string, unknown>) => void,
  ) {}

  /** Waits at most `waitMs`, and no longer than the caller or this gateway. */
  async page(
    after: FeedPosition,
    limit: number,
    waitMs: number,
    gone: AbortSignal,
  ): Promise<FeedPage | "gone" | "busy"> {
    const endMs = this.runtime.monotonicMs() + waitMs;
    let from = after;
    for (;;) {
      const page = await this.ledger.feed(from, limit);
      if (page === "gone" || page.events.length > 0) return page;
      from = page.after;
      const leftMs = endMs - this.runtime.monotonicMs();
      if (leftMs <= 0 || this.stopped || gone.aborted) return page;
      if (page.more) {
        await this.runtime.sleep(0); // a ledger on SQLite answers without letting others run
        continue;
      }
      if (this.waiting.size >= MAX_WAITING) return "busy";
      await this.news(cursorOf(from), leftMs, gone);
    }
  }

  stop(): void {
    this.stopped = true;
    this.runtime.stopTimer(this.timer);
    for (const wake of this.waiting.keys()) wake();
  }

  /** Until the ledger has moved past a position, for a limited time. */
  private async news(position: string, leftMs: number, gone: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const end = this.runtime.startTimer(resolve, leftMs);
    const left = () => resolve();
    gone.addEventListener("abort", left);
    this.waiting.set(resolve, position);
    if (this.timer === undefined) this.lookSoon();
    await promise;
    gone.removeEventListener("abort", left);
    this.waiting.delete(resolve);
    this.runtime.stopTimer(end);
  }

  private lookSoon(): void {
    this.timer = this.runtime.startTimer(() => void this.look(), LOOK_EVERY_MS);
  }

  private async look(): Promise<void> {
    try {
      const end = cursorOf(await this.ledger.feedAt("end"));
      for (const [wake, position] of this.waiting) if (position !== end) wake();
    } catch (error) {
      this.log("the feed's end is not read", { error: messageOf(error) });
    }
    this.timer = undefined;
    if (this.waiting.size > 0 && !this.stopped) this.lookSoon();
  }
}
