import type { Command } from "commander";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { readSettings } from "../../core/settings/settings.ts";
import { openLedger } from "../../ledger/open.ts";
import { requireStores } from "../roles/parts.ts";
import { table } from "../table.ts";

export function register(program: Command): void {
  program
    .command("sales")
    .description("list the sales and their windows")
    .option("--json", "print JSON", false)
    .action(async ({ json }: { json: boolean }) => {
      const settings = readSettings(process.env);
      requireStores(settings);
      const ledger = await openLedger({
        runtime: realRuntime,
        url: settings.ledgerUrl,
        shards: settings.shards,
      });
      const sales = await ledger.sales();
      await ledger.close();
      const rows = sales.map((s) => ({
        sale: s.id,
        name: s.name,
        opens: new Date(s.opensAtMs).toISOString(),
        closes: new Date(s.closesAtMs).toISOString(),
        items: s.items.length,
      }));
      process.stdout.write(json ? `${JSON.stringify(sales)}\n` : table(rows));
    });
}
