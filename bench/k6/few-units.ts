// The sale of `sold-out-spike`: a few units of one item, and what the ledger says became of them.
import type { Sale } from "../../core/domain/sale.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { LedgerAudit } from "../../ledger/audit.ts";
import { BENCH_SALE, benchSale } from "../intake/orders.ts";

export const UNITS = 100;
const SKU = "last";

/** Units, and how many of them orders hold or have bought, by the ledger. */
export interface Sold {
  readonly units: number;
  readonly taken: number;
  /** Orders with a reserved unit: more than `units` would be sold twice. */
  readonly reserved: number;
}

export function fewUnits(nowMs: number): Sale {
  const item = { sku: SKU, name: SKU, category: "bench", priceMinor: 1_000, limitPerUser: 0 };
  return { ...benchSale(nowMs), items: [{ ...item, initial: UNITS }] };
}

export async function soldOf(ledgerUrl: string): Promise<Sold> {
  const audit = await LedgerAudit.open(realRuntime, ledgerUrl);
  try {
    const items = await audit.items();
    const item = items.find(({ saleId, sku }) => saleId === BENCH_SALE && sku === SKU);
    let reserved = 0;
    for await (const orders of audit.orders())
      reserved += orders.filter(({ state }) => state === "reserved").length;
    return { units: UNITS, taken: (item?.held ?? 0) + (item?.sold ?? 0), reserved };
  } finally {
    await audit.close();
  }
}

/** Whether a unit was sold that does not exist, or was not sold. */
export function oversold({ units, taken, reserved }: Sold): boolean {
  return taken > units || reserved > units || taken !== reserved;
}
