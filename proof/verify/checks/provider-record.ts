// I6 and I7 at the provider: its own record of every attempt against the ledger's, when nothing is
// under way. They have the same attempts, amounts and currencies; what the provider keeps the
// ledger has as captured, and what went back there, by Sluice's refund or by somebody else's hand,
// went back here.
import { orderKey } from "../evidence.ts";
import type { Findings } from "../findings.ts";

/** A line of the provider's record. */
export interface CaptureRecord {
  /** user/order/generation/attempt */
  readonly key: string;
  readonly amount: number;
  readonly currency: string;
  readonly status: string;
  /** The money is back with the customer: all of it, or so much. */
  readonly refunded: boolean;
  readonly refundedAmount?: number | undefined;
  /** `provider`: it gave it back of its own, or for somebody at its own desk. */
  readonly refundedBy?: string | undefined;
  /** The customer disputes the charge. */
  readonly disputed?: boolean | undefined;
}

export interface ChargeTold {
  readonly status: string;
  readonly amount: number;
  readonly currency: string;
}

/** Where the provider's money is, in one word. */
type Money = "none" | "kept" | "refunded" | "returned" | "disputed";

/** What the ledger's word allows at the provider; a word that is not here allows anything. */
const FITS: Readonly<Record<string, readonly Money[]>> = {
  captured: ["kept"],
  failed: ["none", "refunded", "returned"],
  waiting: ["none"],
  dropped: ["none"],
  // Refused for good, or not known for too long: then it may have been done after all.
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
    // What is still looked for, or could not be given back, is owed and named elsewhere.
    if (money === "kept" && !OWED.has(own?.status ?? ""))
      keptOf.set(orderKey(user, id), (keptOf.get(orderKey(user, id)) ?? 0) + 1);
    if (!own) wrong("the provider was asked for a charge that the ledger does not have", key);
    else if (own.amount !== amount || own.currency !== currency)
      wrong(
        "the provider charged another amount than the ledger has",
        `${key}: ${amount} ${currency}`,
      );
    else if (!(FITS[own.status]?.includes(money) ?? true))
      wrong(
        differenceOf(own.status, money),
        `${key}: ${status} and ${money}, ledger ${own.status}`,
      );
    else if (record.refunded && (record.refundedAmount ?? amount) !== amount)
      wrong("the provider gave back another amount than it took", `${key}: of ${amount}`);
    else if (own.status === "unknown" && money === "kept")
      findings.note("captures that the ledger still looks for", key);
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
/** The ledger says that money came in, whatever became of it. */
const NEEDS_CAPTURE = new Set(["captured", "refunded", "refund_failed", "returned", "disputed"]);

function moneyOf({ status, refunded, refundedBy, disputed }: CaptureRecord): Money {
  if (refunded) return refundedBy === "provider" ? "returned" : "refunded";
  if (disputed) return "disputed";
  return status === "captured" ? "kept" : "none";
}

function differenceOf(ledger: string, money: Money): string {
  if (ledger === "unresolved") return "a capture was never found, and nobody looks for it any more";
  if (money === "returned" || money === "disputed")
    return `the ledger does not know of a charge that was ${money} at the provider`;
  return "the provider and the ledger differ about a charge";
}
