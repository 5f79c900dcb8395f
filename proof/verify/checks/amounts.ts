// I8: recomputes what each order was charged: its items at their prices, in the order's currency at
// the rate of its decision, to the last minor unit, and never more than its buyer allowed.
import { minorDigits } from "../../../core/domain/currency.ts";
import type { ChargeRecord, SaleRecord } from "../../../ledger/audit.ts";
import { type LedgerOrder, orderKey, type Slice } from "../evidence.ts";
import type { Findings } from "../findings.ts";
import type { DecodedEntry, RateTaken } from "../journal.ts";
import { type Terms, totalsOf } from "../terms.ts";

export class AmountsCheck {
  private readonly orders = new Map<string, LedgerOrder>();
  /** One per generation of the order. */
  private readonly rates = new Map<string, RateTaken[]>();
  /** Minor units kept, by currency. */
  readonly kept = new Map<string, number>();

  constructor(
    private readonly findings: Findings,
    private readonly sales: ReadonlyMap<string, SaleRecord>,
    private readonly terms: Terms,
  ) {}

  entry({ rates }: DecodedEntry, slice: Slice): void {
    for (const rate of rates) {
      if (!slice(rate.user)) continue;
      const key = orderKey(rate.user, rate.id);
      this.rates.set(key, [...(this.rates.get(key) ?? []), rate]);
    }
  }

  order(order: LedgerOrder): void {
    if (order.had.includes("reserved")) this.orders.set(orderKey(order.user, order.id), order);
  }

  charge({ user, id, amount, currency, rateId, rate, status }: ChargeRecord): void {
    const key = orderKey(user, id);
    const order = this.orders.get(key);
    if (!order) return;
    if (status === "captured") this.kept.set(currency, (this.kept.get(currency) ?? 0) + amount);
    if (currency !== order.currency)
      this.wrong("an order was charged in a currency other than its own", `${key}: ${currency}`);
    const taken = this.rates.get(key);
    const base = this.sales.get(order.saleId)?.currency;
    if (base === order.currency) {
      if (rateId !== "" || taken)
        this.wrong(
          "an order in its sale's own currency was charged at a rate",
          `${key}: ${rateId}`,
        );
    } else if (rateId === "" || !taken?.some((t) => t.rateId === rateId && t.value === rate))
      this.wrong(
        "a charge does not record the rate its order was decided at",
        `${key}: '${rateId}', not '${taken?.map((t) => t.rateId)}'`,
      );
    const due = this.due(order, base ?? "", rate);
    if (!due.includes(BigInt(amount)))
      this.wrong(
        "an order was charged a different amount than its items cost",
        `${key}: ${amount} ${currency}, not ${due.join(" or ")}`,
      );
    if (order.maxTotal > 0 && amount > order.maxTotal)
      this.wrong(
        "an order was charged more than its buyer allows",
        `${key}: ${amount}, at most ${order.maxTotal}`,
      );
  }

  /** More than one while a change of price is on its way to Redis. */
  private due(order: LedgerOrder, base: string, rate: string): bigint[] {
    const totals = totalsOf(order, this.terms);
    if (base === order.currency) return totals;
    return totals.map((total) => this.converted(order, base, rate, total));
  }

  private converted(order: LedgerOrder, base: string, rate: string, total: bigint): bigint {
    const [whole = "", fraction = ""] = rate.split(".");
    const numerator = total * BigInt(whole + fraction) * 10n ** BigInt(minorDigits(order.currency));
    const denominator = 10n ** BigInt(fraction.length + minorDigits(base));
    return (2n * numerator + denominator) / (2n * denominator);
  }

  private wrong(what: string, example: string): void {
    this.findings.violation("I8", what, example);
  }
}
