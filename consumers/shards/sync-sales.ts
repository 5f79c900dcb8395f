// An operator's change is in the ledger first. The gateway that took it puts it into Redis at once;
// this is for when it could not.
import type { StockStore } from "../../core/stores/stock-store.ts";
import type { Ledger } from "../../ledger/contract.ts";

export async function syncSales(ledger: Ledger, store: StockStore, all: boolean): Promise<void> {
  const open = (await ledger.operationsOpen()).flatMap(({ id, operation }) =>
    operation.kind === "route" ? [] : [{ id, operation }],
  );
  if (open.length === 0 && !all) return;
  const touched = new Set(
    open.map(({ operation }) =>
      operation.kind === "create" ? operation.sale.id : operation.saleId,
    ),
  );
  const version = await ledger.catalogueVersion();
  for (const sale of await ledger.sales()) {
    // A retired sale that Redis has again, with an older state, does no harm there.
    if (!touched.has(sale.id) && (!all || sale.retired)) continue;
    const word = sale.retired
      ? await store.retireSale(sale.id)
      : await store.syncSale(sale, await ledger.stock(sale.id), version);
    if (word !== "synced") return;
  }
  await ledger.operationsDone(open.map(({ id }) => id));
}
