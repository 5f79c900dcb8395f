// The operators' changes of single items. Most go to the ledger first, then to Redis. A correction
// takes units away, and only Redis knows which are still free:
//
//   1. The ledger notes the correction and its units. From now on they are not to be sold.
//   2. Redis takes them off its free units, or answers that it has sold them.
//   3. The ledger moves the units, or ends the correction as refused. This is an operation of its
//      own, so that whatever Redis was sent before is older.
//
// Any process that finds it open repeats 2 and 3 (consumers/shards/sync-sales.ts). A Redis that is
// rebuilt in between is loaded without the units.
import {
  MAX_ITEMS_PER_SALE,
  MAX_PRICES_PER_ITEM,
  MAX_UNITS_PER_ITEM,
  pricesIn,
  pricesText,
  type SaleItem,
} from "../core/domain/sale.ts";
import type { Correction, ItemOperation, OperationResult } from "./contract.ts";
import { type Db, insertRows, type Runner, type Value } from "./db.ts";

export async function changeItem(tx: Runner, o: ItemOperation): Promise<OperationResult> {
  if (o.kind === "add") return add(tx, o.saleId, o.item, o.ref);
  const [item] = await tx.run(
    `SELECT available, correcting, limit_per_user, prices FROM items WHERE sale = ? AND sku = ?`,
    [o.saleId, o.sku],
  );
  if (!item) return missing(tx, o.saleId);
  const set = async (columns: string, ...values: Value[]): Promise<OperationResult> => {
    const text = `UPDATE items SET ${columns} WHERE sale = ? AND sku = ?`;
    await tx.run(text, [...values, o.saleId, o.sku]);
    return "done";
  };
  switch (o.kind) {
    case "correct":
      if (item.correcting !== "") return "correcting";
      if (Number(item.available) < o.units) return "not_enough";
      return set("correcting = ?, correcting_units = ?", o.ref, o.units);
    case "price": {
      const others = pricesIn(String(item.prices)).filter(({ fromMs }) => fromMs !== o.fromMs);
      if (others.length >= MAX_PRICES_PER_ITEM) return "too_many_prices";
      const all = [...others, { fromMs: o.fromMs, priceMinor: o.priceMinor }];
      return set("prices = ?", pricesText(all.sort((a, b) => a.fromMs - b.fromMs)));
    }
    case "limit": {
      if (Number(item.limit_per_user) === 0) return "not_counted";
      const limit = o.limitPerUser === 0 ? MAX_UNITS_PER_ITEM : o.limitPerUser;
      const top = "limit_top = CASE WHEN limit_top < ? THEN ? ELSE limit_top END";
      return set(`limit_per_user = ?, ${top}`, limit, limit, limit);
    }
    case "withdraw":
    case "offer":
      return set("withdrawn = ?", o.kind === "withdraw" ? 1 : 0);
  }
}

async function missing(tx: Runner, saleId: string): Promise<OperationResult> {
  const sales = await tx.run("SELECT id FROM sales WHERE id = ?", [saleId]);
  return sales.length === 0 ? "unknown_sale" : "unknown_item";
}

async function add(
  tx: Runner,
  saleId: string,
  item: SaleItem,
  ref: string,
): Promise<OperationResult> {
  if ((await missing(tx, saleId)) === "unknown_sale") return "unknown_sale";
  const known = await tx.run("SELECT sku FROM items WHERE sale = ?", [saleId]);
  if (known.some(({ sku }) => sku === item.sku)) return "item_exists";
  if (known.length >= MAX_ITEMS_PER_SALE) return "too_many_items";
  await insertItems(tx, saleId, [item], `add ${ref}`);
  return "done";
}

const ITEMS = [
  ...["sale", "sku", "name", "category", "price_minor", "limit_per_user", "limit_top", "initial"],
  ...["restocked", "available", "releasing", "held", "sold"],
];
const MOVEMENTS = ["cause", "sale", "sku", "account", "units"];

/** With their units, which come from the supplier. */
export async function insertItems(
  tx: Runner,
  saleId: string,
  items: readonly SaleItem[],
  cause: string,
): Promise<void> {
  const rows = items.flatMap((i) => [
    ...[saleId, i.sku, i.name, i.category, i.priceMinor, i.limitPerUser, i.limitPerUser, i.initial],
    ...[0, i.initial, 0, 0, 0],
  ]);
  await insertRows(tx, "items", ITEMS, rows);
  const arrivals = items.flatMap((i) => arrival(cause, saleId, i.sku, i.initial));
  await insertRows(tx, "movements", MOVEMENTS, arrivals);
}

/** Takes the units from the supplier's account, so every cause sums to zero. */
export function arrival(
  cause: string,
  sale: string,
  sku: string,
  units: number,
): (string | number)[] {
  return [cause, sale, sku, "supply", -units, cause, sale, sku, "available", units];
}

const settledRef = (ref: string) => `corrected ${ref}`;

export async function correction(db: Runner, ref: string): Promise<Correction | undefined> {
  const text = "SELECT operation FROM operations WHERE ref = ?";
  const [settled] = await db.run(text, [settledRef(ref)]);
  if (!settled) return undefined;
  return (JSON.parse(String(settled.operation)) as { outcome: Correction }).outcome;
}

/** 3. Units that the ledger does not have are not taken, whatever Redis answered. */
export async function settleCorrection(
  db: Db,
  ref: string,
  asked: Correction,
  atMs: number,
): Promise<Correction> {
  return db.transaction(async (tx) => {
    if (db.dialect === "postgres") await tx.run("LOCK TABLE operations IN EXCLUSIVE MODE");
    const earlier = await correction(tx, ref);
    if (earlier) return earlier;
    const lock = db.dialect === "postgres" ? " FOR UPDATE" : "";
    const [item] = await tx.run(
      `SELECT sale, sku, available, correcting_units FROM items WHERE correcting = ?${lock}`,
      [ref],
    );
    if (!item) throw new Error(`there is no correction '${ref}'`);
    const { sale, sku } = { sale: String(item.sale), sku: String(item.sku) };
    const units = Number(item.correcting_units);
    const outcome = asked === "done" && Number(item.available) >= units ? "done" : "refused";
    const taken = outcome === "done" ? units : 0;
    await tx.run(
      `UPDATE items SET available = available - ?, corrected = corrected + ?, correcting = '',
         correcting_units = 0 WHERE sale = ? AND sku = ?`,
      [taken, taken, sale, sku],
    );
    if (taken > 0)
      await insertRows(tx, "movements", MOVEMENTS, arrival(`correct ${ref}`, sale, sku, -taken));
    const operation = {
      kind: "corrected",
      ref: settledRef(ref),
      saleId: sale,
      sku,
      units,
      outcome,
    };
    await tx.run(
      "INSERT INTO operations (ref, operation, subject, at_ms, applied) VALUES (?, ?, ?, ?, 0)",
      [operation.ref, JSON.stringify(operation), "sluice", atMs],
    );
    return outcome;
  });
}
