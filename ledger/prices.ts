// First prices, categories and highest limits of items, cached by a writer until the catalogue
// changes. Redis decides by the prices and limits of the moment: an order that it reserved at a
// later price says what it costs (the step `price`), and no limit was ever above the highest.
import type { Line } from "../core/domain/order.ts";
import type { Runner } from "./db.ts";

export class Prices {
  /** `sale sku` → minor units of the sale's currency. */
  private readonly minorUnits = new Map<string, number>();
  private readonly categories = new Map<string, string>();
  /** Units a user may have, only for items with a limit. */
  private readonly limits = new Map<string, number>();
  private readonly limited = new Set<string>();
  private readonly known = new Set<string>();
  private readonly missing = new Set<string>();

  /** `version`: of the catalogue. */
  constructor(readonly version: number) {}

  /**
   * Minor units; 0 if the sale is not loaded, then call load() and repeat. Unknown items cost
   * nothing, since holding them is refused.
   */
  total(saleId: string, lines: readonly Line[]): number {
    if (!this.known.has(saleId)) this.missing.add(saleId);
    let sum = 0;
    for (const { sku, qty } of lines) sum += (this.minorUnits.get(`${saleId} ${sku}`) ?? 0) * qty;
    return sum;
  }

  /** Whether any item of a sale has a limit; false if the sale is not loaded, as in total(). */
  hasLimits(saleId: string): boolean {
    if (!this.known.has(saleId)) this.missing.add(saleId);
    return this.limited.has(saleId);
  }

  /** Units of an item that a user may have; 0: no limit. */
  limit(saleId: string, sku: string): number {
    return this.limits.get(`${saleId} ${sku}`) ?? 0;
  }

  /** `none` for an unknown item: nobody can have held it. The sale must be loaded. */
  category(saleId: string, sku: string): string {
    return this.categories.get(`${saleId} ${sku}`) ?? "none";
  }

  /** Loads those of the sales that are not loaded. */
  async require(tx: Runner, sales: Iterable<string>): Promise<void> {
    for (const saleId of sales) if (!this.known.has(saleId)) this.missing.add(saleId);
    await this.load(tx);
  }

  /** Loads the sales that were missing. Returns whether there were any. */
  async load(tx: Runner): Promise<boolean> {
    if (this.missing.size === 0) return false;
    for (const saleId of this.missing) {
      const text = `SELECT sku, price_minor, category, limit_per_user, limit_top
        FROM items WHERE sale = ?`;
      for (const found of await tx.run(text, [saleId])) {
        const { sku, price_minor, category, limit_per_user, limit_top } = found;
        this.minorUnits.set(`${saleId} ${sku}`, Number(price_minor));
        this.categories.set(`${saleId} ${sku}`, String(category));
        if (Number(limit_per_user) === 0) continue;
        // A gateway of an earlier release enters no highest one.
        const highest = Math.max(Number(limit_top), Number(limit_per_user));
        this.limits.set(`${saleId} ${sku}`, highest);
        this.limited.add(saleId);
      }
      this.known.add(saleId);
    }
    this.missing.clear();
    return true;
  }
}
