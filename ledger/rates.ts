// The last exchange rate of each pair: what a Redis that has none compares the next one with. Rates
// that were charged are in the journal.
import type { RecordedRate } from "./contract.ts";
import type { Db, Runner } from "./db.ts";
import { jsonRows, rowsFrom, textIn, wholeIn } from "./json-rows.ts";

/** About 25,000 pairs exist, and an installation uses some dozens. */
export async function rates(db: Db): Promise<RecordedRate[]> {
  const rows = await db.run("SELECT pair, value, at_ms FROM fx_rates ORDER BY pair");
  return rows.map((r) => ({
    pair: String(r.pair),
    value: String(r.value),
    atMs: Number(r.at_ms),
  }));
}

/** A rate that is older than the one on record changes nothing. */
export async function noteRates(
  db: Db,
  runner: Runner,
  noted: readonly RecordedRate[],
): Promise<void> {
  const text = `INSERT INTO fx_rates (pair, value, at_ms)
    SELECT ${textIn(0)}, ${textIn(1)}, ${wholeIn(2)} FROM ${rowsFrom(db.dialect)} WHERE true
    ON CONFLICT (pair) DO UPDATE SET value = excluded.value, at_ms = excluded.at_ms
    WHERE excluded.at_ms > fx_rates.at_ms`;
  // Sorted, so that two workers lock rows in the same order.
  const sorted = noted.toSorted((a, b) => (a.pair < b.pair ? -1 : 1));
  for (const list of jsonRows(sorted.map(({ pair, value, atMs }) => [pair, value, atMs])))
    await runner.run(text, [list]);
}
