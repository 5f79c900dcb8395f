// I6, I7, I8: the ledger's charges held against the orders' states, against the money it posted, and against the provider's own record.
import type { LedgerAudit } from "../../../ledger/audit.ts";
import { type LedgerOrder, orderKey } from "../evidence.ts";
import type { Findings } from "../findings.ts";
import type { AmountsCheck } from "./amounts.ts";

/** A line of the provider's record. */
export interface CaptureRecord {
  /** user/order/generation/attempt */
  readonly key: string;
  readonly amount: number;
  readonly currency: string;
  readonly status: string;
  readonly refunded: boolean;
}

/** States in which exactly one capture is kept. */
const PAID = new Set(["paid", "dispatched"]);
/** States that an order reaches only after its stock was reserved, and so has charges. */
const CHARGED = new Set(["reserved", "paid", "dispatched", "payment_failed", "expired"]);

interface Charged {
  captured: number;
  attempts: number;
  /** An attempt was given up without knowing what became of it. */
  unknown?: boolean;
}

export class ChargesCheck {
  retries = 0;
  refunded = 0;
  private readonly states = new Map<string, string>();

  constructor(
    private readonly findings: Findings,
    private readonly amounts: AmountsCheck,
  ) {}

  /** Takes every order that has been reserved. */
  order(order: LedgerOrder): void {
    this.amounts.order(order);
    if (CHARGED.has(order.state) || order.had.includes("reserved"))
      this.states.set(orderKey(order.user, order.id), order.state);
  }

  async end(
    audit: LedgerAudit,
    provider: readonly CaptureRecord[] | undefined,
    atRest: boolean,
  ): Promise<void> {
    const kept = await this.againstOrders(audit);
    await this.postings(audit);
    if (provider) this.againstProvider(kept.byKey, provider, atRest);
  }

  /** Each order that is paid has one capture in the ledger, every other one none. Returns the ledger's charges by key. */
  private async againstOrders(
    audit: LedgerAudit,
  ): Promise<{ byKey: Map<string, { status: string; amount: number; currency: string }> }> {
    const byOrder = new Map<string, Charged>();
    const byKey = new Map<string, { status: string; amount: number; currency: string }>();
    for await (const chunk of audit.charges()) {
      for (const charge of chunk) {
        const { user, id, generation, attempt, amount, currency, status } = charge;
        this.amounts.charge(charge);
        const key = orderKey(user, id);
        const charged = byOrder.get(key) ?? { captured: 0, attempts: 0 };
        byOrder.set(key, charged);
        if (attempt > 0) charged.attempts++;
        if (status === "unknown") charged.unknown = true;
        if (attempt > 1) this.retries++;
        if (status === "refunded") this.refunded++;
        if (status === "captured") charged.captured++;
        if (attempt > 0)
          byKey.set(`${user}/${id}/${generation}/${attempt}`, { status, amount, currency });
        if (!this.states.has(key))
          this.findings.violation("I6", "an order was charged that had not been reserved", key);
      }
    }
    for (const [key, state] of this.states) {
      const { captured, attempts, unknown } = byOrder.get(key) ?? { captured: 0, attempts: 0 };
      if (captured > 1)
        this.findings.violation("I6", "an order was paid twice", `${key}: ${captured} captures`);
      else if (PAID.has(state) && captured === 0)
        this.findings.violation("I6", "an order is paid without a capture", `${key}: ${state}`);
      else if (!PAID.has(state) && captured > 0) {
        const invariant = state === "cancelled" ? "I7" : "I6";
        this.findings.violation(invariant, `money is kept for an order that is ${state}`, key);
      }
      if (state === "payment_failed" && !unknown && attempts % MAX_ATTEMPTS !== 0)
        this.findings.violation(
          "I6",
          `an order was given up without its ${MAX_ATTEMPTS} attempts`,
          `${key}: ${attempts}`,
        );
    }
    return { byKey };
  }

  /** Double entry: each cause sums to zero per currency. */
  private async postings(audit: LedgerAudit): Promise<void> {
    const crooked = new Map<string, number>();
    for await (const chunk of audit.postings()) {
      for (const { cause, currency, amount } of chunk) {
        const name = `${cause} ${currency}`;
        const sum = (crooked.get(name) ?? 0) + amount;
        if (sum === 0) crooked.delete(name);
        else crooked.set(name, sum);
      }
    }
    for (const [name, sum] of crooked)
      this.findings.violation("I8", "postings of one cause do not sum to zero", `${name}: ${sum}`);
  }

  private againstProvider(
    ledger: ReadonlyMap<string, { status: string; amount: number; currency: string }>,
    provider: readonly CaptureRecord[],
    atRest: boolean,
  ): void {
    const keptOf = new Map<string, number>();
    const captured = new Set<string>();
    for (const record of provider) {
      const own = ledger.get(record.key);
      const kept = record.status === "captured" && !record.refunded;
      const [user = "", id = ""] = record.key.split("/");
      if (kept) keptOf.set(orderKey(user, id), (keptOf.get(orderKey(user, id)) ?? 0) + 1);
      if (record.status === "captured") captured.add(record.key);
      if (!own)
        this.findings.violation(
          "I6",
          "the provider was asked for a charge that the ledger does not have",
          record.key,
        );
      else if (own.amount !== record.amount || own.currency !== record.currency)
        this.findings.violation(
          "I6",
          "the provider charged another amount than the ledger has",
          `${record.key}: ${record.amount} ${record.currency}`,
        );
      else if (atRest && kept !== (own.status === "captured"))
        this.findings.violation(
          "I6",
          "the provider and the ledger differ about a charge",
          `${record.key}: ${record.status}, ledger ${own.status}`,
        );
    }
    for (const [order, count] of keptOf) {
      if (count > 1)
        this.findings.violation(
          "I6",
          "a customer pays twice for one order",
          `${order}: ${count} captures kept`,
        );
      if (atRest && this.states.get(order) === "cancelled")
        this.findings.violation("I7", "a cancelled order is paid for at the provider", order);
    }
    for (const [key, { status, amount }] of ledger) {
      if (status === "captured" && amount > 0 && !captured.has(key))
        this.findings.violation("I6", "the ledger has a capture that the provider does not", key);
    }
  }
}

/** First try and three retries (R8). */
const MAX_ATTEMPTS = 4;
