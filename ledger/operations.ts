// The operators' changes go to the ledger first, then to Redis. A reference makes each idempotent,
// and it stays open until Redis is known to have it.
import type { Sale } from "../core/domain/sale.ts";
import type { Operation, OperationResult, RegionOperation } from "./contract.ts";
import { type Db, insertRows, type Runner } from "./db.ts";
import { arrival, changeItem, insertItems } from "./item-operations.ts";
import { noteRates } from "./rates.ts";
import { retiredOf, retireSale } from "./retire.ts";
import { setRoute } from "./routes.ts";

export async function operate(
  db: Db,
  operation: Operation,
  subject: string,
  atMs: number,
): Promise<OperationResult> {
  return db.transaction(async (tx) => {
    if (db.dialect === "postgres") await tx.run("LOCK TABLE operations IN EXCLUSIVE MODE");
    const text = JSON.stringify(operation);
    const known = await knownBy(tx, operation);
    if (known !== undefined) return sameRequest(known, operation) ? "repeated" : "ref_conflict";
    const result = await apply(db, tx, operation, atMs);
    // A trigger writes the row's number to the sale (migrations.ts).
    if (result === "done")
      await tx.run(
        "INSERT INTO operations (ref, operation, subject, at_ms, applied) VALUES (?, ?, ?, ?, ?)",
        [refOf(operation), text, subject, atMs, ONLY_HERE.has(operation.kind) ? 1 : 0],
      );
    return result;
  });
}

/** References live per kind: a route's never stands in the way of a sale. */
function refOf({ kind, ref }: Operation): string {
  return `${kind} ${ref}`;
}

/**
 * The operation of the same kind with the same reference, JSON text. Earlier releases kept the bare
 * reference.
 */
async function knownBy(tx: Runner, operation: Operation): Promise<string | undefined> {
  const text = "SELECT operation FROM operations WHERE ref IN (?, ?)";
  const rows = await tx.run(text, [refOf(operation), operation.ref]);
  return rows
    .map((row) => String(row.operation))
    .find((known) => {
      const { kind, ref } = JSON.parse(known) as Operation;
      return kind === operation.kind && ref === operation.ref;
    });
}

/** Operations that nothing outside the ledger has to learn. */
const ONLY_HERE: ReadonlySet<string> = new Set(["region"]);

/** Regions declared lost, and not back since. */
export async function lostRegions(db: Db): Promise<ReadonlySet<string>> {
  const rows = await db.run(
    'SELECT operation FROM operations WHERE operation LIKE \'%"kind":"region"%\' ORDER BY id',
  );
  const lost = new Set<string>();
  for (const row of rows) {
    const { kind, region, state } = JSON.parse(String(row.operation)) as RegionOperation;
    if (kind !== "region") continue;
    if (state === "lost") lost.add(region);
    else lost.delete(region);
  }
  return lost;
}

export async function operationsOpen(db: Db): Promise<{ id: number; operation: Operation }[]> {
  const rows = await db.run("SELECT id, operation FROM operations WHERE applied = 0 ORDER BY id");
  return rows.map((r) => ({
    id: Number(r.id),
    operation: JSON.parse(String(r.operation)) as Operation,
  }));
}

/** The sale that an operation changes; undefined for routes, regions and rates. */
export function saleOf(operation: Operation): string | undefined {
  const { kind } = operation;
  if (kind === "route" || kind === "region" || kind === "rate") return undefined;
  return operation.kind === "create" ? operation.sale.id : operation.saleId;
}

/**
 * Compares without the time of an `open`, a `close` or a price: the first request sets it, and a
 * repetition may carry another.
 */
function sameRequest(known: string, operation: Operation): boolean {
  const comparable = (o: Operation) =>
    JSON.stringify({
      ...o,
      ...("atMs" in o ? { atMs: 0 } : {}),
      ...("fromMs" in o ? { fromMs: 0 } : {}),
    });
  return comparable(JSON.parse(known) as Operation) === comparable(operation);
}

async function apply(
  db: Db,
  tx: Runner,
  operation: Operation,
  atMs: number,
): Promise<OperationResult> {
  if ("saleId" in operation && (await retiredOf(tx, [operation.saleId])).size > 0)
    return "sale_retired";
  switch (operation.kind) {
    case "create":
      return create(tx, operation.sale, operation.ref);
    case "route":
      await setRoute(tx, operation);
      return "done";
    case "region":
      return "done";
    case "rate":
      if (operation.verdict === "accept") await noteRates(db, tx, [{ ...operation, atMs }]);
      return "done";
    case "retire":
      return (await retireSale(tx, operation.saleId, atMs)) ? "done" : "unknown_sale";
    case "restock":
      return restock(tx, operation);
    case "add":
    case "correct":
    case "price":
    case "limit":
    case "withdraw":
    case "offer":
      return changeItem(tx, operation);
    case "open":
      return move(tx, operation.saleId, operation.atMs, operation.closesAtMs);
    case "close":
      return move(tx, operation.saleId, undefined, operation.atMs);
  }
}

/** Judges the window as a whole, with the end that stays. */
async function move(
  tx: Runner,
  saleId: string,
  opensAtMs: number | undefined,
  closesAtMs: number | undefined,
): Promise<OperationResult> {
  const [sale] = await tx.run("SELECT opens_ms, closes_ms FROM sales WHERE id = ?", [saleId]);
  if (!sale) return "unknown_sale";
  const opens = opensAtMs ?? Number(sale.opens_ms);
  const closes = closesAtMs ?? Number(sale.closes_ms);
  if (opens >= closes) return "bad_window";
  const text = "UPDATE sales SET opens_ms = ?, closes_ms = ? WHERE id = ?";
  await tx.run(text, [opens, closes, saleId]);
  return "done";
}

async function create(tx: Runner, sale: Sale, ref: string): Promise<OperationResult> {
  if ((await tx.run("SELECT id FROM sales WHERE id = ?", [sale.id])).length > 0)
    return "sale_exists";
  await tx.run(
    `INSERT INTO sales (id, name, currency, opens_ms, closes_ms, postings_before)
     VALUES (?, ?, ?, ?, ?, (SELECT COALESCE(MAX(seq), 0) FROM postings))`,
    [sale.id, sale.name, sale.currency, sale.opensAtMs, sale.closesAtMs],
  );
  await insertItems(tx, sale.id, sale.items, `create ${ref}`);
  return "done";
}

async function restock(
  tx: Runner,
  o: Extract<Operation, { kind: "restock" }>,
): Promise<OperationResult> {
  const rows = await tx.run(
    `UPDATE items SET restocked = restocked + ?, available = available + ?
     WHERE sale = ? AND sku = ? RETURNING sku`,
    [o.units, o.units, o.saleId, o.sku],
  );
  if (rows.length === 0)
    return (await tx.run("SELECT id FROM sales WHERE id = ?", [o.saleId])).length === 0
      ? "unknown_sale"
      : "unknown_item";
  await insertRows(
    tx,
    "movements",
    ["cause", "sale", "sku", "account", "units"],
    arrival(`restock ${o.ref}`, o.saleId, o.sku, o.units),
  );
  return "done";
}
