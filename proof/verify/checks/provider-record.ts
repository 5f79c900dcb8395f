// I6 and I7 at the provider: compares its record of every attempt with the ledger's when no charge
// is in flight. Both have the same attempts, amounts and currencies. What the provider keeps is
// captured in the ledger, and what it refunded, on Sluice's request or on its own, is refunded
// there.
import { moneyText } from "../../../core/domain/money.ts";
import { orderKey } from "../evidence.ts";
import type { Findings } from "../findings.ts";

/** An entry of the provider's record. */
export interface CaptureRecord {
  /** user/order/generation/attempt */
  readonly key: string;
  readonly amount: number;
  readonly currency: string;
  readonly status: string;
  /** The money is back with the customer: all of it, or this amount. */
  readonly refunded: boolean;
  readonly refundedAmount?: number | undefined;
  /** `provider`: it refunded unasked, or somebody did so at the provider. */
  readonly refundedBy?: string | undefined;
  /** The customer disputes the charge. */
  readonly disputed?: boolean | undefined;
}

export interface ChargeTold {
  readonly status: string;
  readonly amount: number;
  readonly currency: string;
}

/** Where the provider says the money is. */
type Money = "none" | "kept" | "refunded" | "returned" | "disputed";

/** What each status in the ledger allows at the provider; a status not listed allows anything. */
const FITS: Readonly<Record<string, readonly Money[]>> = {
  captured: ["kept"],
  failed: ["none", "refunded", "returned"],
  waiting: ["none"],
  dropped: ["none"],
  // Refused permanently, or unknown for too long: it may have been made after all.
  refund_failed: ["kept", "refunded", "returned", "disputed"],
  refunded: ["refunded", "returned"],
  returned: ["returned", "refunded"],
  disputed: ["disputed", "refunded", "returned"],
  unresolved: ["none", "refunded", "returned"],
};

export function checkProvider(
  ledger: ReadonlyMap<string, ChargeTold>,
  provider: readonly CaptureRecord[],
  stateOf: (order: string) => string | undefined,
  findings: Findings,
): void {
  const wrong = (what: string, example: string) => findings.violation("I6", what, example);
  const keptOf = new Map<string, number>();
  const seen = new Set<string>();
  for (const record of provider) {
    const { key, amount, currency, status } = record;
    const own = ledger.get(key);
    const money = moneyOf(record);
    if (money !== "none") seen.add(key);
    const [user = "", id = ""] = key.split("/");
    // Charges still looked up, or impossible to refund, are owed and reported elsewhere.
    if (money === "kept" && !OWED.has(own?.status ?? ""))
      keptOf.set(orderKey(user, id), (keptOf.get(orderKey(user, id)) ?? 0) + 1);
    if (!own) wrong("the provider was asked for a charge that the ledger does not have", key);
    else if (own.amount !== amount || own.currency !== currency)
      wrong(
        "the provider charged a different amount than the ledger has",
        `${key}: ${moneyText(amount, currency)}`,
      );
    else if (!(FITS[own.status]?.includes(money) ?? true))
      wrong(
        differenceOf(own.status, money),
        `${key}: ${status} and ${money}, ledger ${own.status}`,
      );
    else if (record.refunded && (record.refundedAmount ?? amount) !== amount)
      wrong(
        "the provider refunded a different amount than it captured",
        `${key}: of ${moneyText(amount, currency)}`,
      );
    else if (own.status === "unknown" && money === "kept")
      findings.note("captures that are still looked up", key);
  }
  for (const [order, count] of keptOf) {
    if (count > 1) wrong("a customer pays twice for one order", `${order}: ${count} captures kept`);
    if (stateOf(order) === "cancelled")
      findings.violation("I7", "a cancelled order is paid for at the provider", order);
  }
  for (const [key, { status, amount }] of ledger)
    if (NEEDS_CAPTURE.has(status) && amount > 0 && !seen.has(key))
      wrong("the ledger has a capture that the provider does not", `${key}: ${status}`);
}

const OWED = new Set(["unknown", "refund_failed"]);
/** Ledger statuses of charges whose money came in, whatever happened later. */
const NEEDS_CAPTURE = new Set(["captured", "refunded", "refund_failed", "returned", "disputed"]);

function moneyOf({ status, refunded, refundedBy, disputed }: CaptureRecord): Money {
  if (refunded) return refundedBy === "provider" ? "returned" : "refunded";
  if (disputed) return "disputed";
  return status === "captured" ? "kept" : "none";
}

function differenceOf(ledger: string, money: Money): string {
  if (ledger === "unresolved") return "a capture was never found and is no longer looked up";
  if (money === "returned" || money === "disputed")
    return `the ledger does not know of a charge that was ${money} at the provider`;
  return "the provider and the ledger differ about a charge";
}
