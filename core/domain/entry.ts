// An outbox entry: what one decision changed, with all that the ledger needs to record it. Redis
// appends it in the same call as the decision; the ledger accepts it only if it follows the last
// one it recorded.
import type { OrderRow } from "./order.ts";
import type { OrderState } from "./outcome.ts";

/**
 * 128 random bits, base64url, chosen by the caller of the function: an id no other history of this
 * shard can have.
 */
export type EntryId = string;

/** The `prev` of a shard's first entry. */
export const GENESIS: EntryId = "genesis";

export type EntryKind = "decide" | "unpark" | "expire" | "reprice";

/** One message of the queue and what became of its rows. */
export interface DecidedMessage {
  /** The gateway that took the orders, and the number it gave this batch. */
  readonly gateway: string;
  readonly batch: string;
  /** JSON array of rows, as published. */
  readonly body: string;
  /** One word a row, separated by commas: see parseOutcome. */
  readonly outcomes: string;
}

/** A parked order that this entry let go. */
export type Released = readonly [gateway: string, row: OrderRow, state: OrderState];

/**
 * What happened to an order that had been reserved. `start`: an attempt to charge begins.
 * `charge_failed`: it ended without a capture. `given_up`: nobody knows what became of the attempt
 * and the order waits for it no longer; it goes on being looked up. `refund`: what it captured goes
 * back. `cancelled` says in `detail` whether its units were `held` or `sold`. `claimed`, `done`: a
 * service took a part, or finished it; `detail` is `part of service`. `redriven`: the order was
 * tried again, and `detail` is the state it got.
 */
export type StepWord =
  | "start"
  | "charge_failed"
  | "given_up"
  | "paid"
  | "payment_failed"
  | "refund"
  | "cancelled"
  | "expired"
  | "claimed"
  | "done"
  | "dispatched"
  | "redriven";

export type Step =
  /**
   * The first charge of a freshly reserved order waits until the user's earlier ones are settled.
   */
  | readonly [what: "wait", user: string, id: string]
  /** The order is parked until there is a rate for the pair (`EUR/USD`). */
  | readonly [what: "rate_wait", user: string, id: string, pair: string]
  /**
   * A gap was given up in front of numbers given up: the user's next number in the sale is this.
   */
  | readonly [what: "passed", user: string, saleId: string, next: number]
  /** The order, in another currency than its sale's, was decided at this rate. */
  | readonly [what: "rate", user: string, id: string, rateId: string, value: string, base: string]
  | OrderStep;

export type OrderStep = readonly [
  what: StepWord,
  user: string,
  id: string,
  generation: number,
  attempt: number,
  gateway: string,
  saleId: string,
  lines: readonly (string | number)[],
  detail: string,
];

/** What became of a reserved order, as against how it came to be reserved, or why it is not. */
export function isOrderStep(step: Step): step is OrderStep {
  return (
    step[0] !== "wait" && step[0] !== "rate" && step[0] !== "rate_wait" && step[0] !== "passed"
  );
}

export interface Entry {
  readonly shard: number;
  readonly id: EntryId;
  readonly prev: EntryId;
  /**
   * Position in the shard's outbox, from 1 upwards. After a loss numbers are used again; ids are
   * not.
   */
  readonly n: number;
  readonly kind: EntryKind;
  /** Redis's clock, Unix ms. */
  readonly atMs: number;
  readonly messages: readonly DecidedMessage[];
  readonly released: readonly Released[];
  readonly steps: readonly Step[];
  /**
   * Set when Redis holds what no function of Sluice writes: the entry's own text, which is all that
   * is known of it.
   */
  readonly unreadable?: string;
}

/**
 * What decide says of one row. Only `fresh` and `skipped` change anything; `conflict` is an event
 * on the original.
 */
export type RowOutcome =
  | { readonly kind: "fresh"; readonly state: OrderState }
  | { readonly kind: "known"; readonly state: OrderState }
  | { readonly kind: "conflict"; readonly state: OrderState }
  /** Older than the records Redis keeps: the ledger has to say. */
  | { readonly kind: "past" }
  /** A number given up. */
  | { readonly kind: "skipped" }
  /** A number given up that had already passed, or was given up before. */
  | { readonly kind: "skip_late" }
  /**
   * Of a cancel or a charge's answer; `news` when it changed something. See
   * core/lua/shared/settle.lua.
   */
  | { readonly kind: "step"; readonly word: string; readonly news: boolean };

/**
 * Reads a word: `reserved` fresh, `=reserved` known, `!reserved` conflict, `past`, `skipped`,
 * `skip_late`; `+cancelled` step, `-too_late` step without effect.
 */
export function parseOutcome(word: string): RowOutcome {
  if (word === "past" || word === "skipped" || word === "skip_late") return { kind: word };
  const mark = word.charCodeAt(0);
  if (mark === 0x3d) return { kind: "known", state: word.slice(1) as OrderState };
  if (mark === 0x2b || mark === 0x2d)
    return { kind: "step", word: word.slice(1), news: mark === 0x2b };
  if (mark === 0x21) return { kind: "conflict", state: word.slice(1) as OrderState };
  return { kind: "fresh", state: word as OrderState };
}
