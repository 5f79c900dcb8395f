// Reads the catalogue and the stock.
import { pricesIn, type Sale, type SaleItem, type Stock } from "../core/domain/sale.ts";
import type { SaleVersion } from "./contract.ts";
import type { Db } from "./db.ts";

/** Every operation is a row; the newest one's number is the catalogue's version. */
export async function catalogueVersion(db: Db): Promise<number> {
  return Number(
    (await db.run("SELECT COALESCE(MAX(id), 0) AS version FROM operations"))[0]?.version,
  );
}

/** The version of each sale: the number of the last operation on it. */
export async function saleVersions(db: Db): Promise<SaleVersion[]> {
  const rows = await db.run("SELECT id, version, retired_ms FROM sales ORDER BY id");
  return rows.map((r) => ({
    id: String(r.id),
    version: Number(r.version),
    retired: Number(r.retired_ms) > 0,
  }));
}

/** All sales, or those with these ids. */
export async function sales(db: Db, ids?: readonly string[]): Promise<Sale[]> {
  if (ids?.length === 0) return [];
  const among = (column: string) =>
    ids === undefined ? "" : `WHERE ${column} IN (${ids.map(() => "?").join(",")})`;
  const items = new Map<string, SaleItem[]>();
  for (const r of await db.run(
    `SELECT sale, sku, name, category, price_minor, limit_per_user, initial, prices, withdrawn
     FROM items ${among("sale")} ORDER BY sale, sku`,
    [...(ids ?? [])],
  )) {
    const item: SaleItem = {
      sku: String(r.sku),
      name: String(r.name),
      category: String(r.category),
      priceMinor: Number(r.price_minor),
      limitPerUser: Number(r.limit_per_user),
      initial: Number(r.initial),
      ...(r.prices === "" ? {} : { prices: pricesIn(String(r.prices)) }),
      ...(Number(r.withdrawn) === 0 ? {} : { withdrawn: true }),
    };
    const list = items.get(String(r.sale));
    if (list) list.push(item);
    else items.set(String(r.sale), [item]);
  }
  const rows = await db.run(
    `SELECT id, name, currency, opens_ms, closes_ms, retired_ms
     FROM sales ${among("id")} ORDER BY id`,
    [...(ids ?? [])],
  );
  return rows.map((r) => ({
    id: String(r.id),
    name: String(r.name),
    currency: String(r.currency),
    opensAtMs: Number(r.opens_ms),
    closesAtMs: Number(r.closes_ms),
    items: items.get(String(r.id)) ?? [],
    ...(Number(r.retired_ms) > 0 ? { retired: true } : {}),
  }));
}

export async function stock(db: Db, saleId: string): Promise<Stock[]> {
  const rows = await db.run(
    `SELECT sku, initial, restocked, available, releasing, held, sold, corrected, correcting,
       correcting_units
     FROM items WHERE sale = ? ORDER BY sku`,
    [saleId],
  );
  return rows.map((r) => ({
    sku: String(r.sku),
    initial: Number(r.initial),
    restocked: Number(r.restocked),
    available: Number(r.available),
    releasing: Number(r.releasing),
    held: Number(r.held),
    sold: Number(r.sold),
    ...(Number(r.corrected) === 0 ? {} : { corrected: Number(r.corrected) }),
    ...(r.correcting === ""
      ? {}
      : { correcting: { ref: String(r.correcting), units: Number(r.correcting_units) } }),
  }));
}
