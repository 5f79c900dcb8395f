// What is wrong, from one overview: a pure function. Unknown is not zero: where a store could not
// be read, nothing is concluded from its last values, except that it does not answer.
import { anchorOf, FINDINGS, type Finding, type FindingCode, type Verdict } from "./finding.ts";
import { ageWords, and, countWords, KIND_WORDS } from "./finding-words.ts";
import type { LostRole } from "./overview.ts";
import { ledgerRefusal, refusalWords, remedyWords } from "./reason-words.ts";
import type { PaymentsReport, RoleReport, WorkerReport } from "./report.ts";
import { startedAs } from "./role-name.ts";
import { type Facts, ofKind, type Seen } from "./seen.ts";
import { eased } from "./verdict-eased.ts";
import { brokers, gateways, regionsWithoutGateway } from "./verdict-gateways.ts";
import { letters } from "./verdict-letters.ts";

export interface VerdictLimits {
  /** Rates older than this are not used (SLUICE_RATE_MAX_AGE). */
  readonly rateMaxAgeMs: number;
  /** Regions that have no gateway on purpose (SLUICE_WITHOUT_GATEWAY). */
  readonly withoutGateway?: readonly string[];
}

/** Clocks of two machines may differ: one that began this much earlier took a lost one's place. */
const STARTS_MS = 2_000;
const OTHER_LEDGER =
  "correct SLUICE_REDIS_URL or SLUICE_LEDGER_URL and restart workers and gateways; or, if both " +
  "are right, run 'sluice recover --accept-ledger'";
const MANY_ATTEMPTS = "refunds or charges";
/** Orders that wait longer are late; as in the alert SluiceQueueLag. */
const LATE_MS = 5_000;
/** Attempts in a row that failed, and the time from the first to the last: no passing trouble. */
const FAILURES = 3;
const FAILED_FOR_MS = 3_000;
/** A charge is repeated once a minute or more often: after this, nobody has tried for a while. */
const FAILED_LATELY_MS = 150_000;
/** As in the alert SluiceRedisMemory. */
const FULL_SHARE = 0.8;
const ORDER = Object.keys(FINDINGS) as FindingCode[];

export function verdict(facts: Facts, limits: VerdictLimits): Verdict {
  const seen = [
    ...stores(facts),
    ...halts(facts),
    ...(facts.unasked.includes("redis") ? [] : roles(facts, limits)),
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

function findingOf({ code, subject = "", what, sinceMs = null, ...own }: Seen): Finding {
  const { level, ...kind } = FINDINGS[code];
  const { affects = kind.affects, next = kind.next } = own;
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
  else if (redis.refuses)
    seen.push({
      code: "redis_refuses",
      what: `Redis takes no writes: ${refusalWords(redis.refuses)}`,
      ...remedyOf(redis.refuses),
      sinceMs: asOf.roles,
    });
  if (ledger.state === "away")
    seen.push({
      code: "ledger_away",
      what: `the ledger does not answer: its figures are ${lastKnown(asOf.sales, atMs)}`,
      sinceMs: asOf.sales,
    });
  else if (!unasked.includes("redis")) seen.push(...ledgerOf(facts.roles));
  const { usedBytes, maxBytes } = redis;
  if (
    redis.refuses !== "full" &&
    usedBytes !== null &&
    maxBytes &&
    usedBytes > FULL_SHARE * maxBytes
  )
    seen.push({
      code: "redis_memory",
      what: `Redis uses ${Math.round((100 * usedBytes) / maxBytes)}% of its memory`,
    });
  return seen;
}

function remedyOf(refusal: string): { readonly next?: string } {
  const next = remedyWords(refusal);
  return next === undefined ? {} : { next };
}

/** For roles that cannot reach it, while the gateway that reports this can. */
function ledgerOf(all: readonly RoleReport[]): Seen[] {
  const without = all.filter((role) => "ledger" in role && role.ledger === "away");
  if (without.length === 0) return [];
  const refused = without.flatMap((role) =>
    role.kind === "worker" && role.ledgerRefuses !== undefined ? [role.ledgerRefuses] : [],
  );
  const [word] = refused;
  if (word === undefined) {
    const who = without.map(({ id, kind }) => `the ${KIND_WORDS[kind]} ${id}`);
    return [{ code: "ledger_away", what: `the ledger does not answer ${and(who)}` }];
  }
  const { why, next } = ledgerRefusal(word);
  return [
    {
      code: "ledger_away",
      what: `the ledger takes nothing, ${why} (${and(without.map(({ id }) => id))})`,
      affects: "everybody: nothing is recorded or charged; what is on record can be read",
      next: `${next}; workers resume on their own`,
    },
  ];
}

function lastKnown(asOfMs: number | null, atMs: number): string {
  return asOfMs === null ? "unknown" : `the last known ones, ${ageWords(atMs - asOfMs)} old`;
}

function halts(facts: Facts): Seen[] {
  const { halt } = facts;
  const halted = ofKind(facts, "worker").find(({ state }) => state.startsWith("halted"));
  if (!halt && !halted) return [];
  const reason = halt?.reason ?? halted?.state.replace(/^halted: ?/, "") ?? "";
  const what = `everything is halted: ${reason}`;
  const other = /another ledger/.test(reason) ? { next: OTHER_LEDGER } : {};
  return [{ code: "halted", what, sinceMs: halt?.atMs ?? null, ...other }];
}

/** Roles that should run and do not. Only while Redis, which lists them, answers. */
function roles(facts: Facts, { withoutGateway = [] }: VerdictLimits): Seen[] {
  const { roles: all, owners, shardCount, lost, sales, unasked } = facts;
  const has = (kind: RoleReport["kind"]) => all.some((role) => role.kind === kind);
  const seen: Seen[] = lost.map((role) => lostRole(role, all));
  if (!has("gateway")) seen.push({ code: "no_gateway", what: "no gateway is running" });
  else seen.push(...regionsWithoutGateway(facts, withoutGateway));
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

function lostRole({ id, kind, lastSeenMs }: LostRole, all: readonly RoleReport[]): Seen {
  const next = all.find((r) => r.kind === kind && startedAs(r.id) === startedAs(id) && r.id !== id);
  const who = `the ${KIND_WORDS[kind]} ${id}`;
  const about = { subject: id, sinceMs: lastSeenMs };
  if (next && next.sinceMs > lastSeenMs - STARTS_MS)
    return {
      ...{ ...about, code: "role_restarted", what: `${who} ended, and ${next.id} took its place` },
      next: `'sluice logs ${logOf(id)}' may say why it ended`,
    };
  return { ...about, code: "role_lost", what: `${who} has stopped reporting` };
}

/** A gateway's id begins with its region; its log does not. */
const logOf = (id: string): string => startedAs(id).replace(/^[^.]*\./, "");

/** Halted or rebuilding: shards have no owner then, and that is not what is wrong. */
function isBusyWithItself(facts: Facts): boolean {
  return ofKind(facts, "worker").some(({ state }) => state !== "running");
}

function payments(facts: Facts): Seen[] {
  const all = ofKind(facts, "payments");
  const paused = all.filter(({ breaker }) => breaker !== "closed").map(({ id }) => id);
  if (paused.length > 0)
    return [
      { code: "payments_paused", what: `charging is paused: the provider fails (${and(paused)})` },
    ];
  return all.flatMap(({ id, failing }) => failingProvider(id, failing, facts.atMs));
}

/** Before the breaker opens: few orders make few attempts. */
function failingProvider(id: string, failing: PaymentsReport["failing"], atMs: number): Seen[] {
  if (!failing) return [];
  const { failures, sinceMs, lastMs, why } = failing;
  if (failures < FAILURES || lastMs - sinceMs < FAILED_FOR_MS) return [];
  if (atMs - lastMs > FAILED_LATELY_MS) return [];
  const what = `the last ${failures} attempts of ${id} at the provider failed: ${why}`;
  return [{ code: "provider_failing", subject: id, what, sinceMs }];
}

function workers(facts: Facts): Seen[] {
  const all = ofKind(facts, "worker");
  const seen: Seen[] = [];
  const rebuilding = all.filter(({ state }) => state === "rebuilding").map(({ id }) => id);
  if (rebuilding.length > 0)
    seen.push({ code: "rebuilding", what: `Redis is being rebuilt by ${and(rebuilding)}` });
  seen.push(...eased(facts));
  const attempts = facts.owed ?? owedOf(all) ?? 0;
  if (attempts > 0)
    seen.push({
      code: "money_owed",
      what: `${countWords(attempts, "refund or charge", MANY_ATTEMPTS)} must be settled by hand`,
    });
  return [...seen, ...late(facts, all)];
}

/** Refunds and charges to be settled by hand; undefined: the worker that counts them is unknown. */
export function owedOf(all: readonly WorkerReport[]): number | undefined {
  const counts = all.flatMap(({ owed }) => (owed ? [owed] : []));
  if (counts.length === 0) return undefined;
  return Math.max(...counts.map((o) => (o.refund_failed ?? 0) + (o.unresolved ?? 0)));
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

function routing(facts: Facts): Seen[] {
  const paused = new Set(
    ofKind(facts, "fulfil").flatMap((r) => (r.governor.state === "paused" ? [r.service] : [])),
  );
  const unread = new Map<string, string[]>();
  const seen: Seen[] = [];
  const unrouted = new Map<string, string[]>();
  const waiting = new Map(facts.routing.map((r) => [r.service, r.waiting ?? 0]));
  for (const { category, saleId, service } of facts.routing)
    if (service === null) unrouted.set(category, [...(unrouted.get(category) ?? []), saleId]);
    // A paused one has a finding of its own, and starting another would not help.
    else if (!paused.has(service))
      unread.set(service, [...(unread.get(service) ?? []), `'${category}'`]);
  for (const [category, sales] of unrouted)
    seen.push({
      code: "no_route",
      subject: category,
      what: `category '${category}' of ${saleWords(sales)} has no route`,
      next: `'sluice routes set ${category} SERVICE'`,
    });
  for (const [service, categories] of unread)
    seen.push({
      code: "no_consumer",
      subject: service,
      what:
        `service '${service}' gets ${and(categories.sort())}, and nobody takes its parts` +
        waitWords(waiting.get(service) ?? 0),
      next:
        "start that service; or 'sluice routes set CATEGORY OTHER', and then " +
        `'sluice routes drain ${service}' for the parts that wait`,
    });
  return seen;
}

const waitWords = (parts: number) =>
  parts === 0 ? "" : `: ${countWords(parts, "paid part")} ${parts === 1 ? "waits" : "wait"}`;

const saleWords = (ids: readonly string[]) => `${ids.length === 1 ? "sale" : "sales"} ${and(ids)}`;

/** The source sends others, but not this one; or what it sends is refused by an operator. */
function oldPair({ atMs, rates, ratesWaiting, unasked }: Facts, rateMaxAgeMs: number): Seen[] {
  const { oldest } = rates ?? {};
  if (!oldest || unasked.includes("redis") || atMs - oldest.atMs <= rateMaxAgeMs) return [];
  const { pair } = oldest;
  const waiting = ratesWaiting?.find((w) => w.pair === pair);
  if (waiting?.state === "held") return [];
  const refused = waiting ? `, and ${waiting.value} was refused` : "";
  return [
    {
      code: "rates_stale",
      subject: pair,
      what: `the last rate of ${pair} is ${ageWords(atMs - oldest.atMs)} old${refused}`,
      affects: `customers who need ${pair}: their orders end as fx_unavailable`,
      ...(waiting ? { next: `correct the source; or use it: 'sluice rates accept ${pair}'` } : {}),
      sinceMs: oldest.atMs + rateMaxAgeMs,
    },
  ];
}

function others(facts: Facts, { rateMaxAgeMs }: VerdictLimits): Seen[] {
  const { atMs, rates, ratesWaiting, webhooks, sales, asOf } = facts;
  const seen: Seen[] = [];
  // Redis has the rates.
  if (rates && !facts.unasked.includes("redis") && atMs - rates.newestAtMs > rateMaxAgeMs)
    seen.push({
      code: "rates_stale",
      what: `the newest exchange rate is ${ageWords(atMs - rates.newestAtMs)} old`,
      sinceMs: rates.newestAtMs + rateMaxAgeMs,
    });
  else seen.push(...oldPair(facts, rateMaxAgeMs));
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
