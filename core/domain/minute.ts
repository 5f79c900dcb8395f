// The main figures of one minute, from the overviews at its beginning and at its end. Pure.
import { between, gatewaysOf, quantile, workersOf } from "./figures.ts";
import type { MinuteCounts } from "./minute-tally.ts";
import type { Overview } from "./overview.ts";
import type { HistoryMinute } from "./timeline.ts";

export const MINUTE_MS = 60_000;

/** A look that comes this long after a minute's beginning or end misses or adds too much. */
const LATE_MS = 5_000;

/** `before` is of the beginning of the minute `atMs`, `now` of its end; `counts` between them. */
export function minuteOf(
  atMs: number,
  before: Overview,
  now: Overview,
  counts: MinuteCounts,
): HistoryMinute {
  const isKnown = !before.unasked.includes("redis") && !now.unasked.includes("redis");
  const isWhole = before.atMs - atMs <= LATE_MS && now.atMs - atMs - MINUTE_MS <= LATE_MS;
  const outcome = between(gatewaysOf, (g) => g.outcome, before, now);
  const lags = workersOf(now).flatMap((w) =>
    w.shards.flatMap((s) => s.regions.map((r) => r.lagMs)),
  );
  const ms = (share: number) => {
    const seconds = quantile(outcome, share);
    return !isKnown || Number.isNaN(seconds) ? null : Math.round(seconds * 1_000);
  };
  const known = <T>(value: T): T | null => (isKnown ? value : null);
  return {
    atMs,
    accepted: known(counts.accepted),
    decided: known(withoutZeros(counts.decided)),
    refused: known(withoutZeros(counts.refused)),
    paid: known(counts.paid),
    lagMs: known(lags.length === 0 ? null : Math.max(...lags)),
    p50Ms: ms(0.5),
    p99Ms: ms(0.99),
    dead: now.asOf.dead === null ? null : now.dead.reduce((sum, d) => sum + d.messages, 0),
    unitsLeft: known(unitsLeft(now)),
    ...(counts.incomplete || !isWhole ? { incomplete: true as const } : {}),
  };
}

function withoutZeros(counts: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).filter(([, n]) => n > 0));
}

/** Only sales whose units are all known. */
function unitsLeft({ sales }: Overview): Record<string, number> {
  const left: Record<string, number> = {};
  for (const { id, items } of sales)
    if (items.every(({ available }) => available !== null))
      left[id] = items.reduce((sum, { available }) => sum + (available ?? 0), 0);
  return left;
}
