// The fulfilment services that are known, and the categories on sale that reach none. A mistyped
// name would collect paid parts in a queue that nobody reads.
import type { RoleReport } from "../../core/domain/report.ts";
import { ignore } from "../../core/runtime/ignored.ts";
import { Members } from "../../core/stores/members.ts";
import type { RedisStore } from "../../core/stores/redis.ts";
import type { Ledger } from "../../ledger/contract.ts";
import { servedOverHttp } from "./routing.ts";

/** Services that run, or that ever had a route; sorted. What Redis cannot report is left out. */
export async function knownServices(
  ledger: Pick<Ledger, "formerRoutes">,
  redis: RedisStore,
): Promise<string[]> {
  const roles = (await ignore(new Members(redis).roles(), "members_look")) ?? new Map();
  const reports = [...roles.values()].map((text) => JSON.parse(text) as RoleReport);
  const running = [
    ...reports.flatMap((report) => (report.kind === "fulfil" ? [report.service] : [])),
    ...servedOverHttp(reports),
  ];
  const routed = (await ledger.formerRoutes()).map(({ service }) => service);
  return [...new Set([...running, ...routed])].sort();
}
