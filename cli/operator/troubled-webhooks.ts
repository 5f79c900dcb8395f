// Webhook endpoints that get no events: paused, or failing for some time.
import type { Overview } from "../../core/domain/overview.ts";
import type { WebhookEndpoint } from "../../core/domain/webhook-endpoint.ts";

/** Shorter failures end by themselves. */
export const FAILING_MS = 600_000;

export function troubledOf(
  endpoints: readonly WebhookEndpoint[],
  nowMs: number,
): NonNullable<Overview["webhooks"]> {
  const troubled = endpoints.flatMap(({ id, paused, failingSinceMs }) => {
    if (paused) return [{ id, sinceMs: paused.atMs }];
    const fails = failingSinceMs > 0 && nowMs - failingSinceMs >= FAILING_MS;
    return fails ? [{ id, sinceMs: failingSinceMs }] : [];
  });
  return { endpoints: endpoints.length, troubled };
}
