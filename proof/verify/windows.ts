// A sale's window as it was, or may have been, at any moment: the operator moves it, and Redis
// learns of that a little later.
import type { OperationRecord, SaleRecord } from "../../ledger/audit.ts";
import { CLOCK_MS, RETURN_MS } from "./tolerances.ts";

interface Version {
  readonly opensAtMs: number;
  readonly closesAtMs: number;
  /** When it may have taken effect, and when it certainly had. */
  readonly fromMs: number;
  readonly sureMs: number;
}

export class Windows {
  private readonly sales = new Map<string, readonly Version[]>();

  constructor(sales: readonly SaleRecord[], operations: readonly OperationRecord[]) {
    for (const sale of sales) this.sales.set(sale.id, versionsOf(sale, operations));
  }

  /**
   * Whether an order with this stamp was within the window at `atMs`; undefined if that is
   * uncertain.
   */
  within(saleId: string, acceptedAtMs: number, atMs: number): boolean | undefined {
    const versions = this.sales.get(saleId) ?? [];
    const replaced = versions.findLastIndex(({ sureMs }) => sureMs <= atMs);
    const possible = versions.filter(({ fromMs }, i) => i >= replaced && fromMs <= atMs);
    const answers = new Set(
      possible.map((v) => acceptedAtMs >= v.opensAtMs && acceptedAtMs < v.closesAtMs),
    );
    return answers.size === 1 ? answers.has(true) : undefined;
  }
}

/** Empty if the operations do not lead to the sale's current window: then its past is unknown. */
function versionsOf(sale: SaleRecord, operations: readonly OperationRecord[]): Version[] {
  const { opensAtMs, closesAtMs } = sale;
  const moves = operations.filter(
    ({ operation: { kind, saleId } }) =>
      saleId === sale.id && (kind === "open" || kind === "close"),
  );
  const always = { fromMs: Number.NEGATIVE_INFINITY, sureMs: Number.NEGATIVE_INFINITY };
  if (moves.length === 0) return [{ opensAtMs, closesAtMs, ...always }];
  const made = operations.find(({ operation }) => operation.sale?.id === sale.id)?.operation.sale;
  if (!made) return [];
  const versions: Version[] = [
    { opensAtMs: made.opensAtMs, closesAtMs: made.closesAtMs, ...always },
  ];
  for (const { operation, atMs, appliedMs } of moves) {
    const last = versions.at(-1) as Version;
    const moved = operation.kind === "open" ? "opensAtMs" : "closesAtMs";
    versions.push({
      ...last,
      [moved]: operation.atMs ?? Number.NaN,
      ...(operation.closesAtMs === undefined ? {} : { closesAtMs: operation.closesAtMs }),
      fromMs: atMs - CLOCK_MS,
      sureMs: appliedMs > 0 ? appliedMs + RETURN_MS : Number.POSITIVE_INFINITY,
    });
  }
  const end = versions.at(-1) as Version;
  return end.opensAtMs === opensAtMs && end.closesAtMs === closesAtMs ? versions : [];
}
