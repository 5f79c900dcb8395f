// Compares a peer's ledger and stock with what was submitted. Pure, so that tests can break each
// rule of peer.ts.
import type { Item, Line, Order } from "./peer.ts";

export interface LedgerRow {
  readonly id: string;
  readonly user: string;
  /** JSON of the lines. */
  readonly lines: string;
  readonly outcome: string;
}

export interface Expected {
  readonly items: readonly Item[];
  /** Units left of each item when all orders are decided. */
  readonly left: ReadonlyMap<string, number>;
  /** Number of orders submitted, each counted once. */
  readonly orders: number;
  /**
   * User and lines of a submitted order; undefined if nobody submitted it. Absent behind HTTP,
   * where the load generator invents the orders.
   */
  readonly submitted?: (id: string) => Omit<Order, "id"> | undefined;
}

/** Most violations of one kind that are listed. */
const LISTED = 3;

/** The broken rules, as lines. */
export async function check(
  pages: AsyncIterable<readonly LedgerRow[]>,
  expected: Expected,
): Promise<string[]> {
  const found = new Findings();
  const seen = new Set<string>();
  const sold = new Map<string, number>();
  const lasting = new Set(expected.items.filter(({ units }) => units > 1).map(({ sku }) => sku));
  for await (const page of pages) {
    for (const row of page) {
      const { id, user, outcome } = row;
      if (seen.has(`${user}/${id}`)) found.add("twice in the ledger", id);
      seen.add(`${user}/${id}`);
      const lines = JSON.parse(row.lines) as Line[];
      if (expected.submitted && !same({ user, lines }, expected.submitted(id)))
        found.add("in the ledger, but not submitted like that", id);
      if (outcome === "reserved")
        for (const { sku, qty } of lines) sold.set(sku, (sold.get(sku) ?? 0) + qty);
      else if (outcome !== "sold_out") found.add("no outcome", id);
      else if (lines.every(({ sku }) => lasting.has(sku)))
        found.add("refused although there was stock", id);
    }
  }
  if (seen.size !== expected.orders)
    found.add("orders in the ledger", `${seen.size} instead of ${expected.orders}`);
  for (const { sku, units } of expected.items) {
    const gone = sold.get(sku) ?? 0;
    if (gone > units) found.add("oversold", `${sku}: ${gone} of ${units}`);
    const left = expected.left.get(sku);
    if (left !== units - gone) found.add("stock", `${sku}: ${left} left, ${units - gone} expected`);
  }
  return found.lines();
}

type Content = Omit<Order, "id">;

/** Whether both have the same content, in whatever form. */
function same(row: Content, order: Content | undefined): boolean {
  if (order?.user !== row.user || order.lines.length !== row.lines.length) return false;
  return order.lines.every(({ sku, qty }, i) => {
    const line = row.lines[i];
    return line?.sku === sku && line.qty === qty;
  });
}

class Findings {
  private readonly kinds = new Map<string, string[]>();

  add(kind: string, what: string): void {
    const list = this.kinds.get(kind) ?? [];
    list.push(what);
    this.kinds.set(kind, list);
  }

  lines(): string[] {
    return [...this.kinds].map(([kind, list]) => {
      const more = list.length > LISTED ? ` and ${list.length - LISTED} more` : "";
      return `${kind}: ${list.slice(0, LISTED).join(", ")}${more}`;
    });
  }
}
