// What the rest of Sluice can ask of the ledger about the last day: what happened, and the main
// figures of each minute.
import type { HistoryMinute, TimelineEntry, TimelineEvent } from "../core/domain/timeline.ts";

/** What a gateway has to add. Only the holder of the lease may. */
export interface TimelineAddition {
  readonly holder: string;
  readonly leaseMs: number;
  readonly events: readonly TimelineEvent[];
  readonly minutes: readonly HistoryMinute[];
  /** What the events lead to, JSON text; undefined: as it was. */
  readonly state?: string | undefined;
}

export interface TimelineKept {
  /** `taken`: the lease is this holder's from now on, and nothing was added yet. */
  readonly lease: "held" | "taken" | "elsewhere";
  /** The state on record; empty: none yet. */
  readonly state: string;
  /** When the holder last wrote, Unix ms by the ledger's clock; 0: never. */
  readonly writtenMs: number;
}

export interface TimelineWriter {
  /** Adds to the timeline, or says whose turn it is. Rejects if the ledger cannot be written. */
  keepTimeline(addition: TimelineAddition): Promise<TimelineKept>;
}

export interface TimelineQuery {
  readonly limit: number;
  /** Only entries with a lower number, newest first. */
  readonly before?: number | undefined;
  /** Only entries with a higher number, oldest first. */
  readonly after?: number | undefined;
}

export interface TimelineReads {
  timeline(query: TimelineQuery): Promise<TimelineEntry[]>;
  /** Oldest first; those that began at or after `sinceMs`. */
  history(sinceMs: number): Promise<HistoryMinute[]>;
}

/** Kept for a day: at most 2 MB of entries as a rule, 8 MB of the longest. */
export const MAX_ENTRIES = 10_000;
/** A day. At most 6 MB. */
export const MAX_MINUTES = 1_440;
export const KEPT_MS = 86_400_000;
