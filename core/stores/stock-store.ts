// Reads Redis's stock counters, and brings an operator's changes to Redis.
import { type Sale, type Stock, termsText, totalOf } from "../domain/sale.ts";
import { metaKey, RETIRED_KEY, stockKey } from "./keys.ts";
import type { RedisStore } from "./redis.ts";

/** Items read at once: a fraction of a millisecond of Redis. */
const PAGE = 100;
/** Total, available, releasing, held, sold. */
const COUNTERS = ["t", "a", "r", "h", "s"] as const;

export class StockStore {
  constructor(private readonly redis: RedisStore) {}

  /**
   * The counters of a sale's items, by sku; undefined if Redis does not have the sale. With the
   * skus given, a large sale is read page by page: each item's counters are of one moment, and
   * Redis and this process serve others between two pages.
   */
  async stock(
    saleId: string,
    skus: readonly string[] = [],
  ): Promise<Map<string, LiveStock> | undefined> {
    const items = new Map<string, LiveStock>();
    const pages = skus.length > PAGE ? Math.ceil(skus.length / PAGE) : 1;
    for (let i = 0; i < pages; i++) {
      const page = pages > 1 ? skus.slice(i * PAGE, (i + 1) * PAGE) : undefined;
      const found = await this.units(saleId, page);
      if (!found) return undefined;
      for (const item of found) items.set(item.sku, item);
    }
    return items;
  }

  /** Of these items, or of all. */
  private async units(
    saleId: string,
    skus: readonly string[] | undefined,
  ): Promise<LiveStock[] | undefined> {
    const key = stockKey(saleId);
    if (skus) {
      const fields = ["v", ...skus.flatMap((sku) => COUNTERS.map((letter) => `${sku}:${letter}`))];
      const [version, ...values] = await this.redis.run((client) => client.hmget(key, ...fields));
      if (version === null) return undefined;
      return skus.flatMap((sku, i) => {
        const own = values.slice(i * COUNTERS.length, (i + 1) * COUNTERS.length);
        return own[0] === null ? [] : [liveStock(sku, own)];
      });
    }
    const flat = await this.redis.run((client) => client.hgetall(key));
    if (flat.v === undefined) return undefined;
    return Object.keys(flat)
      .filter((field) => field.endsWith(":t"))
      .map((field) => field.slice(0, -2))
      .map((sku) =>
        liveStock(
          sku,
          COUNTERS.map((letter) => flat[`${sku}:${letter}`]),
        ),
      );
  }

  /**
   * Brings one sale in Redis in line with the ledger. Calls may be repeated and reordered: what is
   * older than what Redis has changes nothing.
   */
  async syncSale(
    sale: Sale,
    stock: readonly Stock[],
    catalogueVersion: number,
  ): Promise<SyncResult> {
    const items = new Map(sale.items.map((item) => [item.sku, item]));
    const args: (string | number)[] = [
      catalogueVersion,
      sale.opensAtMs,
      sale.closesAtMs,
      sale.currency,
    ];
    for (const units of stock) {
      const { sku, correcting } = units;
      const item = items.get(sku);
      args.push(sku, totalOf(units) - (correcting?.units ?? 0), item?.limitPerUser ?? 0);
      args.push(item?.priceMinor ?? 0, item ? termsText(item) : "");
    }
    const keys = [metaKey(0), stockKey(sale.id), RETIRED_KEY];
    const [word, ...short] = (await this.redis.call("sync_sale", keys, args)) as [
      SyncResult["word"],
      ...string[],
    ];
    return { word, short };
  }

  /**
   * The catalogue's version when each sale was last brought in line; undefined if Redis does not
   * have the sale.
   */
  async versions(saleIds: readonly string[]): Promise<(number | undefined)[]> {
    const versions = await this.redis.run((client) =>
      Promise.all(saleIds.map((id) => client.hget(stockKey(id), "v"))),
    );
    return versions.map((version) => (version === null ? undefined : Number(version)));
  }

  /** Removes an ended sale's stock from Redis. May be repeated. */
  async retireSale(saleId: string): Promise<"synced" | "not_ready" | "halted"> {
    const keys = [metaKey(0), stockKey(saleId), RETIRED_KEY];
    const reply = await this.redis.call("retire_stock", keys, [saleId]);
    return (reply as ["synced" | "not_ready" | "halted"])[0];
  }

  async isRetired(saleId: string): Promise<boolean> {
    return (await this.redis.run((client) => client.sismember(RETIRED_KEY, saleId))) === 1;
  }
}

export interface SyncResult {
  /** `older`: Redis has a later version of the sale already. */
  readonly word: "synced" | "older" | "not_ready" | "halted";
  /** Items of which fewer units are free than were to be taken away: those stay as they were. */
  readonly short: readonly string[];
}

/** The units of one item: total = available + releasing + held + sold. */
export interface LiveStock {
  readonly sku: string;
  readonly total: number;
  readonly available: number;
  readonly releasing: number;
  readonly held: number;
  readonly sold: number;
}

type Counters = [number, number, number, number, number];

function liveStock(sku: string, counters: readonly (string | null | undefined)[]): LiveStock {
  // One that is missing is unknown, not zero.
  const units = counters.map((text) => (text ? Number(text) : Number.NaN));
  const [total, available, releasing, held, sold] = units as Counters;
  return { sku, total, available, releasing, held, sold };
}
