// Reads from a shard's journal which orders it has decided, as Redis remembers them for the dedup
// window (core/lua/shared/seen.lua).
import { type Entry, isOrderStep, parseOutcome, type RowOutcome } from "../../core/domain/entry.ts";
import { kindOf, type Rows, readMessage } from "../../core/domain/message.ts";
import type { OrderState } from "../../core/domain/outcome.ts";
import { SEEN_BUCKET_DIGITS, SEEN_BUCKET_MS } from "../../core/stores/keys.ts";

/** The first id of the bucket that contains this moment. */
export function firstIdOf(atMs: number): string {
  const bucket = Math.floor(atMs / SEEN_BUCKET_MS);
  return bucket.toString(16).padStart(SEEN_BUCKET_DIGITS, "0");
}

/** When that bucket begins. */
export function firstBucketMs(atMs: number): number {
  return Math.floor(atMs / SEEN_BUCKET_MS) * SEEN_BUCKET_MS;
}

/**
 * A client's clock may be ahead. An id ahead by more than this is remembered for longer than the
 * entries of the dedup window last, so snapshots include its order.
 */
export const AHEAD_MS = 300_000;

export interface SeenOptions {
  /** Orders with ids below this one are not remembered. */
  readonly firstId: string;
  /** For a snapshot: of the others, remember only those whose id is ahead of its time. */
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

  /** The time at which the orders that follow were decided. */
  at(atMs: number): void {
    this.aheadId = firstIdOf(atMs + AHEAD_MS);
  }

  /** `name`: `user id`. */
  remember(name: string, fingerprint: string, state: OrderState): void {
    const id = name.slice(name.indexOf(" ") + 1);
    if (id < this.options.firstId) return;
    if (this.options.onlyAhead && id < this.aheadId && !this.records.has(name)) return;
    this.records.set(name, `${fingerprint} ${state}`);
  }

  /**
   * Takes from an entry which orders it decided, and their states. A snapshot has its other
   * effects.
   */
  apply(entry: Entry): void {
    this.at(entry.atMs);
    for (const { body, outcomes } of entry.messages) this.applyMessage(body, outcomes);
    for (const { order, fingerprint, state } of entry.released)
      this.remember(`${order.user} ${order.id}`, fingerprint, state);
    for (const step of entry.steps) {
      if (!isOrderStep(step) || !LATER_STATES.has(step.what)) continue;
      const name = `${step.user} ${step.id}`;
      const record = this.records.get(name);
      if (record) this.records.set(name, `${record.slice(0, record.indexOf(" "))} ${step.what}`);
    }
  }

  private applyMessage(body: string, outcomes: string): void {
    const rows = readMessage(body);
    outcomes.split(",").forEach((word, i) => {
      const state = stateGiven(rows, i, parseOutcome(word));
      if (state === undefined) return;
      this.remember(rows.order[i] as string, rows.fingerprint[i] as string, state);
    });
  }
}

/** The state that an order's row received, if any: its first one, or a new one by a redrive. */
export function stateGiven(rows: Rows, i: number, outcome: RowOutcome): OrderState | undefined {
  if (outcome.kind === "fresh") return outcome.state;
  if (outcome.kind !== "step" || !outcome.news || kindOf(rows, i) !== "redrive") return undefined;
  return outcome.word as OrderState;
}
