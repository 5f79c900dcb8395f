// What a webhook claims about a charge, and what it means for the attempt recorded in the ledger. A
// signature proves the sender, not the content: an event whose amount or sequence does not fit has
// no effect.
import {
  type AnswerWord,
  type ChargeStatus,
  chargeKey,
  parseChargeKey,
} from "../../core/domain/charge.ts";
import type { RecordedAttempt } from "../../ledger/contract.ts";
import { isObject } from "../intake/check-order.ts";
import { open, readOrProblem, text, whole } from "./shape.ts";

const KINDS = ["captured", "declined", "pending", "refunded", "disputed"] as const;
type Kind = (typeof KINDS)[number];

/** An event of a kind that Sluice knows. The provider may add members. */
export const EVENT = open({
  key: text(),
  amount: whole(0, Number.MAX_SAFE_INTEGER),
  currency: text(),
  status: text({ examples: KINDS }),
});

export interface ChargeEvent {
  readonly kind: Kind;
  readonly of: NonNullable<ReturnType<typeof parseChargeKey>>;
  readonly amount: number;
  readonly currency: string;
}

/** `unknown_kind`: of another version, or about something else. `not_ours`: not a Sluice key. */
export type Reading =
  | { readonly kind: "event"; readonly event: ChargeEvent }
  | { readonly kind: "unknown_kind" | "not_ours" }
  | { readonly kind: "misfit"; readonly field: string };

export function readEvent(value: unknown): Reading {
  if (!isObject(value)) return { kind: "misfit", field: "" };
  const { key, status } = value;
  const kind = KINDS.find((known) => known === status);
  if (!kind)
    return { kind: typeof status === "string" ? "unknown_kind" : "misfit", field: "status" };
  // Other kinds and other systems' charges may look different.
  const of = typeof key === "string" ? parseChargeKey(key) : undefined;
  if (!of || chargeKey(of) !== key) return { kind: "not_ours" };
  const found = readOrProblem(EVENT, value);
  if ("problem" in found) return { kind: "misfit", field: found.problem.field ?? "" };
  const { amount, currency } = found.read;
  return { kind: "event", event: { kind, of, amount, currency } };
}

/** `news`: the answers that the order's shard receives, in this order. */
export type Meaning =
  | { readonly kind: "news"; readonly words: readonly AnswerWord[] }
  | { readonly kind: "no_news" }
  | { readonly kind: "misfit"; readonly field: string };

export function meaningOf(event: ChargeEvent, recorded: RecordedAttempt): Meaning {
  if (event.amount !== recorded.amount) return { kind: "misfit", field: "amount" };
  if (event.currency !== recorded.currency) return { kind: "misfit", field: "currency" };
  const words = MEANINGS[event.kind][recorded.status];
  if (!words) return { kind: "misfit", field: "status" };
  return words.length > 0 ? { kind: "news", words } : { kind: "no_news" };
}

type Answers = Readonly<Partial<Record<ChargeStatus, readonly AnswerWord[]>>>;

const NO_NEWS = [] as const;
/** Nothing waits for such an attempt any more: the ledger refunds a capture of it. */
const givenUp = (...words: AnswerWord[]) => ({ failed: words, unknown: words, unresolved: words });
const captured = (...words: AnswerWord[]) => ({
  captured: words,
  refunding: words,
  refund_failed: words,
  refunded: words,
  returned: words,
  disputed: words,
});

/**
 * Answers by event and by the attempt's status; a missing combination is impossible. Events
 * overtake each other: a refund also proves a capture not seen yet. A refund counts as Sluice's own
 * if one was requested, and as `returned` otherwise.
 */
const MEANINGS: Readonly<Record<Kind, Answers>> = {
  captured: { started: ["captured"], ...givenUp("captured"), ...captured() },
  declined: { started: ["failed"], ...givenUp("failed"), failed: NO_NEWS },
  pending: { started: NO_NEWS, ...givenUp(), ...captured() },
  refunded: {
    started: ["captured", "returned"],
    ...givenUp("captured", "refunded"),
    captured: ["returned"],
    disputed: ["returned"],
    refunding: ["refunded"],
    refund_failed: ["refunded"],
    refunded: NO_NEWS,
    returned: NO_NEWS,
  },
  disputed: {
    started: ["captured", "disputed"],
    ...givenUp("captured", "disputed"),
    captured: ["disputed"],
    refunding: ["disputed"],
    refund_failed: ["disputed"],
    disputed: NO_NEWS,
  },
};
