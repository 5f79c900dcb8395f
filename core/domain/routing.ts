// Whether the categories on sale reach a service: the paid parts of a category without a route wait
// in fulfilment.unrouted until it has one.
import type { Route } from "./part.ts";
import type { Sale } from "./sale.ts";

export interface Unrouted {
  readonly saleId: string;
  readonly category: string;
}

/** Categories of offered items that have no route in any region, for sales that are not over. */
export function unroutedOf(
  sales: readonly Sale[],
  routes: readonly Route[],
  nowMs: number,
): Unrouted[] {
  const routed = new Set(routes.map(({ category }) => category));
  return sales
    .filter(({ retired, closesAtMs }) => !retired && closesAtMs > nowMs)
    .flatMap(({ id: saleId, items }) => {
      const offered = items.filter(({ withdrawn }) => !withdrawn);
      const categories = [...new Set(offered.map(({ category }) => category))].sort();
      return categories
        .filter((category) => !routed.has(category))
        .map((category) => ({ saleId, category }));
    });
}

export function unroutedText({ category }: Unrouted): string {
  return `category '${category}' has no route: its paid parts will wait in fulfilment.unrouted`;
}
