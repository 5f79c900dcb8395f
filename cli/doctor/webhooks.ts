// Webhook endpoints that get no events.
import { countWords } from "../../core/domain/finding-words.ts";
import type { WebhookEndpoint } from "../../core/domain/webhook-endpoint.ts";
import { type Finding, ok, warn } from "./finding.ts";

/** Shorter failures end by themselves. */
const FAILING_MS = 600_000;

export function webhookFindings(endpoints: readonly WebhookEndpoint[], nowMs: number): Finding[] {
  if (endpoints.length === 0) return [];
  const found = endpoints.flatMap(({ id, url, paused, failingSinceMs, lastError }) => {
    const what = `webhook ${id}`;
    if (paused) {
      const since = new Date(paused.atMs).toISOString();
      return warn(
        what,
        `${url} is paused since ${since}: ${paused.why}`,
        `'sluice webhooks resume ${id}', or 'sluice webhooks remove ${id}' (docs/webhooks.md)`,
      );
    }
    if (failingSinceMs === 0 || nowMs - failingSinceMs < FAILING_MS) return [];
    const since = new Date(failingSinceMs).toISOString();
    const fix = `'sluice webhooks log ${id}' shows its answers`;
    return warn(what, `${url} has received nothing since ${since}: ${lastError}`, fix);
  });
  return found.length > 0
    ? found
    : [ok("webhooks", `${countWords(endpoints.length, "endpoint")}, none paused`)];
}
