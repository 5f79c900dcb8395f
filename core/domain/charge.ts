// A charge as it travels: the request to the payment provider, and the provider's answer.
import { type ANSWER_WORDS, RULES } from "./limits.ts";
import { MAX_MONEY_MINOR } from "./order.ts";
import type { Traceparent } from "./trace.ts";
import { isUserName } from "./user-name.ts";

/** Names an attempt: the order's generation and, within it, the attempt's number, from 1. */
export interface Attempt {
  readonly user: string;
  readonly id: string;
  readonly generation: number;
  readonly attempt: number;
}

/** The fields that all requests share. */
interface Asked extends Attempt {
  /** Minor units. */
  readonly amount: number;
  readonly currency: string;
  readonly traceparent?: Traceparent;
  /** Number of the request: only the newest of an attempt is open. Absent: the first. */
  readonly request?: number;
  /** When a request first stayed without a definite answer, Unix ms. */
  readonly sinceMs?: number;
  /**
   * How long the answer will have been indefinite when this request is due, ms: both ends on
   * Redis's clock. Absent in requests of earlier versions, and when an operator asks again.
   */
  readonly waitedMs?: number;
}

/** One attempt to charge an order. Its key makes a repetition harmless. */
export interface ChargeRequest extends Asked {
  readonly kind: "charge";
  /** The client's opaque token for the provider. */
  readonly payment: string;
}

/** Asks for the result of an attempt that its order no longer waits for. */
export interface LookUpRequest extends Asked {
  readonly kind: "lookup";
}

/** Status of an attempt in the ledger. */
export type ChargeStatus =
  /** In its user's lane, as attempt 0; `dropped`: its order ended while it waited. */
  | "waiting"
  | "dropped"
  /** Under way. */
  | "started"
  | "captured"
  | "failed"
  /**
   * Its order is given up, and it is looked up until its end is known. `unresolved`: Sluice has
   * stopped asking.
   */
  | "unknown"
  | "unresolved"
  /** Being refunded; `refund_failed`: still owed, and Sluice has stopped asking. */
  | "refunding"
  | "refunded"
  | "refund_failed"
  /** Returned or disputed at the provider without Sluice asking. */
  | "returned"
  | "disputed";

/** Refunds all that an attempt captured. */
export interface RefundRequest extends Omit<Asked, "amount" | "currency"> {
  readonly kind: "refund";
  /** Minor units. Absent in requests of earlier versions: then the worker looks it up. */
  readonly amount?: number;
  readonly currency?: string;
}

export type PaymentRequest = ChargeRequest | LookUpRequest | RefundRequest;

/**
 * The answer about an attempt. Definite answers: `captured`, `failed`, `refunded`; `refund_failed`
 * (the provider refuses for good); `returned` and `disputed` (the money left without Sluice
 * asking). Others: `later`, to be asked again (the detail is a `PutOff`); `unknown`, its order is
 * given up while it is still looked up; `unresolved`, Sluice has stopped asking, and an operator
 * has to find out.
 */
export type AnswerWord = (typeof ANSWER_WORDS)[number];

/** The detail of `later`, as JSON. A copy of a request older than the open one ends with it. */
export interface PutOff {
  readonly request: number;
  /** The minimum wait from now, ms; the ledger waits longer if the wait so far has been long. */
  readonly waitMs: number;
  readonly why: string;
}

export function putOffText(putOff: PutOff): string {
  return JSON.stringify({ ...putOff, why: putOff.why.slice(0, MAX_WHY_LENGTH) });
}

/** Returns undefined for any other text. */
export function readPutOff(detail: string): PutOff | undefined {
  try {
    const { request, waitMs, why } = JSON.parse(detail) as Partial<PutOff>;
    if (!isCount(request) || typeof waitMs !== "number" || !(waitMs >= 0)) return undefined;
    return { request, waitMs: Math.min(waitMs, MAX_WAIT_MS), why: String(why ?? "") };
  } catch {
    return undefined;
  }
}

/** Characters of a reason: enough for an operator to tell one cause from another. */
const MAX_WHY_LENGTH = 200;
/** A provider may ask Sluice to wait, but at most a day. */
const MAX_WAIT_MS = 86_400_000;
const MAX_COUNT = 1_000_000_000;

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= MAX_COUNT;
}

/** The value as a sound request; undefined for anything else. */
export function readPaymentRequest(value: unknown): PaymentRequest | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { request, sinceMs, waitedMs, kind, payment, ...rest } = value as Readonly<
    Record<string, unknown>
  >;
  const terms = rest as Partial<Asked>;
  const nameless = kind === "refund" && terms.amount === undefined && terms.currency === undefined;
  if (!isAttempt(rest) || !(nameless || hasTerms(terms))) return undefined;
  if (request !== undefined && !isCount(request)) return undefined;
  if (sinceMs !== undefined && !Number.isSafeInteger(sinceMs)) return undefined;
  if (waitedMs !== undefined && !Number.isSafeInteger(waitedMs)) return undefined;
  if (kind === "charge") return typeof payment === "string" ? (value as ChargeRequest) : undefined;
  return kind === "lookup" || kind === "refund" ? (value as PaymentRequest) : undefined;
}

/** Whether it names an attempt. Its other fields may be wrong. */
export function isAttempt(value: Partial<Attempt>): value is Attempt {
  const { user, id, generation, attempt } = value;
  const named = isUserName(user) && typeof id === "string";
  return named && id.length === 36 && isCount(generation) && isCount(attempt);
}

function hasTerms({ amount, currency }: Partial<Asked>): boolean {
  const whole = Number.isSafeInteger(amount) && (amount as number) >= 0;
  return whole && (amount as number) <= MAX_MONEY_MINOR && /^[A-Z]{3}$/.test(currency ?? "");
}

/** Attempts per generation: the first try and its retries. */
export const { MAX_ATTEMPTS } = RULES;

/**
 * The idempotency key of an attempt. It includes the user because users choose the ids of their
 * orders.
 */
export function chargeKey(of: Attempt): string {
  return `${of.user}/${of.id}/${of.generation}/${of.attempt}`;
}

/** The attempt that a key names; undefined for a key that Sluice did not make. */
export function parseChargeKey(key: string): Attempt | undefined {
  const parts = key.split("/");
  const [user = "", id = "", generation = "", attempt = ""] = parts;
  if (
    parts.length !== 4 ||
    !isUserName(user) ||
    id.length !== 36 ||
    !/^[1-9]\d{0,8}$/.test(generation) ||
    !/^[1-9]\d{0,8}$/.test(attempt)
  )
    return undefined;
  return { user, id, generation: Number(generation), attempt: Number(attempt) };
}
