// An outbox entry: what one decision changed, with everything the ledger needs to record it. Redis
// appends it in the same call as the decision. The ledger accepts it only if it follows the last
// recorded one.
import type { Line } from "./order.ts";
import type { OrderState } from "./outcome.ts";
import type { PlacedOrder } from "./row.ts";

/**
 * 128 random bits in base64url, chosen by the caller of the function, so that no other history of
 * the shard can have the same id.
 */
export type EntryId = string;

/** The `prev` of a shard's first entry. */
export const GENESIS: EntryId = "genesis";

export type EntryKind = "decide" | "unpark" | "expire" | "reprice";

/** One message of the queue, and the outcomes of its rows. */
export interface DecidedMessage {
  /** The gateway that accepted the orders, and its number for the batch. */
  readonly gateway: string;
  readonly batch: string;
  /** The message as published, or as converted from version 0: see message.ts. */
  readonly body: string;
  /** One word per row, separated by commas: see parseOutcome. */
  readonly outcomes: string;
}

/** A parked order that this entry decided. */
export interface Released extends PlacedOrder {
  readonly gateway: string;
  readonly state: OrderState;
}

/**
 * What happened to a reserved order. `start`: an attempt to charge begins. `charge_failed`: it
 * ended without a capture. `given_up`: the end of the attempt is unknown; it is still looked up,
 * but the order no longer waits. `refund`: the captured money is refunded. `cancelled`: `detail`
 * says whether its units were `held` or `sold`. `claimed`, `done`: a service took or finished a
 * part; `detail` is `part of service`. `redriven`: the order was decided again; `detail` is its new
 * state.
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
  /** The first charge of the order waits until the user's earlier ones are settled. */
  | { readonly what: "wait"; readonly user: string; readonly id: string }
  /** The order is parked until a rate for the pair (`EUR/USD`) arrives. */
  | {
      readonly what: "rate_wait";
      readonly user: string;
      readonly id: string;
      readonly pair: string;
    }
  /** A gap and skipped numbers behind it were given up: the user's next number in the sale. */
  | {
      readonly what: "passed";
      readonly user: string;
      readonly saleId: string;
      readonly next: number;
    }
  /** The order is in another currency than its sale, and was decided at this rate. */
  | {
      readonly what: "rate";
      readonly user: string;
      readonly id: string;
      readonly rateId: string;
      readonly value: string;
      readonly base: string;
    }
  /** An item of the order has had several prices: what its items cost, in the sale's currency. */
  | {
      readonly what: "price";
      readonly user: string;
      readonly id: string;
      /** Minor units, as digits. */
      readonly total: string;
    }
  | OrderStep;

/** Steps about how an order was decided. */
const DECIDING: ReadonlySet<string> = new Set(["wait", "rate", "rate_wait", "passed", "price"]);

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

/** Whether a step is about a reserved order, rather than about how an order was decided. */
export function isOrderStep(step: Step): step is OrderStep {
  return !DECIDING.has(step.what);
}

export interface Entry {
  readonly shard: number;
  readonly id: EntryId;
  readonly prev: EntryId;
  /** Position in the shard's outbox, from 1. After a loss numbers are used again; ids are not. */
  readonly n: number;
  readonly kind: EntryKind;
  /** Redis's clock, Unix ms. */
  readonly atMs: number;
  readonly messages: readonly DecidedMessage[];
  readonly released: readonly Released[];
  readonly steps: readonly Step[];
  /**
   * Set if Redis holds text that no function of Sluice writes: that text, all that is known of the
   * entry.
   */
  readonly unreadable?: string;
}

/**
 * The outcome of one row. Only `fresh`, `skipped` and `step` with `news` change anything.
 * `conflict` is recorded as an event on the original order.
 */
export type RowOutcome =
  | { readonly kind: "fresh"; readonly state: OrderState }
  | { readonly kind: "known"; readonly state: OrderState }
  | { readonly kind: "conflict"; readonly state: OrderState }
  /** Older than the records in Redis: the ledger knows. */
  | { readonly kind: "past" }
  /** A number was given up. */
  | { readonly kind: "skipped" }
  /** The number had already passed, or was given up before. */
  | { readonly kind: "skip_late" }
  /**
   * Outcome of a cancel, an answer, a part or a redrive; `news`: it changed something. See
   * core/lua/shared/settle.lua.
   */
  | { readonly kind: "step"; readonly word: string; readonly news: boolean };

/**
 * Parses an outcome: `reserved` is fresh, `=reserved` known, `!reserved` a conflict; `past`,
 * `skipped`, `skip_late` as they are; `+cancelled` a step, `-too_late` a step without effect.
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
