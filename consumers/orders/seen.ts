// Which orders a shard has decided, as Redis remembers them for the dedup window
// (core/lua/shared/seen.lua), read from its journal.
import { type Entry, isOrderStep, parseOutcome } from "../../core/domain/entry.ts";
import {
  type OrderRow,
  type RedriveRow,
  type Row,
  redrivenOrder,
} from "../../core/domain/order.ts";
import type { OrderState } from "../../core/domain/outcome.ts";
import { SEEN_BUCKET_DIGITS, SEEN_BUCKET_MS } from "../../core/stores/keys.ts";

/** The first id of the bucket that holds this moment. */
export function firstIdOf(atMs: number): string {
  const bucket = Math.floor(atMs / SEEN_BUCKET_MS);
  return bucket.toString(16).padStart(SEEN_BUCKET_DIGITS, "0");
}

/** When that bucket begins. */
export function firstBucketMs(atMs: number): number {
  return Math.floor(atMs / SEEN_BUCKET_MS) * SEEN_BUCKET_MS;
}

/**
 * An id is made before its order is decided, by a clock that may be ahead. Past this an id counts
 * as ahead of its time: its order is remembered for longer than the entries of the dedup window
 * last.
 */
export const AHEAD_MS = 300_000;

export interface SeenOptions {
  /** Orders with ids below this one are not remembered. */
  readonly firstId: string;
  /** Of the others only those are remembered whose id is ahead of its time: for a snapshot. */
  readonly onlyAhead?: boolean;
}

/** Steps that give an order its state. */
const LATER_STATES: ReadonlySet<string> = new Set([
  ...["paid", "dispatched", "cancelled", "payment_failed", "expired"],
]);

export class Seen {
  /** `user id` → `fingerprint state`. */
  readonly records = new Map<string, string>();
  private aheadId = "";

  constructor(private readonly options: SeenOptions) {}

  /** What is remembered from here on was decided at this time. */
  at(atMs: number): void {
    this.aheadId = firstIdOf(atMs + AHEAD_MS);
  }

  remember(row: OrderRow, state: OrderState): void {
    const id = row[2];
    if (id < this.options.firstId) return;
    const name = `${row[1]} ${id}`;
    if (this.options.onlyAhead && id < this.aheadId && !this.records.has(name)) return;
    this.records.set(name, `${row[3]} ${state}`);
  }

  /**
   * Which orders an entry decided, and what became of them: for entries whose other effects a
   * snapshot holds.
   */
  apply(entry: Entry): void {
    this.at(entry.atMs);
    for (const message of entry.messages) {
      const words = message.outcomes.split(",");
      (JSON.parse(message.body) as Row[]).forEach((row, i) => {
        const outcome = parseOutcome(words[i] as string);
        if (outcome.kind === "fresh") this.remember(row as OrderRow, outcome.state);
        else if (outcome.kind === "step" && outcome.news && (row[0] as string) === "r") {
          const order = redrivenOrder(row as unknown as RedriveRow);
          this.remember(order, outcome.word as OrderState);
        }
      });
    }
    for (const [, row, state] of entry.released) this.remember(row, state);
    for (const step of entry.steps) {
      if (!isOrderStep(step) || !LATER_STATES.has(step[0])) continue;
      const name = `${step[1]} ${step[2]}`;
      const record = this.records.get(name);
      if (record) this.records.set(name, `${record.slice(0, record.indexOf(" "))} ${step[0]}`);
    }
  }
}
