// Prices and categories of items. A sale's prices never change once it has been created, so a writer keeps what it has read.
import type { Runner } from "./db.ts";

export class Prices {
  /** `sale sku` → minor units of the sale's currency. */
  private readonly minorUnits = new Map<string, number>();
  private readonly categories = new Map<string, string>();
  private readonly known = new Set<string>();
  private readonly missing = new Set<string>();

  /** Minor units; 0 while the sale's prices have not been loaded, which the next load() mends. Unknown items cost nothing: holding them is refused. */
  total(saleId: string, lines: readonly (string | number)[]): number {
    if (!this.known.has(saleId)) this.missing.add(saleId);
    let sum = 0;
    for (let i = 0; i < lines.length; i += 2)
      sum += (this.minorUnits.get(`${saleId} ${lines[i]}`) ?? 0) * (lines[i + 1] as number);
    return sum;
  }

  /** Items nobody knows are of no category: they cannot have been held. */
  async category(tx: Runner, saleId: string, sku: string): Promise<string> {
    if (!this.known.has(saleId)) {
      this.missing.add(saleId);
      await this.load(tx);
    }
    return this.categories.get(`${saleId} ${sku}`) ?? "none";
  }

  /** Loads the sales that were asked for in vain. Returns whether there were any. */
  async load(tx: Runner): Promise<boolean> {
    if (this.missing.size === 0) return false;
    for (const saleId of this.missing) {
      for (const r of await tx.run("SELECT sku, price_minor, category FROM items WHERE sale = ?", [
        saleId,
      ])) {
        this.minorUnits.set(`${saleId} ${r.sku}`, Number(r.price_minor));
        this.categories.set(`${saleId} ${r.sku}`, String(r.category));
      }
      this.known.add(saleId);
    }
    this.missing.clear();
    return true;
  }
}
