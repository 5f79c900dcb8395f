// Categories on sale whose paid parts would reach no service.

import type { Overview } from "../../core/domain/overview.ts";
import type { Route } from "../../core/domain/part.ts";
import type { RoleReport } from "../../core/domain/report.ts";
import { unroutedOf } from "../../core/domain/routing.ts";
import type { Sale } from "../../core/domain/sale.ts";

/** `routes` undefined: they are not known, so nothing is reported. */
export function routingOf(
  sales: readonly Sale[],
  routes: readonly Route[] | undefined,
  roles: readonly RoleReport[],
  nowMs: number,
): Overview["routing"] {
  if (!routes) return [];
  const unrouted = unroutedOf(sales, routes, nowMs).map((found) => ({ ...found, service: null }));
  const idle = idleServices(roles);
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

/** Services whose queue nobody reads in some region, and whose parts nobody claims over HTTP. */
function idleServices(roles: readonly RoleReport[]): Set<string> {
  const counts = roles.flatMap((role) => (role.kind === "worker" ? (role.services ?? []) : []));
  const served = new Set(servedOverHttp(roles));
  return new Set(
    counts.flatMap(({ consumers, service }) =>
      consumers === 0 && !served.has(service) ? [service] : [],
    ),
  );
}

/** A gateway reads the queues of all regions for whoever calls it. */
export function servedOverHttp(roles: readonly RoleReport[]): string[] {
  return roles.flatMap((role) => (role.kind === "gateway" ? (role.claims?.services ?? []) : []));
}
