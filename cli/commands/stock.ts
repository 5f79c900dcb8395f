// sluice stock: units per item, in Redis and in the ledger side by side.
import type { Command } from "commander";
import { plainJson } from "../../core/domain/plain.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import type { RedisStore } from "../../core/stores/redis.ts";
import { StockStore } from "../../core/stores/stock-store.ts";
import type { Ledger } from "../../ledger/contract.ts";
import { withLedger } from "../ledger.ts";
import { openRedis } from "../roles/parts.ts";
import { table } from "../table.ts";

export function register(program: Command): void {
  program
    .command("stock")
    .description(
      "show units per item (available, releasing, held, sold) in Redis and in the ledger",
    )
    .argument("[sale]", "only this sale")
    .option("--json", "print JSON", false)
    .action(show);
}

async function show(only: string | undefined, { json }: { json: boolean }): Promise<void> {
  await withLedger(async ({ ledger, settings }) => {
    const redis = await openRedis(realRuntime, settings, () => undefined);
    const rows = await rowsOf(only, ledger, redis);
    await redis.close();
    if (only !== undefined && rows.length === 0)
      throw Object.assign(new Error(`no sale '${only}'`), { name: "LedgerUnavailable" });
    process.stdout.write(
      json ? `${plainJson(rows)}\n` : table(rows, { ledger: "ledger (available/held/sold)" }),
    );
  });
}

async function rowsOf(only: string | undefined, ledger: Ledger, redis: RedisStore) {
  const store = new StockStore(redis);
  const rows = [];
  for (const sale of await ledger.sales()) {
    if (only !== undefined && sale.id !== only) continue;
    const live = redis.connected ? await store.stock(sale.id) : undefined;
    for (const s of await ledger.stock(sale.id)) {
      const r = live?.get(s.sku);
      rows.push({
        sale: sale.id,
        sku: s.sku,
        total: s.initial + s.restocked,
        available: r?.available ?? "?",
        releasing: r?.releasing ?? "?",
        held: r?.held ?? "?",
        sold: r?.sold ?? "?",
        ledger: `${s.available}/${s.held}/${s.sold}`,
      });
    }
  }
  return rows;
}
