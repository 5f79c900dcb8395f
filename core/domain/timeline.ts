// What happened in the last day, and the main figures of each of its minutes, as the ledger keeps
// them (ledger/timeline.ts).

export const TIMELINE_KINDS = [
  "role_started",
  "role_stopped",
  "role_lost",
  "role_back",
  "shard_moved",
  "alarm_raised",
  "alarm_ended",
  "admission",
  "region_away",
  "region_back",
  "halted",
  "halt_ended",
  "rebuild_began",
  "rebuild_ended",
  "operator",
  "sale_opened",
  "sale_closed",
  "unwatched",
] as const;
export type TimelineKind = (typeof TIMELINE_KINDS)[number];

export interface TimelineEvent {
  /** Unix ms. */
  readonly atMs: number;
  readonly kind: TimelineKind;
  /** A role, shard, region, sale or finding. */
  readonly subject: string;
  /** In words. */
  readonly what: string;
}

export interface TimelineEntry extends TimelineEvent {
  /** Increases; the cursor of the list. */
  readonly seq: number;
}

/**
 * A page by the times that its entries name. What has to last before it counts, such as an alarm's
 * end, is entered later than it began.
 */
export function newestFirst(page: readonly TimelineEntry[]): TimelineEntry[] {
  return page.toSorted((a, b) => b.atMs - a.atMs || b.seq - a.seq);
}

/** The main figures of one minute. null: unknown. */
export interface HistoryMinute {
  /** When the minute began, Unix ms. */
  readonly atMs: number;
  /** Orders in this minute. */
  readonly accepted: number | null;
  /** By outcome; absent: none. */
  readonly decided: Readonly<Record<string, number>> | null;
  /** Requests by problem code; absent: none. */
  readonly refused: Readonly<Record<string, number>> | null;
  readonly paid: number | null;
  /** The oldest message in flight at the end of the minute, ms. */
  readonly lagMs: number | null;
  /** From acceptance to outcome, ms; null also if no outcome arrived. */
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  readonly dead: number | null;
  /** Units that are still free, by sale. */
  readonly unitsLeft: Readonly<Record<string, number>> | null;
  /** The counts are not whole: a process that counted was lost, or no gateway looked throughout. */
  readonly incomplete?: true;
}
