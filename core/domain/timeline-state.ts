// The current state as names with values, and the events that its changes amount to. Pure.
//
//   role ID            kind and start, of a running role
//   shard N            its owner
//   admission ID       of a gateway
//   finding CODE ID    of the verdict, in words
//   sale ID            before, open or closed
//   rebuilds ID        how often a worker has rebuilt Redis, and its start
//
// 1. What is unknown changes nothing: while Redis is away no role is gone and no finding ends.
// 2. A change must last for a moment, so that flickering does not fill the day. A rebuild that
//    takes less is counted by its worker, which says how long it took.
// 3. Of a role that left while Redis was away, or that Redis forgot, nobody knows how it ended.
import { FINDINGS, type FindingCode } from "./finding.ts";
import { and, KIND_WORDS } from "./finding-words.ts";
import type { Overview } from "./overview.ts";
import type { RoleReport } from "./report.ts";
import type { TimelineEvent, TimelineKind } from "./timeline.ts";
import { endsNow } from "./timeline-known.ts";

export type TimelineState = Readonly<Record<string, string>>;

export interface Change {
  readonly name: string;
  /** Empty: it was not the case. */
  readonly from: string;
  readonly to: string;
  readonly event: TimelineEvent;
  /** What led to it, and went unseen. */
  readonly before?: TimelineEvent;
}

/** How long a change must stand, ms; an end longer than a beginning. */
const STANDS_MS: Readonly<Record<string, readonly [begins: number, ends: number]>> = {
  role: [0, 6_000],
  shard: [0, 0],
  admission: [5_000, 5_000],
  finding: [2_000, 10_000],
  sale: [0, 0],
  rebuilds: [0, 60_000],
};
/** Roles slow down and recover all the time where a machine is shared. */
const SLOWED_STANDS_MS = [30_000, 30_000] as const;
const AT_ONCE = [0, 0] as const;
const MAX_NAMES = 2_000;
/** An age at that moment means nothing on record. */
const AGE = /, (counted )?\d+ (s|min|h|d) (old|ago)$/;
/** A role that started longer ago, and was not there in the last look, was there before. */
const STARTS_MS = 30_000;
/** A sale may open or close between two looks, or be opened with the time of that moment. */
const SALE_SLACK_MS = 5_000;

export class TimelineWatch {
  private current: Record<string, string>;
  /** Roles that this watch has seen: it knows how they left. */
  private readonly seen = new Set<string>();
  private lastMs: number | undefined;
  private readonly pending = new Map<string, { readonly to: string; readonly sinceMs: number }>();

  constructor(state: TimelineState) {
    this.current = { ...state };
  }

  get state(): TimelineState {
    return this.current;
  }

  look(overview: Overview): Change[] {
    const values = valuesOf(overview);
    if (this.isRedisNew(values, overview)) this.seen.clear();
    if (!overview.unasked.includes("redis")) for (const { id } of overview.roles) this.seen.add(id);
    const changes: Change[] = [];
    for (const [name, to] of values)
      if (this.settles(name, to, overview.atMs)) changes.push(this.change(name, to, overview));
    for (const name of Object.keys(this.current))
      if (!values.has(name) && endsNow(name, overview) && this.settles(name, "", overview.atMs))
        changes.push(this.change(name, "", overview));
    for (const name of this.pending.keys())
      if (!values.has(name) && this.current[name] === undefined) this.pending.delete(name);
    this.lastMs = overview.atMs;
    for (const id of this.seen) if (!this.current[`role ${id}`]) this.seen.delete(id);
    return changes.filter(({ event }) => event.what !== "");
  }

  /** 3. Whether its list of roles does not show who left since the last look. */
  private isRedisNew(values: ReadonlyMap<string, string>, { unasked }: Overview): boolean {
    const rebuilt = [...values].some(
      ([name, count]) =>
        name.startsWith("rebuilds ") && rebuildsIn(count) > rebuildsIn(this.current[name] ?? ""),
    );
    return rebuilt || unasked.includes("redis");
  }

  /** 2 */
  private settles(name: string, to: string, atMs: number): boolean {
    const from = this.current[name] ?? "";
    if (isSame(name, from, to)) {
      this.pending.delete(name);
      return false;
    }
    const known = this.pending.get(name);
    const since = known && isSame(name, known.to, to) ? known : { to, sinceMs: atMs };
    this.pending.set(name, since);
    const isSlowed = name.startsWith("finding slowed ");
    const [begins, ends] = isSlowed ? SLOWED_STANDS_MS : (STANDS_MS[kindOf(name)] ?? AT_ONCE);
    return atMs - since.sinceMs >= (to === "" || to === "open" ? ends : begins);
  }

  private change(name: string, to: string, overview: Overview): Change {
    const from = this.current[name] ?? "";
    const sinceMs = this.pending.get(name)?.sinceMs ?? overview.atMs;
    this.pending.delete(name);
    const full = from === "" && Object.keys(this.current).length >= MAX_NAMES;
    if (to === "") delete this.current[name];
    else if (!full) this.current[name] = to;
    // Without this memory it would be news in every round.
    const known = !full && (from !== "" || this.isNew(name, overview));
    const event = known ? this.eventOf(name, from, to, overview, sinceMs) : NOTHING;
    const before = event.kind === "rebuild_ended" ? this.beginning(event, overview) : undefined;
    return { name, from, to, event, ...(before && { before }) };
  }

  /** False: rebuilds of a worker that was frozen, say, which were on record while it was there. */
  private isNew(name: string, { roles, atMs }: Overview): boolean {
    if (kindOf(name) !== "rebuilds") return true;
    const worker = roles.find(({ kind, id }) => kind === "worker" && name === `rebuilds ${id}`);
    return (worker?.sinceMs ?? 0) >= (this.lastMs ?? atMs) - STARTS_MS;
  }

  /** 2. Of a rebuild that was over before it was seen. */
  private beginning(
    { atMs, subject }: TimelineEvent,
    { roles }: Overview,
  ): TimelineEvent | undefined {
    const worker = roles.find((role) => role.kind === "worker" && role.id === subject);
    const tookMs = worker?.kind === "worker" ? worker.rebuildTookMs : undefined;
    if (tookMs === undefined || this.current["finding rebuilding "] !== undefined) return undefined;
    const what = `Redis is being rebuilt by ${subject}`;
    return { atMs: atMs - tookMs, kind: "rebuild_began", subject, what };
  }

  /** Whether it was over when this watch last looked. */
  private isOlder(atMs: number): boolean {
    return this.lastMs === undefined || atMs < this.lastMs - SALE_SLACK_MS;
  }

  private eventOf(name: string, from: string, to: string, overview: Overview, sinceMs: number) {
    const event = eventOf(name, from, to, overview, sinceMs);
    const { kind, subject, atMs } = event;
    const who = whoOf(subject, to || from);
    if (kind === "role_started" && this.lastMs !== undefined && atMs < this.lastMs - STARTS_MS)
      return { ...event, atMs: sinceMs, kind: "role_back" as const, what: `${who} reports again` };
    // Its window began before anyone looked, or was moved there: it was not opened at that time.
    if (kind === "sale_opened" && from !== "before" && this.isOlder(atMs))
      return { ...event, atMs: sinceMs, what: `sale ${subject} is open` };
    if (kind === "sale_closed" && this.isOlder(atMs)) return { ...event, atMs: sinceMs };
    if (kind === "role_stopped" && !this.seen.has(subject))
      return { ...event, what: `${who} is gone; no gateway saw how it ended` };
    return event;
  }
}

/** Several shards that move to a worker at once are one event. */
export function eventsOf(changes: readonly Change[]): TimelineEvent[] {
  const events: TimelineEvent[] = [];
  const moved = new Map<string, { event: TimelineEvent; shards: string[]; from: string[] }>();
  for (const { name, from, event, before } of changes) {
    if (before) events.push(before);
    if (event.kind !== "shard_moved") {
      events.push(event);
      continue;
    }
    const key = `${event.subject} ${event.atMs}`;
    const all = moved.get(key) ?? { event, shards: [], from: [] };
    all.shards.push(name.slice("shard ".length));
    if (from !== "") all.from.push(from);
    moved.set(key, all);
  }
  for (const { event, shards, from } of moved.values()) {
    const who = from.length > 0 ? ` from ${and(from)}` : "";
    const what = `${shards.length === 1 ? "shard" : "shards"} ${and(shards)} moved`;
    events.push({ ...event, what: `${what}${who} to ${event.subject}` });
  }
  return events.toSorted((a, b) => a.atMs - b.atMs);
}

/** When this gateway noticed a change, by its own monotonic clock. */
export interface Noticed extends Change {
  readonly noticedMs: number;
}

/**
 * Those of a gateway's changes that the state on record does not have yet: it noticed them while
 * another gateway wrote, the last time at `writtenMs`, by the clock of this one.
 */
export function notOnRecord(
  changes: readonly Noticed[],
  state: TimelineState,
  writtenMs: number,
): Noticed[] {
  const reached = new Map<string, number>();
  changes.forEach(({ name, to, noticedMs }, i) => {
    if (noticedMs <= writtenMs && isSame(name, state[name] ?? "", to)) reached.set(name, i);
  });
  return changes.filter(({ name }, i) => i > (reached.get(name) ?? -1));
}

const kindOf = (name: string): string => name.slice(0, name.indexOf(" "));

/** A finding's words change all the time, with its figures. */
function isSame(name: string, a: string, b: string): boolean {
  return kindOf(name) === "finding" ? (a === "") === (b === "") : a === b;
}

function valuesOf(o: Overview): Map<string, string> {
  const values = new Map<string, string>();
  if (!o.unasked.includes("redis")) {
    for (const { id, kind, sinceMs } of o.roles) values.set(`role ${id}`, `${kind} ${sinceMs}`);
    for (const { shard, worker } of o.owners) values.set(`shard ${shard}`, worker);
    for (const role of o.roles)
      if (role.kind === "worker")
        values.set(`rebuilds ${role.id}`, `${role.rebuilds} ${role.sinceMs}`);
    for (const role of o.roles)
      if (role.kind === "gateway") values.set(`admission ${role.id}`, role.admission);
  }
  for (const { code, subject, what } of o.verdict.findings)
    values.set(`finding ${code} ${subject}`, what.replace(AGE, ""));
  if (o.asOf.sales !== null)
    for (const { id, opensAtMs, closesAtMs } of o.sales)
      values.set(
        `sale ${id}`,
        o.atMs < opensAtMs ? "before" : o.atMs < closesAtMs ? "open" : "closed",
      );
  return values;
}

/** Findings that have kinds of their own. */
const KINDS: Partial<Record<FindingCode, readonly [begins: TimelineKind, ends: TimelineKind]>> = {
  broker_away: ["region_away", "region_back"],
  halted: ["halted", "halt_ended"],
  rebuilding: ["rebuild_began", "rebuild_ended"],
};
const NOTHING: TimelineEvent = { atMs: 0, kind: "operator", subject: "", what: "" };

function eventOf(
  name: string,
  from: string,
  to: string,
  overview: Overview,
  atMs: number,
): TimelineEvent {
  const subject = name.slice(name.indexOf(" ") + 1);
  switch (kindOf(name)) {
    case "role":
      return roleEvent(subject, from, to, overview, atMs);
    case "shard":
      return { atMs, kind: "shard_moved", subject: to, what: `${name} moved to ${to}` };
    case "admission":
      if (to === "" || (from === "" && to === "open")) return NOTHING;
      return { atMs, kind: "admission", subject, what: `${subject}: admission ${to}` };
    case "finding":
      return findingEvent(subject, from, to, atMs);
    case "rebuilds":
      // A worker that is gone or has not rebuilt it, or a state of an earlier release.
      if (rebuildsIn(to) === 0 || to.split(" ")[0] === from) return NOTHING;
      return {
        ...{ atMs, kind: "rebuild_ended", subject },
        what: `Redis was rebuilt from the ledger by ${subject}${tookWords(subject, overview)}`,
      };
    default:
      return saleEvent(subject, from, to, overview);
  }
}

/** `2 1790000000000`: how often the worker that started then has. */
const rebuildsIn = (value: string) => Number(value.split(" ")[0]);

function tookWords(worker: string, { roles }: Overview): string {
  const role = roles.find(({ kind, id }) => kind === "worker" && id === worker);
  const tookMs = role?.kind === "worker" ? role.rebuildTookMs : undefined;
  return tookMs === undefined ? "" : `, in ${(tookMs / 1_000).toFixed(1)} s`;
}

function whoOf(id: string, value: string): string {
  const [kind = ""] = value.split(" ");
  return `the ${KIND_WORDS[kind as RoleReport["kind"]] ?? kind} ${id}`;
}

function roleEvent(
  id: string,
  from: string,
  to: string,
  { lost, atMs: nowMs }: Overview,
  atMs: number,
): TimelineEvent {
  const [, sinceMs = "0"] = (to || from).split(" ");
  const role = whoOf(id, to || from);
  if (to !== "") {
    const startedMs = Math.min(Number(sinceMs), nowMs);
    return { atMs: startedMs, kind: "role_started", subject: id, what: `${role} has started` };
  }
  const gone = lost.find((l) => l.id === id);
  if (gone)
    return {
      ...{ atMs: gone.lastSeenMs, kind: "role_lost", subject: id },
      what: `${role} has stopped reporting`,
    };
  return { atMs, kind: "role_stopped", subject: id, what: `${role} has stopped` };
}

/** A lost role and admission have events of their own. */
const ELSEWHERE: ReadonlySet<string> = new Set<FindingCode>([
  ...(["role_lost", "role_restarted", "no_sale", "shedding", "gateway_closed"] as const),
]);

function findingEvent(name: string, from: string, to: string, atMs: number): TimelineEvent {
  const [code = "", ...rest] = name.split(" ");
  if (ELSEWHERE.has(code) || !(code in FINDINGS)) return NOTHING;
  const [begins, ends] = KINDS[code as FindingCode] ?? ["alarm_raised", "alarm_ended"];
  const own = KINDS[code as FindingCode] !== undefined;
  const about = rest.join(" ");
  const subject = own || about !== "" ? about : code.replaceAll("_", " ");
  if (to !== "") return { atMs, kind: begins, subject, what: to };
  // The worker's count says that it ended, and how.
  if (code === "rebuilding") return NOTHING;
  return { atMs, kind: ends, subject, what: `over: ${from}` };
}

function saleEvent(id: string, from: string, to: string, { sales }: Overview): TimelineEvent {
  const sale = sales.find((s) => s.id === id);
  if (!sale || to === "before" || (from === "" && to === "closed")) return NOTHING;
  return to === "open"
    ? { atMs: sale.opensAtMs, kind: "sale_opened", subject: id, what: `sale ${id} has opened` }
    : { atMs: sale.closesAtMs, kind: "sale_closed", subject: id, what: `sale ${id} has closed` };
}
