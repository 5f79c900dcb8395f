// Puts operators' changes to sales into Redis. The gateway that accepted a change does it at once;
// this repeats it in case that failed.
//
// A sale may have ten thousand items, so only those are read whose version in Redis is not the
// ledger's.
import type { StockStore } from "../../core/stores/stock-store.ts";
import type { Ledger, SaleVersion } from "../../ledger/contract.ts";
import { saleOf } from "../../ledger/operations.ts";

/** `all`: looks at every sale, since Redis may have lost nothing but an operator's change. */
export async function syncSales(ledger: Ledger, store: StockStore, all: boolean): Promise<void> {
  const open = (await ledger.operationsOpen()).flatMap(({ id, operation }) => {
    const saleId = saleOf(operation);
    return saleId === undefined ? [] : [{ id, saleId }];
  });
  if (open.length === 0 && !all) return;
  const touched = new Set(open.map(({ saleId }) => saleId));
  const version = await ledger.catalogueVersion();
  const versions = await ledger.saleVersions();
  // A retired sale that came back with an older state of Redis does no harm there.
  const living = versions.filter(({ retired }) => !retired);
  const stale = all ? await staleIn(store, living) : new Set<string>();
  for (const { id, retired } of versions) {
    if (!touched.has(id) && !stale.has(id)) continue;
    const word = retired ? await store.retireSale(id) : await syncOne(ledger, store, id, version);
    if (word !== "synced") return;
  }
  await ledger.operationsDone(open.map(({ id }) => id));
}

async function staleIn(
  store: StockStore,
  sales: readonly SaleVersion[],
): Promise<ReadonlySet<string>> {
  const held = await store.versions(sales.map(({ id }) => id));
  return new Set(sales.flatMap(({ id, version }, i) => ((held[i] ?? -1) < version ? [id] : [])));
}

async function syncOne(ledger: Ledger, store: StockStore, saleId: string, version: number) {
  const [sale] = await ledger.sales([saleId]);
  return sale === undefined || sale.retired
    ? "synced" // retired meanwhile: that operation is open
    : store.syncSale(sale, await ledger.stock(saleId), version);
}
