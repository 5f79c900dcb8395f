// The verdict on the running system, as the console and `sluice top` show it.
import type {
  FindingCode,
  Level,
  Verdict,
  Finding as VerdictFinding,
} from "../../core/domain/finding.ts";
import { ageWords } from "../../core/domain/finding-words.ts";
import { verdictOfFindings } from "../../core/domain/verdict.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import type { Settings } from "../../core/settings/settings.ts";
import { RedisStore } from "../../core/stores/redis.ts";
import { openLedger } from "../../ledger/open.ts";
import { grouped } from "../grouped-findings.ts";
import { type OverviewLedger, overview } from "../operator/overview.ts";
import { servedOverHttp } from "../operator/routing.ts";
import { openRedis } from "../roles/parts.ts";
import type { Finding } from "./finding.ts";
import { hasJustStarted, withoutUnknown } from "./just-started.ts";

const STATES: Readonly<Record<Level, Finding["state"]>> = {
  trouble: "fail",
  warning: "warn",
  notice: "note",
};
/** The other checks report these, with the addresses and settings at fault. */
const REPORTED: ReadonlySet<FindingCode> = new Set([
  ...(["redis_away", "ledger_away", "broker_away"] as const),
  ...(["shards_without_owner", "no_route", "no_consumer", "webhooks_paused"] as const),
]);
/** Younger than this is as good as now. */
const NEW_MS = 2_000;

export interface Judged {
  readonly findings: readonly Finding[];
  /**
   * Their queues have no consumer and need none: they are paused, or claim their parts over HTTP.
   */
  readonly unread: ReadonlySet<string>;
  /** What to do about shards without a worker, if another worker would not help. */
  readonly insteadOfWorkers: string | undefined;
}

const NOTHING: Judged = { findings: [], unread: new Set(), insteadOfWorkers: undefined };

/**
 * Nothing if a store is not named: the other checks report that. While one does not answer, what
 * the other one shows: a halt is recorded in the ledger, and workers report it in Redis.
 */
export async function checkVerdict(settings: Settings): Promise<Judged> {
  const { redisUrl, ledgerUrl: url, shards, ...rest } = settings;
  if (redisUrl === "" || url === "") return NOTHING;
  const opened = await openLedger({ runtime: realRuntime, url, shards }).catch(() => undefined);
  const redis = await redisOf(settings);
  try {
    const ledger = opened ?? ledgerAway(shards);
    const { redisMemory, rateMaxAgeMs, withoutGateway } = rest;
    const limits = { redisMemory, rateMaxAgeMs, withoutGateway };
    const look = { runtime: realRuntime, redis, ledger, ...limits };
    const now = await overview(look);
    const { verdict: all, atMs, roles } = now;
    const { known, unknown } = (await hasJustStarted(redis))
      ? withoutUnknown(all.findings)
      : { known: all.findings, unknown: [] };
    const verdict = verdictOfFindings(known);
    const { state } = now.ledger;
    const paused = roles.flatMap((role) =>
      role.kind === "fulfil" && role.governor.state === "paused" ? [role.service] : [],
    );
    return {
      findings: [...unknown, ...verdictFindings(verdict, atMs, state === "up")],
      unread: new Set([...paused, ...servedOverHttp(roles)]),
      insteadOfWorkers: verdict.findings.flatMap(insteadOf)[0],
    };
  } finally {
    await redis.close();
    await opened?.close();
  }
}

/** A ledger that does not answer. */
function ledgerAway(shards: number): OverviewLedger {
  const away = () => Promise.reject(new Error("the ledger is away"));
  const reads = { sales: away, halt: away, routes: away, revenueAfter: away, salesSince: away };
  return { shards, ...reads, webhooks: { list: away } };
}

/** One that refuses to serve is as good as away here. */
async function redisOf(settings: Settings): Promise<RedisStore> {
  const silent = () => undefined;
  const refused = () =>
    new RedisStore({ runtime: realRuntime, url: settings.redisUrl, onError: silent });
  return openRedis(realRuntime, settings, silent).catch(refused);
}

export const LEDGER_FIRST = "bring the ledger back: workers own no shards without it";

function insteadOf({ code, subject }: VerdictFinding): string[] {
  if (code === "halted") return ["decide about the halt below: no worker owns a shard until then"];
  if (code === "ledger_away") return [LEDGER_FIRST];
  return code === "all_paused" && subject === "worker" ? ["see below why all are paused"] : [];
}

/** `ledgerUp`: it answers here, so a role that misses it is news. */
export function verdictFindings({ findings }: Verdict, nowMs: number, ledgerUp = false): Finding[] {
  return grouped(findings)
    .filter(({ code }) => !REPORTED.has(code) || (code === "ledger_away" && ledgerUp))
    .map(({ code, level, what, affects, next, sinceMs }) => {
      const age = sinceMs === null ? 0 : nowMs - sinceMs;
      const since = age < NEW_MS ? "" : `, for ${ageWords(age)}`;
      const detail = `${what}${since}; affects ${affects}`;
      return { what: code.replaceAll("_", " "), state: STATES[level], detail, fix: next };
    });
}
