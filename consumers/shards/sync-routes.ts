// An operator's routes are in the ledger first. The owner of shard 0 brings every region's broker
// in line with them: after a change, after a broker came back, and for parts that lie there because
// they had no route when they came.
import type { BrokerConnection } from "../../broker/connection.ts";
import { depth } from "../../broker/inspect.ts";
import { applyRoutes, type Routing, reroute, routingOf } from "../../broker/routes.ts";
import { UNROUTED } from "../../broker/topology.ts";
import { messageOf } from "../../core/domain/message-of.ts";
import { ELSEWHERE } from "../../core/domain/part.ts";
import type { Ledger } from "../../ledger/contract.ts";
import type { RegionLink } from "../orders/relay.ts";

export interface RouteSyncOptions {
  readonly ledger: Pick<
    Ledger,
    "routes" | "formerRoutes" | "catalogueVersion" | "operationsOpen" | "operationsDone"
  >;
  readonly regions: readonly RegionLink[];
  readonly log: (event: string, detail: Record<string, unknown>) => void;
}

interface Applied {
  readonly version: number;
  /** The connection it was applied over: a broker that came back may have lost it. */
  readonly model: BrokerConnection["model"];
  /** Messages without a route that were left as they are. */
  left: number;
}

export class RouteSync {
  private readonly applied = new Map<string, Applied>();
  private routing: Routing | undefined;
  private version = -1;

  constructor(private readonly options: RouteSyncOptions) {}

  async sync(): Promise<void> {
    const { ledger, regions, log } = this.options;
    // Asked first: what is changed after it is applied the next time.
    const open = (await ledger.operationsOpen()).filter(
      ({ operation }) => operation.kind === "route",
    );
    const version = await ledger.catalogueVersion();
    if (version !== this.version || !this.routing) {
      const names = [...regions.map((r) => r.connection.region), ELSEWHERE];
      this.routing = routingOf(await ledger.routes(), await ledger.formerRoutes(), names);
      this.version = version;
    }
    let everywhere = true;
    for (const link of regions) {
      try {
        everywhere = (await this.region(link, this.routing)) && everywhere;
      } catch (error) {
        everywhere = false;
        log("routes not applied", {
          region: link.connection.region,
          error: messageOf(error),
        });
      }
    }
    if (everywhere && open.length > 0) await ledger.operationsDone(open.map(({ id }) => id));
  }

  /** Whether the region's broker has the routes. */
  private async region({ connection, publisher }: RegionLink, routing: Routing): Promise<boolean> {
    const { model, region } = connection;
    if (!model || connection.blocked) return false;
    let applied = this.applied.get(region);
    if (applied?.version !== this.version || applied.model !== model) {
      await applyRoutes(connection, routing);
      applied = { version: this.version, model, left: 0 };
      this.applied.set(region, applied);
    }
    if (routing.routes.size === 0) return true;
    // Each look at them counts as a delivery: not looked at again until there are others.
    const waiting = (await depth(connection, UNROUTED))?.ready ?? 0;
    if (waiting === applied.left) return true;
    const sent = await reroute(connection, publisher, routing);
    applied.left = (await depth(connection, UNROUTED))?.ready ?? 0;
    if (sent > 0) this.options.log("parts routed", { region, messages: sent, left: applied.left });
    return true;
  }
}
