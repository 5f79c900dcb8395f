// What the near end of a line shows of its trouble: what its role logs, how often it has dialled
// again, how long its calls take; for clients, the answers that they lost.
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

/** Answers that a client loses when its line to a gateway breaks. */
const LOST = ["lost", "timeout"];

export class Noticed {
  constructor(
    private readonly link: Link,
    private readonly events: ReadonlyMap<string, number>,
    private readonly dialled: number,
    private readonly lost: number,
    private readonly calls: { readonly sum: number; readonly count: number } | undefined,
  ) {}

  /** undefined: nothing that was not there before. */
  newSince(before: Noticed): string | undefined {
    for (const [event, count] of this.events) {
      const more = count - (before.events.get(event) ?? 0);
      if (more > 0) return `${this.link.from} logged '${event}' ${more} times`;
    }
    if (this.lost > before.lost) return `clients lost ${this.lost - before.lost} answers`;
    const more = this.dialled - before.dialled;
    return more > 0 ? `${this.link.from} dialled again ${more} times` : undefined;
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

export async function noticed(system: ChaosSystem, link: Link): Promise<Noticed> {
  const target = link.to.split(" ", 1).join();
  const { from, proxy } = link;
  const answers = system.flow.answers();
  const lost = LOST.reduce((sum, kind) => sum + (answers.get(kind) ?? 0), 0);
  if (from === "client") return new Noticed(link, new Map(), proxy.accepted, lost, undefined);
  const events = await logged(system, from, EVENTS[target] ?? []);
  const calls = await callsOf(system, from, CALLS[`${from} ${target}`]);
  return new Noticed(link, events, proxy.accepted, 0, calls);
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
