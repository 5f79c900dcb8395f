// One turn of asking the provider about an attempt: at most two calls, no waiting. Whatever is
// still indefinite is put off until its due time (ledger/obligations.ts).
//
//   charge  first time: charge. Later: look up; no trace at the provider: charge, same key.
//   lookup  an attempt its order no longer waits for: look up, and never charge.
//   refund  first time: refund. Later: look the refund up; no trace of it: refund, same key.
//
// Unknown never becomes failed: only the provider's own word does that. "No trace" is not such a
// word: the call may still be on its way.
import type { ChargeRequest, LookUpRequest, RefundRequest } from "../../core/domain/charge.ts";
import type {
  ChargeAnswer,
  LookUpAnswer,
  PaymentProvider,
  RefundLookUpAnswer,
} from "./provider.ts";

export type Turn =
  | {
      readonly word: "captured" | "failed" | "refunded" | "refund_failed";
      readonly detail: string;
      /** The captured money has already left again, at the provider. */
      readonly gone?: "returned" | "disputed";
    }
  | Later;

/** Indefinite: ask again, but not within `waitMs`. */
export interface Later {
  readonly word: "later";
  readonly waitMs: number;
  readonly why: string;
  /** The provider served the call, so nothing is wrong with it. */
  readonly served: boolean;
  /** The provider has no trace of the attempt. */
  readonly none?: true;
}

export async function chargeTurn(request: ChargeRequest, provider: PaymentProvider): Promise<Turn> {
  if (askedInVain(request)) {
    const known = await provider.lookUp(request);
    if (known.kind !== "none") return ofLookUp(known);
  }
  return ofCharge(await provider.charge(request));
}

export async function lookUpTurn(request: LookUpRequest, provider: PaymentProvider): Promise<Turn> {
  return ofLookUp(await provider.lookUp(request));
}

export async function refundTurn(request: RefundRequest, provider: PaymentProvider): Promise<Turn> {
  if (askedInVain(request)) {
    const known = await provider.lookUpRefund(request);
    if (known.kind !== "none") return ofRefund(known);
  }
  return ofRefund(await provider.refund(request));
}

function askedInVain({ sinceMs }: { readonly sinceMs?: number }): boolean {
  return sinceMs !== undefined;
}

function ofCharge(answer: ChargeAnswer): Turn {
  switch (answer.kind) {
    case "captured":
      return { word: "captured", detail: "" };
    case "declined":
      return { word: "failed", detail: answer.reason };
    default:
      return later(answer);
  }
}

function ofLookUp(answer: LookUpAnswer): Turn {
  switch (answer.kind) {
    case "captured": {
      const gone = answer.now === "kept" ? {} : { gone: GONE[answer.now] };
      return { word: "captured", detail: "looked up", ...gone };
    }
    case "declined":
      return { word: "failed", detail: `${answer.reason} (looked up)` };
    case "none":
      return { word: "later", waitMs: 0, why: "no trace of it", served: true, none: true };
    default:
      return later(answer);
  }
}

const GONE = { refunded: "returned", disputed: "disputed" } as const;

function ofRefund(answer: RefundLookUpAnswer): Turn {
  switch (answer.kind) {
    case "refunded":
      return { word: "refunded", detail: "" };
    case "refused":
      return { word: "refund_failed", detail: answer.reason };
    case "none":
      return { word: "later", waitMs: 0, why: "no trace of it", served: true };
    default:
      return later(answer);
  }
}

function later(
  answer: Extract<ChargeAnswer, { kind: "pending" | "busy" | "away" | "unknown" }>,
): Later {
  switch (answer.kind) {
    case "pending":
      return { word: "later", waitMs: 0, why: "pending", served: true };
    case "busy":
      return { word: "later", waitMs: answer.afterMs, why: "busy", served: true };
    case "away":
    case "unknown":
      return { word: "later", waitMs: 0, why: answer.why, served: false };
  }
}
