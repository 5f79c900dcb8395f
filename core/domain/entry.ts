// An outbox entry: what one decision changed, with all that the ledger needs to record it. Redis
// appends it in the same call as the decision; the ledger accepts it only if it follows the last
// one it recorded.
import type { Line } from "./order.ts";
import type { OrderState } from "./outcome.ts";
import type { PlacedOrder } from "./row.ts";

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
  /** The message as published, or as it was after version 0 was converted: see message.ts. */
  readonly body: string;
  /** One word a row, separated by commas: see parseOutcome. */
  readonly outcomes: string;
}

/** A parked order that this entry let go. */
export interface Released extends PlacedOrder {
  readonly gateway: string;
  readonly state: OrderState;
}

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
  /** The first charge of a freshly reserved order waits until the user's earlier ones are settled. */
  | { readonly what: "wait"; readonly user: string; readonly id: string }
  /** The order is parked until there is a rate for the pair (`EUR/USD`). */
  | {
      readonly what: "rate_wait";
      readonly user: string;
      readonly id: string;
      readonly pair: string;
    }
  /** A gap was given up in front of numbers given up: the user's next number in the sale. */
  | {
      readonly what: "passed";
      readonly user: string;
      readonly saleId: string;
      readonly next: number;
    }
  /** The order, in another currency than its sale's, was decided at this rate. */
  | {
      readonly what: "rate";
      readonly user: string;
      readonly id: string;
      readonly rateId: string;
      readonly value: string;
      readonly base: string;
    }
  | OrderStep;

export interface OrderStep {
  readonly what: StepWord;
  readonly user: string;
  readonly id: string;
  readonly generation: number;
  readonly attempt: number;
  readonly gateway: string;
  readonly saleId: string;
  readonly lines: readonly Line[];
  readonly detail: string;
}

/** What became of a reserved order, as against how it came to be reserved, or why it is not. */
export function isOrderStep(step: Step): step is OrderStep {
  const { what } = step;
  return what !== "wait" && what !== "rate" && what !== "rate_wait" && what !== "passed";
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
