// A charge as it travels: what must be asked of the payment provider, and what the provider said.
import { NAME_PATTERN } from "./order.ts";
import type { Traceparent } from "./trace.ts";

/** One attempt to charge an order. Its key makes repeating it harmless. */
export interface ChargeRequest {
  readonly kind: "charge";
  readonly user: string;
  readonly id: string;
  readonly generation: number;
  /** From 1. */
  readonly attempt: number;
  /** Minor units. */
  readonly amount: number;
  readonly currency: string;
  /** The client's opaque token for the provider. */
  readonly payment: string;
  readonly traceparent?: Traceparent;
  /** When it was first asked for in vain, Unix ms. */
  readonly unknownSinceMs?: number;
}

/** Where an attempt stands in the ledger. */
export type ChargeStatus =
  | "waiting"
  | "dropped"
  | "started"
  | "captured"
  | "failed"
  | "unknown"
  | "refunding"
  | "refunded"
  | "refund_failed"
  | "returned"
  | "disputed";

/** Gives back what an attempt captured, all of it. */
export interface RefundRequest {
  readonly kind: "refund";
  readonly user: string;
  readonly id: string;
  readonly generation: number;
  readonly attempt: number;
  /** Minor units. Absent in requests of earlier versions: then it is looked up. */
  readonly amount?: number;
  readonly currency?: string;
  readonly traceparent?: Traceparent;
}

export type PaymentRequest = ChargeRequest | RefundRequest;

/**
 * What was heard of an attempt. `returned`: the provider gave the money back unasked. `disputed`: the
 * buyer's bank took it back, or is about to.
 */
export type AnswerWord = "captured" | "failed" | "unknown" | "refunded" | "returned" | "disputed";

/** What was heard of an attempt, as a row for the order's shard (core/lua/shared/settle.lua). */
export function answerRowText(
  {
    user,
    id,
    generation,
    attempt,
  }: { user: string; id: string; generation: number; attempt: number },
  answer: AnswerWord,
  detail: string,
  atMs: number,
): string {
  return JSON.stringify(["p", user, id, "", atMs, "", 0, generation, attempt, answer, detail]);
}

/** First try and retries. */
export const MAX_ATTEMPTS = 4;

/** The idempotency key of an attempt: user and id name the order, since an id is the user's own choice. */
export function chargeKey(of: {
  user: string;
  id: string;
  generation: number;
  attempt: number;
}): string {
  return `${of.user}/${of.id}/${of.generation}/${of.attempt}`;
}

/** The attempt a key stands for; undefined for a key that is none of ours. */
export function parseChargeKey(
  key: string,
): { user: string; id: string; generation: number; attempt: number } | undefined {
  const parts = key.split("/");
  const [user = "", id = "", generation = "", attempt = ""] = parts;
  if (
    parts.length !== 4 ||
    !NAME_PATTERN.test(user) ||
    id.length !== 36 ||
    !/^[1-9]\d{0,8}$/.test(generation) ||
    !/^[1-9]\d{0,8}$/.test(attempt)
  )
    return undefined;
  return { user, id, generation: Number(generation), attempt: Number(attempt) };
}
