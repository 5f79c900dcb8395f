// Brings every region's broker in line with the operator's routes in the ledger. The owner of shard
// 0 does this after a change, after a broker comes back, and for parts that had no route when they
// arrived.
//
// 1. Reading the parts without a route counts as a delivery, and a queue gives up what was
//    delivered too often. So they are read again only if others have come, or if a queue refused
//    some; and each read that leaves some makes the next wait longer.
import type { BrokerConnection } from "../../broker/connection.ts";
import { depth } from "../../broker/inspect.ts";
import type { Publisher } from "../../broker/publisher.ts";
import {
  applyRoutes,
  type Rerouted,
  type Routing,
  reroute,
  routingOf,
} from "../../broker/routes.ts";
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
  /** The connection it was applied over. After a reconnect, the broker may have lost it. */
  readonly model: BrokerConnection["model"];
  /** What the last read left. */
  left: Omit<Rerouted, "moved">;
  /** Whether the parts have been read since. */
  read: boolean;
  /** How long the next read waits for, and from when on it may be made, monotonic ms (1). */
  restMs: number;
  readFromMs: number;
}

/** The rest after a read that left some doubles up to this: 10,000 reads take two months (1). */
const REST_LEAST_MS = 1_000;
const REST_MOST_MS = 600_000;
const NONE = { kept: 0, refused: 0, givenUp: 0 };

export class RouteSync {
  private readonly applied = new Map<string, Applied>();
  private routing: Routing | undefined;
  private version = -1;

  constructor(private readonly options: RouteSyncOptions) {}

  /** Parts that a service gave up, as of the last read; undefined: there was no read. */
  givenUpIn(region: string): number | undefined {
    const applied = this.applied.get(region);
    return applied?.read ? applied.left.givenUp : undefined;
  }

  async sync(): Promise<void> {
    const { ledger, regions, log } = this.options;
    // Read first, so that a later change is applied in the next round.
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

  /** Returns whether the region's broker has the routes. */
  private async region({ connection, publisher }: RegionLink, routing: Routing): Promise<boolean> {
    const { model, region } = connection;
    if (!model || connection.blocked) return false;
    let applied = this.applied.get(region);
    if (applied?.version !== this.version || applied.model !== model) {
      await applyRoutes(connection, routing);
      applied = { version: this.version, model, left: NONE, read: false, restMs: 0, readFromMs: 0 };
      this.applied.set(region, applied);
    }
    if (routing.routes.size > 0) await this.moveParts(connection, publisher, applied, routing);
    return true;
  }

  private async moveParts(
    connection: BrokerConnection,
    publisher: Publisher,
    applied: Applied,
    routing: Routing,
  ): Promise<void> {
    const { region, runtime } = connection;
    const waiting = (await depth(connection, UNROUTED))?.ready ?? 0;
    if (waiting === applied.left.kept && applied.left.refused === 0) return; // 1
    if (runtime.monotonicMs() < applied.readFromMs) return;
    const { moved, ...left } = await reroute(connection, publisher, routing);
    applied.left = left;
    applied.read = true;
    applied.restMs =
      left.kept === 0 ? 0 : Math.min(REST_MOST_MS, Math.max(REST_LEAST_MS, 2 * applied.restMs));
    applied.readFromMs = runtime.monotonicMs() + applied.restMs;
    if (moved > 0 || left.refused > 0)
      this.options.log("parts routed", { region, messages: moved, ...left });
  }
}
