// Puts operators' changes to sales into Redis. The gateway that accepted a change does it at once;
// this repeats it in case that failed.
import type { StockStore } from "../../core/stores/stock-store.ts";
import type { Ledger } from "../../ledger/contract.ts";

export async function syncSales(ledger: Ledger, store: StockStore, all: boolean): Promise<void> {
  const open = (await ledger.operationsOpen()).flatMap(({ id, operation }) =>
    operation.kind === "route" || operation.kind === "region" ? [] : [{ id, operation }],
  );
  if (open.length === 0 && !all) return;
  const touched = new Set(
    open.map(({ operation }) =>
      operation.kind === "create" ? operation.sale.id : operation.saleId,
    ),
  );
  const version = await ledger.catalogueVersion();
  for (const sale of await ledger.sales()) {
    // A retired sale that came back with an older state of Redis does no harm there.
    if (!touched.has(sale.id) && (!all || sale.retired)) continue;
    const word = sale.retired
      ? await store.retireSale(sale.id)
      : await store.syncSale(sale, await ledger.stock(sale.id), version);
    if (word !== "synced") return;
  }
  await ledger.operationsDone(open.map(({ id }) => id));
}
