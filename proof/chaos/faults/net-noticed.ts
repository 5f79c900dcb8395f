// What the near end of a line shows of its trouble: what its role logs, how often it has dialled
// again, how long its calls take; for clients, the answers that they lost.
import { ignore } from "../../../core/runtime/ignored.ts";
import type { ChaosSystem, Link, RoleKind } from "../system.ts";

/** What roles log when their line to this part is in trouble. */
const EVENTS: Readonly<Record<string, readonly string[]>> = {
  broker: ["broker lost", "broker away", "broker blocked"],
  redis: ["redis", "redis away", "no beat", "clock not read"],
  ledger: ["ledger away", "ledger silent", "shard not acquired"],
  provider: ["provider breaker", "payment request not settled"],
};

/** The histogram of a role's calls over such a line. */
const CALLS: Readonly<Record<string, string>> = {
  "worker redis": "sluice_decide_seconds",
  "worker ledger": "sluice_commit_seconds",
  "gateway broker": "sluice_confirm_seconds",
  "payments provider": "sluice_provider_call_seconds",
};

/** Lines whose connections last: a new one means that an old one was given up. */
const LASTING: ReadonlySet<string> = new Set(["broker", "redis", "ledger"]);
/** An answer that a client loses when its line to a gateway breaks: status 0. */
const LOST = "0 lost";
/** Requests that payment workers put off, since the provider gave no usable answer. */
const PUT_OFF = 'sluice_payment_answers_total{answer="later"';

export class Noticed {
  constructor(
    private readonly link: Link,
    private readonly events: ReadonlyMap<string, number>,
    private readonly dialled: number,
    /** undefined: not known. */
    private readonly lost: number | undefined,
    private readonly calls: { readonly sum: number; readonly count: number } | undefined,
  ) {}

  /** undefined: nothing new. */
  newSince(before: Noticed): string | undefined {
    for (const [event, count] of this.events) {
      const more = count - (before.events.get(event) ?? 0);
      if (more > 0) return `${this.link.from} logged '${event}' ${more} times`;
    }
    const { from } = this.link;
    const lost = (this.lost ?? 0) - (before.lost ?? Number.POSITIVE_INFINITY);
    if (lost > 0) return `${from} lost ${lost} answers`;
    const more = this.dialled - before.dialled;
    // The provider, which calls a gateway back, may lose a connection between two calls.
    const shows = LASTING.has(partOf(this.link)) || from === "provider";
    return more > 0 && shows ? `${from} dialled again ${more} times` : undefined;
  }

  /** The mean duration of its calls since; undefined: there were none, or nothing measures them. */
  slowerThan(before: Noticed): string | undefined {
    if (!this.calls || !before.calls) return undefined;
    const count = this.calls.count - before.calls.count;
    if (count <= 0) return undefined;
    const meanMs = ((this.calls.sum - before.calls.sum) / count) * 1_000;
    return `${count} calls of ${this.link.from} took ${meanMs.toFixed(1)} ms on average`;
  }
}

/** `broker` of `broker eu`. */
function partOf({ to }: Link): string {
  return to.split(" ", 1).join();
}

export async function noticed(system: ChaosSystem, link: Link): Promise<Noticed> {
  const target = partOf(link);
  const { from, proxy } = link;
  if (from === "client") {
    const answers = system.flow.answers();
    const lost = [...answers].filter(([kind]) => kind.startsWith(LOST));
    const count = lost.reduce((sum, [, n]) => sum + n, 0);
    return new Noticed(link, new Map(), proxy.accepted, count, undefined);
  }
  const events = await logged(system, from, EVENTS[target] ?? []);
  const calls = await callsOf(system, from, CALLS[`${from} ${target}`]);
  const lost = await lostAnswers(system, from, target);
  return new Noticed(link, events, proxy.accepted, lost, calls);
}

async function lostAnswers(
  system: ChaosSystem,
  from: RoleKind,
  target: string,
): Promise<number | undefined> {
  // A line that the kernel refuses counts no connections. The provider may be another fault's.
  if (from === "provider") return ignore(system.provider.unanswered(), "not_ready_yet");
  return target === "provider" ? system.metric(from, PUT_OFF) : 0;
}

async function logged(
  system: ChaosSystem,
  kind: RoleKind,
  events: readonly string[],
): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (const event of events) {
    const each = await Promise.all(system.rolesOf(kind).map((role) => role.events(event)));
    counts.set(
      event,
      each.reduce((sum, lines) => sum + lines.length, 0),
    );
  }
  return counts;
}

async function callsOf(system: ChaosSystem, kind: RoleKind, name: string | undefined) {
  if (name === undefined) return undefined;
  const [sum, count] = await Promise.all(
    ["sum", "count"].map((part) => system.metric(kind, `${name}_${part}`)),
  );
  return { sum: sum ?? 0, count: count ?? 0 };
}
