// What a gateway remembers between two overviews: the last known value of each part with its time,
// roles that stopped reporting, and the counts of dead letters. All of it is bounded by what one
// overview holds.
import type { LostRole } from "../../core/domain/overview.ts";
import type { DeadCount, RoleReport, WorkerReport } from "../../core/domain/report.ts";

/** One part: the last value that its source reported, and when. */
export class LastKnown<T> {
  /** Unix ms; null: never. */
  asOfMs: number | null = null;
  private last: T | undefined;

  /** `value` undefined: its source could not be read, so the last one stays. */
  keep(value: T | undefined, atMs: number): T | undefined {
    if (value !== undefined) {
      this.last = value;
      this.asOfMs = atMs;
    }
    return this.last;
  }
}

export interface Present {
  readonly report: RoleReport;
  /** When its lease ends if it does not report again, Unix ms. */
  readonly endsMs: number;
}

/** Every role reports once a second; a late one within two. */
const REPORTS_AGAIN_MS = 2_500;

/**
 * Whether the list of roles is whole. After Redis was away, lost its content or took no writes, the
 * roles need a moment to report again: a list without the reader itself is of such a moment.
 */
export class Board {
  private wholeAtMs = Number.NEGATIVE_INFINITY;

  constructor(private readonly nowMs: () => number) {}

  /** `own`: the reader, if it is on the list while all is well. */
  isWhole(list: readonly Present[] | undefined, own: string | undefined): boolean {
    const nowMs = this.nowMs();
    const whole = list && (own === undefined || list.some(({ report: { id } }) => id === own));
    if (!whole && own !== undefined) this.wholeAtMs = nowMs + REPORTS_AGAIN_MS;
    return whole === true && nowMs >= this.wholeAtMs;
  }
}

/** A role that is missing for this long did not only pause for a moment, say with Redis. */
const MISSING_MS = 3_000;
const REMEMBERED_MS = 600_000;
const MAX_LOST = 100;

/**
 * Roles that stopped reporting. One that signs off is gone before its lease ends; one that was
 * killed, froze or lost the network stays on the list until then.
 */
export class LostRoles {
  private present = new Map<string, { kind: RoleReport["kind"]; seenMs: number; endsMs: number }>();
  private readonly missing = new Map<string, LostRole & { readonly sinceMs: number }>();

  /** Called with every list that Redis gave. */
  look(list: readonly Present[], nowMs: number): void {
    const now = new Map(
      list.map(({ report: { id, kind }, endsMs }) => {
        const before = this.present.get(id);
        // A lease with the same end is the same report.
        const seenMs = before?.endsMs === endsMs ? before.seenMs : nowMs;
        return [id, { kind, seenMs, endsMs }];
      }),
    );
    for (const [id, { kind, seenMs, endsMs }] of this.present)
      if (!now.has(id) && nowMs >= endsMs && this.missing.size < MAX_LOST)
        this.missing.set(id, { id, kind, lastSeenMs: seenMs, sinceMs: nowMs });
    for (const [id, { sinceMs }] of this.missing)
      if (now.has(id) || nowMs - sinceMs > REMEMBERED_MS) this.missing.delete(id);
    this.present = now;
  }

  list(nowMs: number): LostRole[] {
    return [...this.missing.values()]
      .filter(({ sinceMs }) => nowMs - sinceMs >= MISSING_MS)
      .map(({ id, kind, lastSeenMs }) => ({ id, kind, lastSeenMs }));
  }
}

/** The latest count of each queue, also while no worker counts, say because a shard moves. */
export class DeadMemory {
  asOfMs: number | null = null;
  private counts = new Map<string, DeadCount>();

  look(workers: readonly WorkerReport[], nowMs: number): readonly DeadCount[] {
    for (const count of workers.flatMap(({ dead }) => dead ?? [])) {
      const name = `${count.queue} ${count.region}`;
      const before = this.counts.get(name);
      const atMs = count.atMs ?? nowMs;
      if (before && (before.atMs ?? 0) > atMs) continue;
      this.counts.set(name, { ...count, atMs, sinceMs: since(before, count, atMs) });
      this.asOfMs = Math.max(this.asOfMs ?? 0, atMs);
    }
    this.forgetRegions(workers);
    return [...this.counts.values()];
  }

  /** A region that was taken out of the settings has no queues any more. */
  private forgetRegions(workers: readonly WorkerReport[]): void {
    const regions = new Set(workers.flatMap(({ brokers }) => brokers.map(({ region }) => region)));
    if (regions.size === 0) return;
    for (const [name, { region }] of this.counts)
      if (!regions.has(region)) this.counts.delete(name);
  }
}

/** The next owner of shard 0 does not know how long the letters were there before it. */
function since(before: DeadCount | undefined, now: DeadCount, atMs: number): number | null {
  if (now.messages === 0) return null;
  const known = before && before.messages > 0 ? before.sinceMs : undefined;
  return Math.min(known ?? atMs, now.sinceMs ?? atMs);
}
