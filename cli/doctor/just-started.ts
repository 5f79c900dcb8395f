// A Redis that has just started may be empty: what lists the running roles is not known before they
// have reported again, about a second after they have reconnected.
import type { FindingCode, Finding as VerdictFinding } from "../../core/domain/finding.ts";
import { ignore } from "../../core/runtime/ignored.ts";
import type { RedisStore } from "../../core/stores/redis.ts";
import { type Finding, warn } from "./finding.ts";

/** Roles reconnect within a second and report every second; Redis counts whole seconds. */
const SETTLED_S = 5;
/** Findings that rest on a role's missing report. */
const MISSING: ReadonlySet<FindingCode> = new Set([
  ...(["no_gateway", "no_worker", "no_payments", "no_sender"] as const),
  ...(["region_without_gateway", "shards_without_owner"] as const),
]);

export async function hasJustStarted(redis: RedisStore): Promise<boolean> {
  const info = await ignore(
    redis.run((client) => client.info("server")),
    "overview_look",
  );
  const seconds = /^uptime_in_seconds:(\d+)/m.exec(info ?? "")?.[1];
  return seconds !== undefined && Number(seconds) < SETTLED_S;
}

/** Without what is unknown yet, and what to say of it instead. */
export function withoutUnknown(findings: readonly VerdictFinding[]): {
  readonly known: readonly VerdictFinding[];
  readonly unknown: readonly Finding[];
} {
  const known = findings.filter(({ code }) => !MISSING.has(code));
  if (known.length === findings.length) return { known, unknown: [] };
  const what = "unknown: Redis has just started; not all roles have reported yet";
  return { known, unknown: [warn("roles", what, "run doctor again in a few seconds")] };
}
