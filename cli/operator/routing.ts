// Categories on sale whose paid parts would reach nobody.

import type { Overview } from "../../core/domain/overview.ts";
import type { Route } from "../../core/domain/part.ts";
import type { ServiceCount, WorkerReport } from "../../core/domain/report.ts";
import { unroutedOf } from "../../core/domain/routing.ts";
import type { Sale } from "../../core/domain/sale.ts";

/** `routes` undefined: they are not known, so nothing is said. */
export function routingOf(
  sales: readonly Sale[],
  routes: readonly Route[] | undefined,
  workers: readonly WorkerReport[],
  nowMs: number,
): Overview["routing"] {
  if (!routes) return [];
  const unrouted = unroutedOf(sales, routes, nowMs).map((found) => ({ ...found, service: null }));
  const idle = idleServices(workers.flatMap(({ services }) => services ?? []));
  const unread = sales
    .filter(({ closesAtMs }) => closesAtMs > nowMs)
    .flatMap(({ id: saleId, items }) => {
      const offered = new Set(items.filter((i) => !i.withdrawn).map(({ category }) => category));
      return routes
        .filter(({ category, service }) => offered.has(category) && idle.has(service))
        .map(({ category, service }) => ({ saleId, category, service }));
    });
  return [...unrouted, ...unread];
}

/** Services whose queue nobody reads in some region. */
function idleServices(counts: readonly ServiceCount[]): Set<string> {
  return new Set(counts.filter(({ consumers }) => consumers === 0).map(({ service }) => service));
}
