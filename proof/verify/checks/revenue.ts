// I8: what is posted as a sale's revenue is what its orders have paid and not got back.
import type { PostingRecord } from "../../../ledger/audit.ts";
import type { Findings } from "../findings.ts";

const WRONG = "a sale's revenue is not what its orders have paid";

export class RevenueCheck {
  /** By `sale currency`: captured money that is still there. */
  private readonly paid = new Map<string, number>();
  private readonly posted = new Map<string, number>();
  /** A posting of an earlier release names no sale: then only the sum of all sales is known. */
  private unnamed = false;

  captured(sale: string, currency: string, amount: number): void {
    add(this.paid, `${sale} ${currency}`, amount);
  }

  posting({ account, sale, currency, amount }: PostingRecord): void {
    if (account !== "revenue") return;
    if (sale === "") this.unnamed = true;
    add(this.posted, `${sale} ${currency}`, amount);
  }

  end(findings: Findings): void {
    const [paid, posted] = [this.paid, this.posted].map((sums) =>
      this.unnamed ? ofAllSales(sums) : sums,
    ) as [Sums, Sums];
    for (const name of new Set([...paid.keys(), ...posted.keys()])) {
      const [is, ought] = [posted.get(name) ?? 0, paid.get(name) ?? 0];
      if (is !== ought) findings.violation("I8", WRONG, `${name}: ${is} posted, ${ought} paid`);
    }
  }
}

type Sums = ReadonlyMap<string, number>;

function add(sums: Map<string, number>, name: string, amount: number): void {
  sums.set(name, (sums.get(name) ?? 0) + amount);
}

function ofAllSales(sums: Sums): Sums {
  const all = new Map<string, number>();
  for (const [name, amount] of sums) add(all, `all ${name.split(" ")[1]}`, amount);
  return all;
}
