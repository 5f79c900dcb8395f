// Checks outcomes against time: an order is `stale` only if it is older than the records of decided
// orders, and `expired` only if its units were held for the full hold time and its charge had not
// started.
import { type LedgerOrder, orderKey, type Slice } from "../evidence.ts";
import type { Findings } from "../findings.ts";
import type { DecodedEntry } from "../journal.ts";
import { CLOCK_MS, ID_AGE_MS } from "../tolerances.ts";

/** The system's settings; rules for those left out are not checked. */
export interface TimeRules {
  /** SLUICE_DEDUP_WINDOW */
  readonly dedupWindowMs?: number;
  /** SLUICE_HOLD_TTL */
  readonly holdTtlMs?: number;
}

/** A UUIDv7's time digits, not counting the dash among them. */
const TIME_DIGITS = 12;

export class TimesCheck {
  constructor(
    private readonly rules: TimeRules,
    private readonly orders: ReadonlyMap<string, LedgerOrder>,
    private readonly slice: Slice,
    private readonly findings: Findings,
  ) {}

  /** Call before the orders of the entry are added. */
  entry(entry: DecodedEntry): void {
    for (const { row, effect, state } of entry.decided)
      if (effect === "fresh" && state === "stale" && this.slice(row.user))
        this.stale(entry, orderKey(row.user, row.id), row.id, row.acceptedAtMs);
    for (const { what, user, id, attempt } of entry.steps)
      if (what === "expired" && this.slice(user)) this.expired(entry, orderKey(user, id), attempt);
  }

  private stale({ atMs }: DecodedEntry, key: string, id: string, acceptedAtMs: number): void {
    const { dedupWindowMs } = this.rules;
    if (dedupWindowMs === undefined) return;
    const idMs = Number.parseInt(id.replaceAll("-", "").slice(0, TIME_DIGITS), 16);
    const young =
      atMs - idMs < dedupWindowMs - CLOCK_MS ||
      atMs - acceptedAtMs < dedupWindowMs - ID_AGE_MS - CLOCK_MS;
    if (young)
      this.findings.violation(
        "I1",
        "an order was refused as stale though it was recent enough",
        `${key}: ${atMs - acceptedAtMs} ms after it was accepted, its id ${atMs - idMs} ms old`,
      );
  }

  private expired({ atMs }: DecodedEntry, key: string, attempt: number): void {
    const { holdTtlMs } = this.rules;
    const heldMs = atMs - (this.orders.get(key)?.decidedAtMs ?? atMs);
    if (holdTtlMs !== undefined && heldMs < holdTtlMs - CLOCK_MS)
      this.findings.violation(
        "I5",
        "an order expired before its hold time was over",
        `${key}: after ${heldMs} ms, not ${holdTtlMs}`,
      );
    if (attempt > 0)
      this.findings.violation("I6", "an order expired while it was being charged", key);
  }
}
