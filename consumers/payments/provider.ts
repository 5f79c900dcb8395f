// What Sluice asks of a payment provider, and every answer it tells apart. A real provider needs an
// adapter that keeps to this; docs/payments.md has the contract of the one that speaks HTTP.
//
// Invariants of every answer:
//  1. `captured`, `declined`, `none`, `refunded` and `refused` are definite: the provider itself said
//     so, about exactly this key, amount and currency.
//  2. `busy`, `away` and `unknown` say nothing about the money. It may have moved. Asking again with
//     the same key is harmless, and no end may be recorded because of them.
//  3. No call rejects, and each ends within the provider's time limit.
import type { ChargeRequest, RefundRequest } from "../../core/domain/charge.ts";

/** One attempt and what it is for: what a look-up's answer is compared with. */
export type ChargeTerms = Pick<
  ChargeRequest,
  "user" | "id" | "generation" | "attempt" | "amount" | "currency" | "traceparent"
>;

/** Nothing is known of the money; invariant 2. */
export type NoAnswer =
  /** The provider asks for fewer calls: not before so many ms have passed (at most a minute). */
  | { readonly kind: "busy"; readonly afterMs: number }
  /** It cannot be reached, or serves nobody. */
  | { readonly kind: "away"; readonly why: string }
  /** Lost, late, cut short, or not an answer to the question. `why` is for the log. */
  | { readonly kind: "unknown"; readonly why: string };

/** `pending`: taken, not decided yet. The same key is looked up until it is. */
export type ChargeAnswer =
  | { readonly kind: "captured" }
  | { readonly kind: "declined"; readonly reason: string }
  | { readonly kind: "pending" }
  | NoAnswer;

export type LookUpAnswer =
  /** `now`: whether the money is still there, as far as the provider tells (see webhooks). */
  | { readonly kind: "captured"; readonly now: "kept" | "refunded" | "disputed" }
  | { readonly kind: "declined"; readonly reason: string }
  | { readonly kind: "pending" }
  /** The provider has never taken this key. A call may still be on its way to it. */
  | { readonly kind: "none" }
  | NoAnswer;

export type RefundAnswer =
  /** The money is back, by this request or by whatever gave it back before. */
  | { readonly kind: "refunded" }
  | { readonly kind: "pending" }
  /** The provider will not refund it, however often it is asked. */
  | { readonly kind: "refused"; readonly reason: string }
  | NoAnswer;

/** `none`: there is no refund of this charge. A call may still be on its way. */
export type RefundLookUpAnswer = RefundAnswer | { readonly kind: "none" };

export interface PaymentProvider {
  /** Captures, once a key. */
  charge(request: ChargeRequest): Promise<ChargeAnswer>;
  /** What became of a charge. Changes nothing. */
  lookUp(charge: ChargeTerms): Promise<LookUpAnswer>;
  /** Gives a capture back whole, once a key. */
  refund(request: RefundRequest): Promise<RefundAnswer>;
  /** What became of a refund. Changes nothing. */
  lookUpRefund(request: RefundRequest): Promise<RefundLookUpAnswer>;
}
