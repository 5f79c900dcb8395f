// Brings an operator's change, which the ledger has, to where it takes effect.
import { syncSale } from "../../consumers/shards/sync-sales.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";
import type { StockStore } from "../../core/stores/stock-store.ts";
import type { Ledger, Operation } from "../../ledger/contract.ts";

/** Rejects if it has no effect yet; a worker applies it as soon as it can. */
export async function applyOperation(
  runtime: Runtime,
  ledger: Ledger,
  store: StockStore,
  operation: Operation,
): Promise<void> {
  // Rates are settled where their verdicts come in (rates-by-hand.ts).
  if (operation.kind === "region" || operation.kind === "rate") return;
  if (operation.kind === "route") return untilApplied(runtime, ledger, operation.ref);
  const saleId = operation.kind === "create" ? operation.sale.id : operation.saleId;
  const word = await syncSale(ledger, store, saleId);
  if (word !== "synced") throw new Error(`Redis answered ${word}`);
  const done = (await ledger.operationsOpen())
    .filter((o) => o.operation.ref === operation.ref && o.operation.kind === operation.kind)
    .map((o) => o.id);
  await ledger.operationsDone(done);
}

/** The owner of shard 0 applies routes to the brokers, checking at every beat. */
async function untilApplied(runtime: Runtime, ledger: Ledger, ref: string): Promise<void> {
  for (
    const end = runtime.monotonicMs() + APPLY_WAIT_MS;
    runtime.monotonicMs() < end;
    await runtime.sleep(50)
  ) {
    const open = await ledger.operationsOpen();
    if (!open.some(({ operation: o }) => o.kind === "route" && o.ref === ref)) return;
  }
  throw new Error("no worker has applied it yet");
}

const APPLY_WAIT_MS = 3_000;
