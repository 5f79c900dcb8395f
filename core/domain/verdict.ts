// What is wrong, from one overview: a pure function. Unknown is not zero: where a store could not
// be asked, nothing is concluded from what it last told, except that it does not answer.
import { anchorOf, FINDINGS, type Finding, type FindingCode, type Verdict } from "./finding.ts";
import { ageWords, and, countWords, KIND_WORDS } from "./finding-words.ts";
import { signalWords } from "./reason-words.ts";
import type { DeadCount, GovernorReport, RoleReport, WorkerReport } from "./report.ts";
import { type Facts, ofKind, type Seen } from "./seen.ts";
import { brokers, gateways, regionsWithoutGateway } from "./verdict-gateways.ts";

export interface VerdictLimits {
  /** Rates older than this are not used (SLUICE_RATE_MAX_AGE). */
  readonly rateMaxAgeMs: number;
}

const MANY_ATTEMPTS = "refunds or charges";
/** Orders that wait longer are late; as in the alert SluiceQueueLag. */
const LATE_MS = 5_000;
/** As in the alert SluiceRedisMemory. */
const FULL_SHARE = 0.8;
/** A count of dead letters that is older than this says so. */
const OLD_COUNT_MS = 10_000;
const UNROUTED = "fulfilment.unrouted";
const ORDER = Object.keys(FINDINGS) as FindingCode[];

export function verdict(facts: Facts, limits: VerdictLimits): Verdict {
  const seen = [
    ...stores(facts),
    ...halts(facts),
    ...(facts.unasked.includes("redis") ? [] : roles(facts)),
    ...brokers(facts),
    ...payments(facts),
    ...workers(facts),
    ...gateways(facts),
    ...letters(facts),
    ...routing(facts),
    ...others(facts, limits),
  ];
  const findings = seen
    .map(findingOf)
    .toSorted(
      (a, b) => ORDER.indexOf(a.code) - ORDER.indexOf(b.code) || a.subject.localeCompare(b.subject),
    );
  return verdictOfFindings(findings);
}

/** The findings' levels follow the table's order, so the first is the most serious. */
export function verdictOfFindings(findings: readonly Finding[]): Verdict {
  return { level: findings[0]?.level ?? "ok", findings };
}

function findingOf({ code, subject = "", what, sinceMs = null }: Seen): Finding {
  const { level, affects, next } = FINDINGS[code];
  return { code, level, subject, what, affects, sinceMs, next, anchor: anchorOf(code) };
}

function stores({ atMs, asOf, redis, ledger, unasked, ...facts }: Facts): Seen[] {
  const seen: Seen[] = [];
  if (redis.state === "away")
    seen.push({
      code: "redis_away",
      what: `Redis does not answer: its figures are ${lastKnown(asOf.roles, atMs)}`,
      sinceMs: asOf.roles,
    });
  if (ledger.state === "away")
    seen.push({
      code: "ledger_away",
      what: `the ledger does not answer: its figures are ${lastKnown(asOf.sales, atMs)}`,
      sinceMs: asOf.sales,
    });
  else if (!unasked.includes("redis"))
    for (const { id, kind, ...role } of facts.roles)
      if ("ledger" in role && role.ledger === "away")
        seen.push({
          code: "ledger_away",
          subject: id,
          what: `the ledger does not answer the ${KIND_WORDS[kind]} ${id}`,
        });
  const { usedBytes, maxBytes } = redis;
  if (usedBytes !== null && maxBytes && usedBytes > FULL_SHARE * maxBytes)
    seen.push({
      code: "redis_memory",
      what: `Redis uses ${Math.round((100 * usedBytes) / maxBytes)}% of its memory`,
    });
  return seen;
}

function lastKnown(asOfMs: number | null, atMs: number): string {
  return asOfMs === null ? "unknown" : `the last known ones, ${ageWords(atMs - asOfMs)} old`;
}

function halts(facts: Facts): Seen[] {
  const { halt } = facts;
  const halted = ofKind(facts, "worker").find(({ state }) => state.startsWith("halted"));
  if (!halt && !halted) return [];
  const reason = halt?.reason ?? halted?.state.replace(/^halted: ?/, "") ?? "";
  return [{ code: "halted", what: `everything is halted: ${reason}`, sinceMs: halt?.atMs ?? null }];
}

/** Who should be there and is not. Only while Redis, which lists them, answers. */
function roles(facts: Facts): Seen[] {
  const { roles: all, owners, shardCount, lost, sales, unasked } = facts;
  const has = (kind: RoleReport["kind"]) => all.some((role) => role.kind === kind);
  const missing = lost.filter((role) => !isReplaced(role, all));
  const seen: Seen[] = missing.map(({ id, kind, lastSeenMs }) => ({
    code: "role_lost",
    subject: id,
    what: `the ${KIND_WORDS[kind]} ${id} has stopped reporting`,
    sinceMs: lastSeenMs,
  }));
  if (!has("gateway")) seen.push({ code: "no_gateway", what: "no gateway is running" });
  else seen.push(...regionsWithoutGateway(facts));
  if (!has("worker")) seen.push({ code: "no_worker", what: "no worker is running" });
  else if (owners.length < shardCount && !isBusyWithItself(facts))
    seen.push({
      code: "shards_without_owner",
      what: `${countWords(shardCount - owners.length, "shard")} of ${shardCount} without an owner`,
    });
  if (sales.length > 0 && !has("payments"))
    seen.push({ code: "no_payments", what: "no payment worker is running" });
  if ((facts.webhooks?.endpoints ?? 0) > 0 && !has("sender") && !unasked.includes("ledger"))
    seen.push({
      code: "no_sender",
      what: `no sender is running for ${countWords(facts.webhooks?.endpoints ?? 0, "webhook")}`,
    });
  return seen;
}

/**
 * A process that was started again under the same name has another number behind it. The timeline
 * keeps that the earlier one was lost.
 */
function isReplaced({ id, kind }: Facts["lost"][number], all: Facts["roles"]): boolean {
  const named = (text: string) => text.replace(/-[0-9a-f]{8}$/, "");
  return named(id) !== id && all.some((r) => r.kind === kind && named(r.id) === named(id));
}

/** Halted or rebuilding: shards have no owner then, and that is not what is wrong. */
function isBusyWithItself(facts: Facts): boolean {
  return ofKind(facts, "worker").some(({ state }) => state !== "running");
}

function payments(facts: Facts): Seen[] {
  const all = ofKind(facts, "payments");
  const paused = all.filter(({ breaker }) => breaker !== "closed").map(({ id }) => id);
  if (paused.length === 0) return [];
  return [
    { code: "payments_paused", what: `charging is paused: the provider fails (${and(paused)})` },
  ];
}

function workers(facts: Facts): Seen[] {
  const all = ofKind(facts, "worker");
  const seen: Seen[] = [];
  const rebuilding = all.filter(({ state }) => state === "rebuilding").map(({ id }) => id);
  if (rebuilding.length > 0)
    seen.push({ code: "rebuilding", what: `Redis is being rebuilt by ${and(rebuilding)}` });
  seen.push(...eased(facts));
  const owed = all.map(({ owed: o }) => (o?.refund_failed ?? 0) + (o?.unresolved ?? 0));
  const attempts = Math.max(0, ...owed);
  if (attempts > 0)
    seen.push({
      code: "money_owed",
      what: `${countWords(attempts, "refund or charge", MANY_ATTEMPTS)} must be settled by hand`,
    });
  return [...seen, ...late(facts, all)];
}

/** Roles that slow down or pause. Nobody's work is done by others if all who do it are paused. */
function eased({ roles: all }: Facts): Seen[] {
  const seen: Seen[] = [];
  const byWork = new Map<string, Eased[]>();
  for (const role of all)
    if ("governor" in role) {
      const work = role.kind === "fulfil" ? `service '${role.service}'` : KIND_WORDS[role.kind];
      byWork.set(work, [...(byWork.get(work) ?? []), role]);
    }
  for (const [work, those] of byWork) {
    if (those.every(({ governor }) => governor.state === "paused")) {
      seen.push({ code: "all_paused", subject: work, what: allPausedWords(work, those) });
      continue;
    }
    for (const { id, governor } of those)
      if (governor.state !== "running")
        seen.push({
          code: governor.state === "paused" ? "worker_paused" : "slowed",
          subject: id,
          what: `${id} is ${governor.state}: ${governorWords(governor)}`,
        });
  }
  return seen;
}

type Eased = Pick<WorkerReport, "id" | "governor">;

function allPausedWords(work: string, those: readonly Eased[]): string {
  const why = [...new Set(those.map(({ governor }) => governorWords(governor)))];
  const ids = and(those.map(({ id }) => id));
  const who = those.length === 1 ? `the only ${work}, ${ids},` : `every ${work}, ${ids},`;
  return `${who} is paused: ${and(why)}`;
}

function governorWords(governor: GovernorReport): string {
  return governor.reasons.length === 0 ? "recovering" : and(signalWords(governor));
}

function late({ atMs, unasked }: Facts, all: readonly WorkerReport[]): Seen[] {
  if (unasked.includes("redis")) return [];
  const shards = all.flatMap((w) =>
    w.shards.map(({ shard, regions }) => ({
      shard,
      lagMs: Math.max(0, ...regions.map((r) => r.lagMs)),
    })),
  );
  const slow = shards.filter(({ lagMs }) => lagMs > LATE_MS).sort((a, b) => a.shard - b.shard);
  if (slow.length === 0) return [];
  const worstMs = Math.max(...slow.map(({ lagMs }) => lagMs));
  const names = and(slow.map(({ shard }) => String(shard)));
  const shardWord = slow.length === 1 ? "shard" : "shards";
  return [
    {
      code: "orders_wait",
      what: `orders of ${shardWord} ${names} wait ${ageWords(worstMs)}`,
      sinceMs: atMs - worstMs,
    },
  ];
}

function letters({ dead, atMs }: Facts): Seen[] {
  return dead
    .filter(({ messages }) => messages > 0)
    .map((count) => {
      const { queue, region, messages, sinceMs = null } = count;
      const unrouted = queue === UNROUTED;
      const what = unrouted
        ? `${countWords(messages, "paid part")} without a route in ${region}`
        : `${countWords(messages, "dead letter")} in ${queue} of ${region}`;
      return {
        code: unrouted ? "unrouted_parts" : "dead_letters",
        subject: `${queue} ${region}`,
        what: `${what}${countAge(count, atMs)}`,
        sinceMs,
      };
    });
}

function countAge({ atMs: countedMs }: DeadCount, atMs: number): string {
  if (countedMs === undefined || atMs - countedMs < OLD_COUNT_MS) return "";
  return `, counted ${ageWords(atMs - countedMs)} ago`;
}

function routing(facts: Facts): Seen[] {
  const paused = new Set(
    ofKind(facts, "fulfil").flatMap((r) => (r.governor.state === "paused" ? [r.service] : [])),
  );
  const unread = new Map<string, string[]>();
  const seen: Seen[] = [];
  for (const { category, saleId, service } of facts.routing)
    if (service === null)
      seen.push({
        code: "no_route",
        subject: category,
        what: `category '${category}' of sale ${saleId} has no route`,
      });
    // One that is paused has a finding of its own, and starting another is not what helps.
    else if (!paused.has(service))
      unread.set(service, [...(unread.get(service) ?? []), `'${category}'`]);
  for (const [service, categories] of unread)
    seen.push({
      code: "no_consumer",
      subject: service,
      what: `service '${service}' gets ${and(categories.sort())}, and nobody reads its queue`,
    });
  return seen;
}

function others(facts: Facts, { rateMaxAgeMs }: VerdictLimits): Seen[] {
  const { atMs, rates, ratesWaiting, webhooks, sales, asOf } = facts;
  const seen: Seen[] = [];
  if (rates && atMs - rates.newestAtMs > rateMaxAgeMs)
    seen.push({
      code: "rates_stale",
      what: `the newest exchange rate is ${ageWords(atMs - rates.newestAtMs)} old`,
      sinceMs: rates.newestAtMs + rateMaxAgeMs,
    });
  for (const { pair, value, last, state, sinceMs } of ratesWaiting ?? [])
    if (state === "held")
      seen.push({
        code: "rates_held",
        subject: pair,
        what: `${pair} jumped from ${last} to ${value}: not used until you decide`,
        sinceMs,
      });
  for (const { id, sinceMs } of webhooks?.troubled ?? [])
    seen.push({
      code: "webhooks_paused",
      subject: id,
      what: `webhook ${id} receives no events`,
      sinceMs,
    });
  if (asOf.sales !== null && !sales.some(({ closesAtMs }) => closesAtMs > atMs))
    seen.push({ code: "no_sale", what: "no sale is open or to come" });
  return seen;
}
