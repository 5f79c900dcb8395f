// Logs events for operators as lines of JSON on standard error, because standard output belongs to
// commands. pino writes them synchronously, so that a crashing process loses none.

import pino from "pino";
import { withoutSecrets } from "../core/domain/masked.ts";
import { escapedJson } from "../core/domain/plain.ts";
import { realRuntime } from "../core/runtime/runtime.ts";

export type Log = (event: string, detail?: Record<string, unknown>) => void;

/** Events above `info`. docs/operations.md explains every event. */
const SEVERITY: Readonly<Record<string, "warn" | "error">> = {
  admission: "warn",
  "audit failed": "warn",
  "broker away": "warn",
  "broker blocked": "warn",
  "broker lost": "warn",
  "clock jumped": "warn",
  crashed: "error",
  descriptors: "warn",
  "entry unreadable": "warn",
  "followed orders not read": "warn",
  governor: "warn",
  halted: "error",
  "ledger away": "warn",
  "ledger silent": "warn",
  "no beat": "warn",
  "no rates": "warn",
  "operation not yet in Redis": "warn",
  "part not done": "warn",
  "part not settled": "warn",
  "parts not returned": "warn",
  "parts not taken": "warn",
  "payment request not settled": "warn",
  "provider breaker": "warn",
  "provider fails": "warn",
  "rate held": "warn",
  "rate refused": "warn",
  "rates not stored": "warn",
  "rebuild begins again": "warn",
  "rebuild failed": "warn",
  redis: "warn",
  "redis away": "warn",
  "redis rebuilt": "warn",
  "request failed": "error",
  "route not yet applied": "warn",
  "routes not applied": "warn",
  "shard not acquired": "warn",
  "snapshot failed": "warn",
  "task failed": "warn",
  "task still running": "warn",
  "the feed's end is not read": "warn",
  "webhook contradicts the ledger": "warn",
  "webhook endpoint paused": "warn",
  "webhook leases not renewed": "warn",
  "webhooks not sent": "warn",
};

/** A governor that slows a role down does its work; one that pauses it stops some. */
function severityOf(event: string, { state }: Record<string, unknown>): "info" | "warn" | "error" {
  if (event === "governor" && state !== "paused") return "info";
  return SEVERITY[event] ?? "info";
}

/** An error's text may come from a library and name an address with its password. */
function shown(detail: Record<string, unknown>): Record<string, unknown> {
  const { error } = detail;
  return typeof error === "string" ? { ...detail, error: withoutSecrets(error) } : detail;
}

export function makeLog(role: string, write?: (line: string) => void): Log {
  const options: pino.LoggerOptions = {
    base: { role },
    level: process.env.SLUICE_LOG_LEVEL || "info",
    messageKey: "event",
    timestamp: () => `,"at":"${new Date(realRuntime.wallMs()).toISOString()}"`,
    formatters: { level: (severity) => ({ severity }) },
  };
  const out = write ? { write } : pino.destination({ fd: 2, sync: true });
  // Logs are read on terminals too.
  const logger = pino(options, { write: (line) => void out.write(escapedJson(line)) });
  return (event, detail = {}) => logger[severityOf(event, detail)](shown(detail), event);
}
