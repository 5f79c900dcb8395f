import type { Command } from "commander";
import { plainJson, plainLines } from "../../core/domain/plain.ts";
import { unroutedOf, unroutedText } from "../../core/domain/routing.ts";
import type { Sale } from "../../core/domain/sale.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { withLedger } from "../ledger.ts";
import { table } from "../table.ts";

export function register(program: Command): void {
  program
    .command("sales")
    .description("list the sales and their windows")
    .option("--json", "print JSON", false)
    .action(({ json }: { json: boolean }) =>
      withLedger(async ({ ledger }) => {
        const sales = await ledger.sales();
        show(sales, json);
        for (const found of unroutedOf(sales, await ledger.routes(), realRuntime.wallMs()))
          process.stderr.write(plainLines(`sale ${found.saleId}: ${unroutedText(found)}\n`));
      }),
    );
}

function show(sales: readonly Sale[], json: boolean): void {
  const rows = sales.map((s) => ({
    sale: s.id,
    name: s.name,
    opens: new Date(s.opensAtMs).toISOString(),
    closes: new Date(s.closesAtMs).toISOString(),
    items: s.items.length,
  }));
  process.stdout.write(json ? `${plainJson(sales)}\n` : table(rows));
}
