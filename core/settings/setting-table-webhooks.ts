// Settings of outgoing webhooks (docs/webhooks.md).
import { duration, oneOf } from "./setting-readers.ts";

const DAY_MS = 86_400_000;

export const WEBHOOK_SETTINGS = {
  webhookTimeoutMs: {
    variable: "SLUICE_WEBHOOK_TIMEOUT",
    says: "how long an endpoint may take to answer a webhook",
    fallback: 10_000,
    read: duration(100, 60_000),
  },
  webhookRetryMs: {
    variable: "SLUICE_WEBHOOK_RETRY",
    says: "wait before a webhook's second try; later waits grow to ten minutes",
    fallback: 2_000,
    read: duration(50, 600_000),
  },
  webhookPauseAfterMs: {
    variable: "SLUICE_WEBHOOK_PAUSE_AFTER",
    says: "an endpoint without a success for this long is paused",
    fallback: DAY_MS,
    read: duration(1_000, 30 * DAY_MS),
  },
  webhookGiveUpMs: {
    variable: "SLUICE_WEBHOOK_GIVE_UP",
    says: "an event that an endpoint has refused for this long is given up",
    fallback: 3 * DAY_MS,
    read: duration(1_000, 30 * DAY_MS),
  },
  webhookPrivate: {
    variable: "SLUICE_WEBHOOK_PRIVATE",
    says: "whether endpoints may have private addresses, and use http",
    fallback: "refuse" as "refuse" | "allow",
    read: oneOf("refuse", "allow"),
  },
} as const;
