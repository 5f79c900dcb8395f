// Stock as Redis has it, and the way an operator's change gets there.
import type { Sale, Stock } from "../domain/sale.ts";
import { metaKey, RETIRED_KEY, stockKey } from "./keys.ts";
import type { RedisStore } from "./redis.ts";

export class StockStore {
  constructor(private readonly redis: RedisStore) {}

  /** Live counters of a sale's items, by sku; undefined when Redis does not have the sale. */
  async stock(saleId: string): Promise<Map<string, LiveStock> | undefined> {
    const flat = await this.redis.run((client) => client.hgetall(stockKey(saleId)));
    if (flat.v === undefined) return undefined;
    const items = new Map<string, LiveStock>();
    for (const field of Object.keys(flat)) {
      if (!field.endsWith(":t")) continue;
      const sku = field.slice(0, -2);
      const units = (letter: string) => Number(flat[`${sku}:${letter}`]);
      items.set(sku, {
        sku,
        total: units("t"),
        available: units("a"),
        releasing: units("r"),
        held: units("h"),
        sold: units("s"),
      });
    }
    return items;
  }

  /**
   * Brings Redis in line with the ledger for one sale. May be repeated, and may come in any order.
   */
  async syncSale(
    sale: Sale,
    stock: readonly Stock[],
    catalogueVersion: number,
  ): Promise<"synced" | "not_ready" | "halted"> {
    const items = new Map(sale.items.map((item) => [item.sku, item]));
    const args: (string | number)[] = [
      catalogueVersion,
      sale.opensAtMs,
      sale.closesAtMs,
      sale.currency,
    ];
    for (const { sku, initial, restocked } of stock) {
      args.push(
        sku,
        initial + restocked,
        items.get(sku)?.limitPerUser ?? 0,
        items.get(sku)?.priceMinor ?? 0,
      );
    }
    const reply = await this.redis.call(
      "sync_sale",
      [metaKey(0), stockKey(sale.id), RETIRED_KEY],
      args,
    );
    return (reply as ["synced" | "not_ready" | "halted"])[0];
  }

  /** A sale that has ended leaves Redis. May be repeated. */
  async retireSale(saleId: string): Promise<"synced" | "not_ready" | "halted"> {
    const keys = [metaKey(0), stockKey(saleId), RETIRED_KEY];
    const reply = await this.redis.call("retire_stock", keys, [saleId]);
    return (reply as ["synced" | "not_ready" | "halted"])[0];
  }

  async isRetired(saleId: string): Promise<boolean> {
    return (await this.redis.run((client) => client.sismember(RETIRED_KEY, saleId))) === 1;
  }
}

/** Units of one item by where they are: total = available + releasing + held + sold. */
export interface LiveStock {
  readonly sku: string;
  readonly total: number;
  readonly available: number;
  readonly releasing: number;
  readonly held: number;
  readonly sold: number;
}
