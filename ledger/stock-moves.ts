// Moves units between the accounts of items, all items of a transaction in one statement. The
// table's checks reject units that are not there.
//
// Two writers change the same items. Each locks them in the order of their names first, so neither
// waits for the other in a circle. SQLite has one writer at a time.
import type { Dialect, Runner, Value } from "./db.ts";
import { jsonRows, rowsFrom, textIn, wholeIn } from "./json-rows.ts";
import { Contradiction } from "./refusals.ts";
import { together } from "./runner.ts";
import type { Sheet } from "./sheet.ts";

const NAMED = `items.sale = ${textIn(0)} AND items.sku = ${textIn(1)}`;

/** Throws Contradiction if there is no such item. */
export async function moveStock(
  dialect: Dialect,
  tx: Runner,
  stock: Sheet["stock"],
): Promise<void> {
  // Sorted by name over all statements, as the items are within one.
  const rows = [...stock.keys()].sort().map((key): Value[] => {
    const { available = 0, held = 0, sold = 0 } = stock.get(key) ?? {};
    return [...key.split(" "), available, held, sold];
  });
  await together([...jsonRows(rows)].map((list) => moveItems(dialect, tx, list)));
}

async function moveItems(dialect: Dialect, tx: Runner, list: string): Promise<void> {
  const lock = `SELECT 1 FROM items, ${rowsFrom(dialect)} WHERE ${NAMED}
    ORDER BY items.sale COLLATE "C", items.sku COLLATE "C" FOR UPDATE OF items`;
  const move = `UPDATE items SET available = available + ${wholeIn(2)},
    held = held + ${wholeIn(3)}, sold = sold + ${wholeIn(4)}
    FROM ${rowsFrom(dialect)} WHERE ${NAMED} RETURNING items.sale, items.sku`;
  const locked = dialect === "postgres" ? [tx.run(lock, [list])] : [];
  const moved = tx.run(move, [list]);
  await together([...locked, moved]);
  const known = new Set((await moved).map(({ sale, sku }) => `${sale} ${sku}`));
  for (const [sale, sku] of JSON.parse(list) as string[][])
    if (!known.has(`${sale} ${sku}`)) throw new Contradiction(`no item ${sku} in sale ${sale}`);
}
