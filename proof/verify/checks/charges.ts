// I6, I7, I8: compares the ledger's charges with the orders' states and with the posted money.
// Money owed to somebody is always reported.
import { RULES } from "../../../core/domain/limits.ts";
import { moneyText } from "../../../core/domain/money.ts";
import type { ChargeRecord, LedgerAudit } from "../../../ledger/audit.ts";
import { type LedgerOrder, orderKey } from "../evidence.ts";
import type { Findings } from "../findings.ts";
import type { AmountsCheck } from "./amounts.ts";
import type { LettersCheck } from "./letters.ts";
import { type CaptureRecord, type ChargeTold, checkProvider } from "./provider-record.ts";
import { RevenueCheck } from "./revenue.ts";

export type { CaptureRecord } from "./provider-record.ts";

/** States of a paid order. */
const PAID = new Set(["paid", "dispatched"]);
/** States an order reaches only after its stock was reserved, so that it has charges. */
const CHARGED = new Set(["reserved", "paid", "dispatched", "payment_failed", "expired"]);
/** Charge statuses whose money came in. It may have gone back since, without Sluice's doing. */
const CAME_IN = new Set(["captured", "returned", "disputed"]);
/** Charge statuses that a reserved order waits for. */
const OPEN = new Set(["waiting", "started"]);

/** What is owed and to whom, by charge status. */
const OWED: Readonly<Record<string, string>> = {
  started: "charges under way: it is not known yet whether the customer has paid",
  unknown: "charges of failed orders, looked up until it is known whether they were paid",
  unresolved: "charges with an unknown result that are no longer looked up",
  refunding: "refunds under way: the customer is owed them",
  refund_failed: "refunds that the provider refuses: the customer is owed them",
  disputed: "captures that the customer disputes",
  returned: "captures that the provider refunded on its own",
};

interface Charged {
  captured: number;
  cameIn: number;
  attempts: number;
  /** The latest generation with an open attempt. */
  openIn: number;
}

const NONE: Charged = { captured: 0, cameIn: 0, attempts: 0, openIn: 0 };

type ChargedOrder = Pick<LedgerOrder, "state" | "generation" | "givenUp" | "saleId">;

export class ChargesCheck {
  retries = 0;
  refunded = 0;
  /** Orders that have been reserved. */
  private readonly orders = new Map<string, ChargedOrder>();
  private readonly revenue = new RevenueCheck();

  constructor(
    private readonly findings: Findings,
    private readonly amounts: AmountsCheck,
    private readonly letters: LettersCheck,
  ) {}

  order(order: LedgerOrder): void {
    this.amounts.order(order);
    const { user, id, state, had, generation, givenUp, saleId } = order;
    if (CHARGED.has(state) || had.includes("reserved"))
      this.orders.set(orderKey(user, id), { state, generation, givenUp, saleId });
  }

  async end(
    audit: LedgerAudit,
    provider: readonly CaptureRecord[] | undefined,
    atRest: boolean,
  ): Promise<void> {
    const byOrder = new Map<string, Charged>();
    const byKey = new Map<string, ChargeTold>();
    for await (const chunk of audit.charges())
      for (const charge of chunk) this.charge(charge, byOrder, byKey);
    for (const [key, order] of this.orders) this.settled(key, order, byOrder.get(key) ?? NONE);
    await this.postings(audit);
    if (provider && atRest) {
      const stateOf = (key: string) => this.orders.get(key)?.state;
      checkProvider(byKey, provider, stateOf, this.findings);
    }
  }

  private charge(
    charge: ChargeRecord,
    byOrder: Map<string, Charged>,
    byKey: Map<string, ChargeTold>,
  ): void {
    const { user, id, generation, attempt, amount, currency, status } = charge;
    this.amounts.charge(charge);
    const key = orderKey(user, id);
    const order = this.orders.get(key);
    if (!order) this.wrong("I6", "an order was charged that had not been reserved", key);
    const charged = byOrder.get(key) ?? { ...NONE };
    byOrder.set(key, charged);
    if (attempt > 0) charged.attempts++;
    if (status === "captured") charged.captured++;
    if (status === "captured" && order) this.revenue.captured(order.saleId, currency, amount);
    if (CAME_IN.has(status)) charged.cameIn++;
    if (OPEN.has(status)) charged.openIn = Math.max(charged.openIn, generation);
    if (attempt > 1) this.retries++;
    if (status === "refunded") this.refunded++;
    this.letters.charge(charge);
    const name = `${user}/${id}/${generation}/${attempt}`;
    if (attempt > 0) byKey.set(name, { status, amount, currency });
    const owed = OWED[status];
    if (owed) this.findings.note(owed, `${name}: ${moneyText(amount, currency)}`);
  }

  /** A paid order has one capture, any other has none, and a reserved one can still end. */
  private settled(
    key: string,
    { state, generation, givenUp }: ChargedOrder,
    { captured, cameIn, attempts, openIn }: Charged,
  ): void {
    if (captured > 1) this.wrong("I6", "an order was paid twice", `${key}: ${captured} captures`);
    else if (PAID.has(state) && cameIn === 0)
      this.wrong("I6", "an order is paid without a capture", `${key}: ${state}`);
    else if (!PAID.has(state) && captured > 0)
      this.wrong(
        state === "cancelled" ? "I7" : "I6",
        `money is kept for an order that is ${state}`,
        key,
      );
    if (state === "reserved" && openIn < generation)
      this.wrong("I1", "an order is reserved but never charged, so it cannot end", key);
    if (state === "payment_failed" && !givenUp && attempts % MAX_ATTEMPTS !== 0)
      this.wrong(
        "I6",
        `an order was given up without its ${MAX_ATTEMPTS} attempts`,
        `${key}: ${attempts}`,
      );
  }

  /** Double entry: each cause sums to zero per currency. */
  private async postings(audit: LedgerAudit): Promise<void> {
    const crooked = new Map<string, number>();
    for await (const chunk of audit.postings()) {
      for (const posting of chunk) {
        const { cause, currency, amount } = posting;
        this.revenue.posting(posting);
        const name = `${cause} ${currency}`;
        const sum = (crooked.get(name) ?? 0) + amount;
        if (sum === 0) crooked.delete(name);
        else crooked.set(name, sum);
      }
    }
    for (const [name, sum] of crooked)
      this.wrong("I8", "postings of one cause do not sum to zero", `${name}: ${sum}`);
    this.revenue.end(this.findings);
  }

  private wrong(invariant: "I1" | "I6" | "I7" | "I8", what: string, example: string): void {
    this.findings.violation(invariant, what, example);
  }
}

/** The first attempt and three retries (R8). */
const { MAX_ATTEMPTS } = RULES;
