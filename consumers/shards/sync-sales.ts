// Puts operators' changes to sales into Redis. The gateway that accepted a change does it at once;
// this repeats it in case that failed.
//
// A sale may have ten thousand items, so only those are read whose version in Redis is not the
// ledger's.
import type { Stock } from "../../core/domain/sale.ts";
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
  const versions = await ledger.saleVersions();
  // A retired sale that came back with an older state of Redis does no harm there.
  const living = versions.filter(({ retired }) => !retired);
  const stale = all ? await staleIn(store, living) : new Set<string>();
  for (const { id, retired } of versions) {
    if (!touched.has(id) && !stale.has(id)) continue;
    const word = retired ? await store.retireSale(id) : await syncSale(ledger, store, id);
    if (word !== "synced") return;
    if (retired) await endCorrections(ledger, id);
  }
  await ledger.operationsDone(open.map(({ id }) => id));
}

/** Two ends of a correction may cross; more than this do not. */
const ROUNDS = 4;

/** Writes one sale to Redis as the ledger has it, and ends its corrections by Redis's answer. */
export async function syncSale(
  ledger: Pick<Ledger, "catalogueVersion" | "sales" | "stock" | "settleCorrection">,
  store: StockStore,
  saleId: string,
): Promise<"synced" | "correcting" | "not_ready" | "halted"> {
  for (let round = 0; round < ROUNDS; round++) {
    const version = await ledger.catalogueVersion();
    const [sale] = await ledger.sales([saleId]);
    if (sale === undefined) return "synced";
    if (sale.retired) {
      await endCorrections(ledger, saleId);
      return "synced"; // it leaves Redis by an operation of its own
    }
    const stock = await ledger.stock(saleId);
    const { word, short } = await store.syncSale(sale, stock, version);
    if (word === "not_ready" || word === "halted") return word;
    const open = correctionsIn(stock);
    if (open.length === 0) return "synced";
    // Another process is ahead, and knows more.
    if (word === "older") continue;
    for (const { sku, ref } of open)
      await ledger.settleCorrection(ref, short.includes(sku) ? "refused" : "done");
  }
  return "correcting";
}

/**
 * Ends what is left of a retired sale's corrections. Nothing of it is sold any more, and Redis,
 * which has forgotten its units, is not asked: the ledger judges by its own.
 */
async function endCorrections(
  ledger: Pick<Ledger, "stock" | "settleCorrection">,
  saleId: string,
): Promise<void> {
  for (const { ref } of correctionsIn(await ledger.stock(saleId)))
    await ledger.settleCorrection(ref, "done");
}

function correctionsIn(stock: readonly Stock[]) {
  return stock.flatMap(({ sku, correcting }) => (correcting ? [{ sku, ...correcting }] : []));
}

async function staleIn(
  store: StockStore,
  sales: readonly SaleVersion[],
): Promise<ReadonlySet<string>> {
  const held = await store.versions(sales.map(({ id }) => id));
  return new Set(sales.flatMap(({ id, version }, i) => ((held[i] ?? -1) < version ? [id] : [])));
}
