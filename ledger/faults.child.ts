// A worker for faults.test.ts to kill. `bun faults.child.ts open <url>` opens a ledger and prints
// its store's id. `bun faults.child.ts record <url>` records without pause and prints each number
// that the ledger has confirmed.
import { at } from "../core/domain/at.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import { openLedger, openLedgerWriter } from "./open.ts";
import { entryOf, orderRow, SHARDS, userOf } from "./test-entries.ts";

/** A transaction of this size takes some milliseconds, so a kill can hit it. */
export const ORDERS_PER_ENTRY = 200;

if (import.meta.main) await main(at(process.argv, 2), at(process.argv, 3));

async function main(what: string, url: string): Promise<void> {
  if (what === "open") {
    const ledger = await openLedger({ runtime: realRuntime, url, shards: SHARDS });
    console.log(ledger.storeId);
    await ledger.close();
    return;
  }
  const writer = await openLedgerWriter(realRuntime, url);
  const taken = [await writer.takeShard(0, "child"), await writer.takeShard(1, "child")];
  for (let n = (taken[0]?.lastN ?? 0) + 1; ; n++) {
    const batch = taken.map(({ shard, epoch }) => ({ entry: fullEntry(shard, n), epoch }));
    const results = await writer.record(batch);
    if (results.some((r) => r !== "recorded")) throw new Error(results.join(","));
    console.log(n);
  }
}

/** The first order is reserved, the others are sold out. */
function fullEntry(shard: number, n: number) {
  const rows = Array.from({ length: ORDERS_PER_ENTRY }, () =>
    orderRow(userOf(shard), Bun.randomUUIDv7(), 1),
  );
  return entryOf(shard, n, rows, rows.map((_, i) => (i === 0 ? "reserved" : "sold_out")).join(","));
}
