// An item's price, limit and whether it was offered, as they were, or may have been, at any moment:
// an operator changes them, and Redis learns of that a little later.

import { MAX_UNITS_PER_ITEM } from "../../core/domain/sale.ts";
import type { ItemRecord, OperationRecord } from "../../ledger/audit.ts";
import { CLOCK_MS, RETURN_MS } from "./tolerances.ts";

interface Price {
  readonly fromMs: number;
  readonly priceMinor: number;
}

interface Version {
  readonly limit: number;
  readonly offered: boolean;
  /** Later prices, oldest first. */
  readonly prices: readonly Price[];
  /** When it may have taken effect, and when it certainly had. */
  readonly mayMs: number;
  readonly sureMs: number;
}

interface Item {
  readonly firstPrice: number;
  readonly versions: Version[];
}

const ALWAYS = Number.NEGATIVE_INFINITY;

export class Terms {
  /** By `sale sku`. */
  private readonly items = new Map<string, Item>();

  constructor(items: readonly ItemRecord[], operations: readonly OperationRecord[]) {
    const firstLimits = limitsAtFirst(operations);
    for (const { saleId, sku, priceMinor, limitPerUser } of items) {
      const name = `${saleId} ${sku}`;
      const limit = firstLimits.get(name) ?? limitPerUser;
      const first = { limit, offered: true, prices: [], mayMs: ALWAYS, sureMs: ALWAYS };
      this.items.set(name, { firstPrice: priceMinor, versions: [first] });
    }
    for (const operation of operations) this.change(operation);
    for (const item of items) this.endAsRecorded(item);
  }

  /** If the operations do not lead to the recorded limit, its past is unknown. */
  private endAsRecorded({ saleId, sku, limitPerUser }: ItemRecord): void {
    const versions = this.items.get(`${saleId} ${sku}`)?.versions ?? [];
    if (versions.at(-1)?.limit === limitPerUser) return;
    versions.forEach((version, i) => {
      versions[i] = { ...version, limit: limitPerUser };
    });
  }

  /** The limits that may have held at `atMs`; none: the item is unknown. 0: no limit. */
  limits(saleId: string, sku: string, atMs: number): number[] {
    return this.possible(saleId, sku, atMs).map(({ limit }) => limit);
  }

  /** Whether the item was offered at `atMs`; undefined if that is uncertain. */
  offered(saleId: string, sku: string, atMs: number): boolean | undefined {
    const answers = new Set(this.possible(saleId, sku, atMs).map(({ offered }) => offered));
    return answers.size === 1 ? answers.has(true) : undefined;
  }

  /** What one unit may have cost an order that was accepted then and decided at `atMs`. */
  prices(saleId: string, sku: string, acceptedAtMs: number, atMs: number): number[] {
    const item = this.items.get(`${saleId} ${sku}`);
    if (!item) return [0];
    const found = this.possible(saleId, sku, atMs).map(
      ({ prices }) =>
        prices.findLast(({ fromMs }) => fromMs <= acceptedAtMs)?.priceMinor ?? item.firstPrice,
    );
    return [...new Set(found)];
  }

  private possible(saleId: string, sku: string, atMs: number): Version[] {
    const versions = this.items.get(`${saleId} ${sku}`)?.versions ?? [];
    const replaced = versions.findLastIndex(({ sureMs }) => sureMs <= atMs);
    return versions.filter(({ mayMs }, i) => i >= replaced && mayMs <= atMs);
  }

  private change({ operation, atMs, appliedMs }: OperationRecord): void {
    const { kind, saleId, sku = operation.item?.sku } = operation;
    const item = this.items.get(`${saleId} ${sku}`);
    const last = item?.versions.at(-1);
    if (!item || !last) return;
    const sureMs = appliedMs > 0 ? appliedMs + RETURN_MS : Number.POSITIVE_INFINITY;
    const next = { ...last, mayMs: atMs - CLOCK_MS, sureMs };
    if (kind === "add") {
      const { limit } = last;
      item.versions.splice(0, 1, { ...last, offered: false }, { ...next, limit, offered: true });
    } else if (kind === "withdraw" || kind === "offer")
      item.versions.push({ ...next, offered: kind === "offer" });
    else if (kind === "limit")
      item.versions.push({ ...next, limit: operation.limitPerUser || MAX_UNITS_PER_ITEM });
    else if (kind === "price") {
      const price = { fromMs: operation.fromMs ?? 0, priceMinor: operation.priceMinor ?? 0 };
      const others = last.prices.filter(({ fromMs }) => fromMs !== price.fromMs);
      const prices = [...others, price].sort((a, b) => a.fromMs - b.fromMs);
      item.versions.push({ ...next, prices });
    }
  }
}

interface Ordered {
  readonly saleId: string;
  readonly acceptedAtMs: number;
  readonly decidedAtMs: number;
  readonly lines: readonly { readonly sku: string; readonly qty: number }[];
}

/** What an order may have cost, in its sale's currency. A sum is exact as a bigint. */
export function totalsOf(order: Ordered, terms: Terms): bigint[] {
  const { saleId, acceptedAtMs, decidedAtMs, lines } = order;
  let totals = [0n];
  for (const { sku, qty } of lines) {
    const prices = terms.prices(saleId, sku, acceptedAtMs, decidedAtMs);
    totals = totals.flatMap((sum) => prices.map((price) => sum + BigInt(price) * BigInt(qty)));
    totals = [...new Set(totals)].slice(0, MAX_TOTALS);
  }
  return totals;
}

const MAX_TOTALS = 1_000;

/** By `sale sku`, as the item was created. */
function limitsAtFirst(operations: readonly OperationRecord[]): Map<string, number> {
  const limits = new Map<string, number>();
  for (const { operation } of operations) {
    const { kind, sale, saleId, item } = operation;
    if (kind === "create")
      for (const { sku, limitPerUser } of sale?.items ?? [])
        limits.set(`${sale?.id} ${sku}`, limitPerUser);
    if (kind === "add" && item) limits.set(`${saleId} ${item.sku}`, item.limitPerUser);
  }
  return limits;
}
