// What Sluice asks of a payment provider, and every answer it distinguishes. Another provider needs
// an adapter that keeps these invariants; docs/payments.md is the HTTP contract.
//
// Invariants of every answer:
//  1. `captured`, `declined`, `none`, `refunded` and `refused` are definite: the provider itself
//     said so, about exactly this key, amount and currency.
//  2. `busy`, `away` and `unknown` say nothing about the money. It may have moved. Asking again
//     with the same key is harmless, and no final state may be recorded because of them.
//  3. No call rejects, and each ends within the provider's timeout.
import type { ChargeRequest, RefundRequest } from "../../core/domain/charge.ts";

/** One attempt and its purpose: a look-up's answer is compared with them. */
export type ChargeTerms = Pick<
  ChargeRequest,
  "user" | "id" | "generation" | "attempt" | "amount" | "currency" | "traceparent"
>;

/** The state of the money is unknown; invariant 2. */
export type NoAnswer =
  /** The provider asks for fewer calls: wait this long (at most a minute) before the next. */
  | { readonly kind: "busy"; readonly afterMs: number }
  /** The provider is unreachable, or serves no one. */
  | { readonly kind: "away"; readonly why: string }
  /** Lost, late, cut short, or no answer to the question. `why` is for the log. */
  | { readonly kind: "unknown"; readonly why: string };

/** `pending`: accepted, not decided yet. The same key is looked up until it is. */
export type ChargeAnswer =
  | { readonly kind: "captured" }
  | { readonly kind: "declined"; readonly reason: string }
  | { readonly kind: "pending" }
  | NoAnswer;

export type LookUpAnswer =
  /** `now`: whether the money is still there, as far as the provider reports it (see webhooks). */
  | { readonly kind: "captured"; readonly now: "kept" | "refunded" | "disputed" }
  | { readonly kind: "declined"; readonly reason: string }
  | { readonly kind: "pending" }
  /** The provider has never received this key. A call may still be on its way to it. */
  | { readonly kind: "none" }
  | NoAnswer;

export type RefundAnswer =
  /** The money is back, by this request or an earlier refund. */
  | { readonly kind: "refunded" }
  | { readonly kind: "pending" }
  /** The provider will never refund it, however often it is asked. */
  | { readonly kind: "refused"; readonly reason: string }
  | NoAnswer;

/** `none`: this charge has no refund. A call may still be on its way. */
export type RefundLookUpAnswer = RefundAnswer | { readonly kind: "none" };

export interface PaymentProvider {
  /** Captures, once per key. */
  charge(request: ChargeRequest): Promise<ChargeAnswer>;
  /** Looks a charge up. Changes nothing. */
  lookUp(charge: ChargeTerms): Promise<LookUpAnswer>;
  /** Refunds a capture in full, once per key. */
  refund(request: RefundRequest): Promise<RefundAnswer>;
  /** Looks a refund up. Changes nothing. */
  lookUpRefund(request: RefundRequest): Promise<RefundLookUpAnswer>;
}
