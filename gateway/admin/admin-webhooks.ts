// /v1/admin/webhooks: operators register the receivers of events, and see what became of the
// deliveries (docs/webhooks.md). The secret is shown once, in the answer to its creation.
import type { Context } from "hono";
import { FEED_TYPES } from "../../core/domain/feed-event.ts";
import { type FeedPosition, readCursor } from "../../core/domain/feed-position.ts";
import {
  flawOfUrl,
  MAX_ENDPOINTS,
  type WebhookEndpoint,
} from "../../core/domain/webhook-endpoint.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";
import type { Delivery } from "../../ledger/webhook-contract.ts";
import { type App, type AppParts, type Env, jsonOf } from "../http/calls.ts";
import { problem, Refused } from "../http/problem.ts";
import { list, matching, object, oneOf, optional, read, text, wholeText } from "../http/shape.ts";
import { rfc3339 } from "./sale-form.ts";

const MAX_BODY_BYTES = 8_192;
const MAX_LOG_PAGE = 1_000;
const DEFAULT_LOG_PAGE = 100;
const SECRET_BYTES = 32;

/** Opaque: a client keeps it as it is. */
export const cursor = (rule: string, description: string) =>
  matching(/^[A-Za-z0-9_-]+$/, rule, description);
const AFTER_RULE = "start, end, or a cursor of the feed";
export const NEW_WEBHOOK = object({
  url: text({ format: "uri", pattern: "^https?://", maxLength: 2_000 }),
  types: optional(list(oneOf(FEED_TYPES), 1, FEED_TYPES.length, "Default: all")),
  after: optional(cursor(AFTER_RULE, "`end` (default), `start`, or a cursor")),
});
export const DELIVERIES_QUERY = object({
  limit: optional(wholeText(1, MAX_LOG_PAGE, "How many; default 100")),
});
export const REDELIVERY = object({ event: text() });

export function newWebhookSecret({ randomBytes }: Pick<Runtime, "randomBytes">): string {
  return `whsec_${Buffer.from(randomBytes(SECRET_BYTES)).toString("base64")}`;
}

export function addAdminWebhooks(app: App, { options }: AppParts): void {
  const { ledger } = options.stores;
  const { webhooks } = ledger;
  const privateAllowed = options.access.webhookPrivate ?? false;
  const by = (c: Context<Env>) => c.get("principal").user;
  const idOf = (c: Context<Env>) => c.req.param("id") as string;

  app.get("/v1/admin/webhooks", async (c) =>
    c.json({ webhooks: (await webhooks.list()).map(show) }),
  );

  app.post("/v1/admin/webhooks", async (c) => {
    const asked = read(NEW_WEBHOOK, await jsonOf(c.req.raw, MAX_BODY_BYTES));
    const { url, types = [], after = "end" } = asked;
    const flaw = flawOfUrl(url, privateAllowed);
    if (flaw !== undefined) throw new Refused(problem("out_of_range", "url", flaw));
    const position: FeedPosition | undefined =
      after === "end" || after === "start" ? await ledger.feedAt(after) : readCursor(after);
    if (!position) throw new Refused(problem("out_of_range", "after", AFTER_RULE));
    if ((await ledger.feed(position, 1)) === "gone")
      throw new Refused(problem("conflict", "after", "this ledger does not have the position"));
    const secret = newWebhookSecret(options.runtime);
    const added = await webhooks.add({ url, types, secret, position, by: by(c) });
    if (added === "too_many")
      throw new Refused(problem("conflict", "url", `there are ${MAX_ENDPOINTS} endpoints already`));
    c.set("target", `${added.id} ${url}`);
    return c.json({ ...show(added), secret }, 201, { "cache-control": "no-store" });
  });

  app.delete("/v1/admin/webhooks/:id", async (c) => {
    found(await webhooks.remove(idOf(c)));
    return c.json({ id: idOf(c), removed: true });
  });

  app.post("/v1/admin/webhooks/:id/pause", async (c) => {
    found(await webhooks.pause(idOf(c), by(c), "paused by an operator"));
    return c.json({ id: idOf(c), state: "paused" });
  });

  app.post("/v1/admin/webhooks/:id/resume", async (c) => {
    found(await webhooks.resume(idOf(c)));
    return c.json({ id: idOf(c), state: "active" });
  });

  app.get("/v1/admin/webhooks/:id/deliveries", async (c) => {
    const { limit = DEFAULT_LOG_PAGE } = read(DELIVERIES_QUERY, c.req.query());
    const log = await webhooks.log(idOf(c), limit);
    found(log !== undefined);
    return c.json({ deliveries: (log ?? []).map(showDelivery) });
  });

  app.post("/v1/admin/webhooks/:id/redeliver", async (c) => {
    const { event } = read(REDELIVERY, await jsonOf(c.req.raw, MAX_BODY_BYTES));
    const result = await webhooks.redeliver(idOf(c), event);
    found(result !== "no_endpoint");
    if (result === "no_event")
      throw new Refused(problem("not_found", "event", "the delivery log has no such event"));
    if (result === "full")
      throw new Refused(problem("conflict", "event", "too many redeliveries wait already"));
    return c.json({ id: idOf(c), event, result }, 202);
  });
}

function found(is: boolean): void {
  if (!is) throw new Refused(problem("not_found", "id", "no such webhook endpoint"));
}

export function show(endpoint: WebhookEndpoint): Record<string, unknown> {
  const { id, url, types, createdAtMs, createdBy, paused, held, lastError } = endpoint;
  const { failingSinceMs, lastSuccessMs } = endpoint;
  return {
    id,
    url,
    types: types.length === 0 ? FEED_TYPES : types,
    state: paused ? "paused" : failingSinceMs > 0 ? "failing" : "active",
    ...(paused ? { paused: { at: rfc3339(paused.atMs), by: paused.by, why: paused.why } } : {}),
    ...(failingSinceMs > 0 ? { failingSince: rfc3339(failingSinceMs), lastError } : {}),
    ...(lastSuccessMs > 0 ? { lastSuccess: rfc3339(lastSuccessMs) } : {}),
    held,
    created: { at: rfc3339(createdAtMs), by: createdBy },
  };
}

export function showDelivery(delivery: Delivery): Record<string, unknown> {
  const { eventId, type, subject, outcome, status, error, tries, tookMs, atMs } = delivery;
  return {
    event: eventId,
    ...{ type, subject, outcome, tries, tookMs, at: rfc3339(atMs) },
    ...(status > 0 ? { status } : {}),
    ...(error === "" ? {} : { error }),
  };
}
