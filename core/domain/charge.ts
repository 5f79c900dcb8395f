// A charge as it travels: what must be asked of the payment provider, and what the provider said.
import { type ANSWER_WORDS, RULES } from "./limits.ts";
import { MAX_MONEY_MINOR, NAME_PATTERN } from "./order.ts";
import type { Traceparent } from "./trace.ts";

/** Which attempt: an order's generation and, within it, the number of the attempt, from 1. */
export interface Attempt {
  readonly user: string;
  readonly id: string;
  readonly generation: number;
  readonly attempt: number;
}

/** What every request says besides what is wanted. */
interface Asked extends Attempt {
  /** Minor units. */
  readonly amount: number;
  readonly currency: string;
  readonly traceparent?: Traceparent;
  /** Number of the request: an attempt has one open at most, the newest. Absent: the first. */
  readonly request?: number;
  /** When it was first asked for in vain, Unix ms. */
  readonly sinceMs?: number;
}

/** One attempt to charge an order. Its key makes repeating it harmless. */
export interface ChargeRequest extends Asked {
  readonly kind: "charge";
  /** The client's opaque token for the provider. */
  readonly payment: string;
}

/** What became of an attempt that its order no longer waits for. */
export interface LookUpRequest extends Asked {
  readonly kind: "lookup";
}

/** Where an attempt stands in the ledger. */
export type ChargeStatus =
  /** In its user's lane, as attempt 0; `dropped`: its order ended there. */
  | "waiting"
  | "dropped"
  /** Under way. */
  | "started"
  | "captured"
  | "failed"
  /**
   * Its order is given up; it is looked up until it is known. `unresolved`: nobody asks any more.
   */
  | "unknown"
  | "unresolved"
  /** On its way back; `refund_failed`: still owed, and nobody asks any more. */
  | "refunding"
  | "refunded"
  | "refund_failed"
  /** Gone at the provider without Sluice asking. */
  | "returned"
  | "disputed";

/** Gives back what an attempt captured, all of it. */
export interface RefundRequest extends Omit<Asked, "amount" | "currency"> {
  readonly kind: "refund";
  /** Minor units. Absent in requests of earlier versions: then it is looked up. */
  readonly amount?: number;
  readonly currency?: string;
}

export type PaymentRequest = ChargeRequest | LookUpRequest | RefundRequest;

/**
 * What was heard of an attempt. Definite: `captured`, `failed`, `refunded`; `refund_failed` (the
 * provider refuses for good); `returned` and `disputed` (money that left without Sluice asking).
 * Not definite: `later`, to be asked again (the detail is a `PutOff`); `unknown`, its order is
 * given up while it goes on being looked up; `unresolved`, nobody asks any more, an operator has to
 * see.
 */
export type AnswerWord = (typeof ANSWER_WORDS)[number];

/** The detail of `later`, as JSON. A copy of an older request than the open one ends with it. */
export interface PutOff {
  readonly request: number;
  /** Not before this long from now, ms; the ledger waits longer when it has waited long already. */
  readonly waitMs: number;
  readonly why: string;
}

export function putOffText(putOff: PutOff): string {
  return JSON.stringify({ ...putOff, why: putOff.why.slice(0, MAX_WHY_LENGTH) });
}

/** undefined: not a put-off's text. */
export function readPutOff(detail: string): PutOff | undefined {
  try {
    const { request, waitMs, why } = JSON.parse(detail) as Partial<PutOff>;
    if (!isCount(request) || typeof waitMs !== "number" || !(waitMs >= 0)) return undefined;
    return { request, waitMs: Math.min(waitMs, MAX_WAIT_MS), why: String(why ?? "") };
  } catch {
    return undefined;
  }
}

/** A reason is for people: enough to tell one cause from another. */
const MAX_WHY_LENGTH = 200;
/** A provider may ask for patience, but not for more than a day of it. */
const MAX_WAIT_MS = 86_400_000;
const MAX_COUNT = 1_000_000_000;

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= MAX_COUNT;
}

/** A sound request; undefined for anything else. */
export function readPaymentRequest(value: unknown): PaymentRequest | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { request, sinceMs, kind, payment, ...rest } = value as Readonly<Record<string, unknown>>;
  const terms = rest as Partial<Asked>;
  const nameless = kind === "refund" && terms.amount === undefined && terms.currency === undefined;
  if (!isAttempt(rest) || !(nameless || hasTerms(terms))) return undefined;
  if (request !== undefined && !isCount(request)) return undefined;
  if (sinceMs !== undefined && !Number.isSafeInteger(sinceMs)) return undefined;
  if (kind === "charge") return typeof payment === "string" ? (value as ChargeRequest) : undefined;
  return kind === "lookup" || kind === "refund" ? (value as PaymentRequest) : undefined;
}

/** Whether it names an attempt, whatever else is wrong with it. */
export function isAttempt(value: Partial<Attempt>): value is Attempt {
  const { user, id, generation, attempt } = value;
  const named = typeof user === "string" && NAME_PATTERN.test(user) && typeof id === "string";
  return named && id.length === 36 && isCount(generation) && isCount(attempt);
}

function hasTerms({ amount, currency }: Partial<Asked>): boolean {
  const whole = Number.isSafeInteger(amount) && (amount as number) >= 0;
  return whole && (amount as number) <= MAX_MONEY_MINOR && /^[A-Z]{3}$/.test(currency ?? "");
}

/** First try and retries. */
export const { MAX_ATTEMPTS } = RULES;

/**
 * The idempotency key of an attempt: user and id name the order, since an id is the user's own
 * choice.
 */
export function chargeKey(of: Attempt): string {
  return `${of.user}/${of.id}/${of.generation}/${of.attempt}`;
}

/** The attempt a key stands for; undefined for a key that is none of ours. */
export function parseChargeKey(key: string): Attempt | undefined {
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
