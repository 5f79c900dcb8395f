// Categories whose paid parts would reach no service, or wait for one that nobody runs.

import type { Overview } from "../../core/domain/overview.ts";
import type { Route } from "../../core/domain/part.ts";
import type { RoleReport, ServiceCount, WorkerReport } from "../../core/domain/report.ts";
import { unroutedOf } from "../../core/domain/routing.ts";
import type { Sale } from "../../core/domain/sale.ts";

type Routing = Overview["routing"];

/** `routes` undefined: they are not known, so nothing is reported. */
export function routingOf(
  sales: readonly Sale[],
  routes: readonly Route[] | undefined,
  { roles, counts }: { roles: readonly RoleReport[]; counts: readonly ServiceCount[] },
  nowMs: number,
): Routing {
  if (!routes) return [];
  const unrouted = unroutedOf(sales, routes, nowMs).map((found) => ({ ...found, service: null }));
  const waiting = idleServices(roles, counts);
  const unread = [...waiting].flatMap(([service, parts]) => {
    const categories = new Set(routes.flatMap((r) => (r.service === service ? r.category : [])));
    return [...categories].flatMap((category) =>
      salesOf(category, sales, { parts, nowMs }).map((saleId) => {
        return { saleId, category, service, waiting: parts };
      }),
    );
  });
  return [...unrouted, ...unread];
}

/** Paid parts may wait long after their sale has closed, or was retired: then `""`. */
function salesOf(
  category: string,
  sales: readonly Sale[],
  { parts, nowMs }: { parts: number; nowMs: number },
): string[] {
  const offering = (withdrawnToo: boolean) =>
    sales.filter(({ items }) =>
      items.some((i) => i.category === category && (withdrawnToo || !i.withdrawn)),
    );
  const open = offering(false).filter(({ closesAtMs }) => closesAtMs > nowMs);
  const found = (open.length > 0 || parts === 0 ? open : offering(true)).map(({ id }) => id);
  return found.length === 0 && parts > 0 ? [""] : found;
}

/** Parts that wait, by service: nobody reads its queue in some region, or claims over HTTP. */
function idleServices(
  roles: readonly RoleReport[],
  counts: readonly ServiceCount[],
): Map<string, number> {
  const served = new Set(servedOverHttp(roles));
  const idle = new Map<string, number>();
  for (const { service, consumers, messages } of counts)
    if (consumers === 0 && !served.has(service))
      idle.set(service, (idle.get(service) ?? 0) + messages);
  return idle;
}

/** A gateway reads the queues of all regions for its callers. */
export function servedOverHttp(roles: readonly RoleReport[]): string[] {
  return roles.flatMap((role) => (role.kind === "gateway" ? (role.claims?.services ?? []) : []));
}

/** The latest count of each service's queue, also of a region that does not answer now. */
export class ServiceMemory {
  private counts: readonly ServiceCount[] = [];

  /** `away`: regions whose broker nobody can ask. */
  look(workers: readonly WorkerReport[], away: ReadonlySet<string>): readonly ServiceCount[] {
    const counted = workers.find(({ services }) => services !== undefined)?.services;
    if (counted) {
      const has = new Set(counted.map(nameOf));
      const kept = this.counts.filter((c) => away.has(c.region) && !has.has(nameOf(c)));
      this.counts = [...counted, ...kept];
    }
    return this.counts;
  }
}

const nameOf = ({ service, region }: ServiceCount) => `${service} ${region}`;
