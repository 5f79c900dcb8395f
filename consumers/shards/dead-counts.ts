// Counts the dead letters, the parts without a route, and what waits for services, in every region.
// The owner of shard 0 does it every 2 s; like every worker, it is connected to all regions.
import { depth } from "../../broker/inspect.ts";
import { ORDERS_DEAD, PAYMENTS_DEAD, serviceQueueName, UNROUTED } from "../../broker/topology.ts";
import type { DeadCount, ServiceCount, WorkerReport } from "../../core/domain/report.ts";
import { ignore } from "../../core/runtime/ignored.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";
import type { Ledger } from "../../ledger/contract.ts";
import type { RegionLink } from "../orders/relay.ts";

const QUEUES = [ORDERS_DEAD, PAYMENTS_DEAD, UNROUTED];
const REFRESH_MS = 2_000;

export interface DeadCountsOptions {
  readonly runtime: Runtime;
  readonly regions: readonly RegionLink[];
  readonly ledger: Pick<Ledger, "routes">;
  /** Redis's clock, Unix ms. */
  readonly now: () => number;
  /** How many parts in a region's `fulfilment.unrouted` a service gave up; undefined: unknown. */
  readonly givenUpIn: (region: string) => number | undefined;
}

type Counted = Pick<WorkerReport, "dead" | "services">;

/** What cannot be counted now keeps its last count, with its time. */
export class DeadCounts {
  private readonly dead = new Map<string, DeadCount>();
  private services: readonly ServiceCount[] | undefined;
  private refreshedAtMs = Number.NEGATIVE_INFINITY;

  constructor(private readonly options: DeadCountsOptions) {}

  /** Empty until the first look: not counted is not zero. */
  report(): Counted {
    return {
      ...(this.dead.size > 0 ? { dead: [...this.dead.values()] } : {}),
      ...(this.services ? { services: this.services } : {}),
    };
  }

  async refresh(): Promise<void> {
    const { runtime, regions } = this.options;
    if (runtime.monotonicMs() - this.refreshedAtMs < REFRESH_MS) return;
    this.refreshedAtMs = runtime.monotonicMs();
    for (const { consuming } of regions) {
      if (!consuming.up) continue;
      for (const queue of QUEUES) {
        const seen = await ignore(depth(consuming, queue), "queue_depth");
        if (seen) this.note(queue, consuming.region, seen.ready);
      }
    }
    await this.lookAtServices();
  }

  private note(queue: string, region: string, messages: number): void {
    const atMs = this.options.now();
    const name = `${queue} ${region}`;
    const sinceMs = messages === 0 ? null : (this.dead.get(name)?.sinceMs ?? atMs);
    const known = queue === UNROUTED ? this.options.givenUpIn(region) : undefined;
    const givenUp = known === undefined ? {} : { givenUp: Math.min(known, messages) };
    this.dead.set(name, { queue, region, messages, ...givenUp, atMs, sinceMs });
  }

  /** The queues of services that have a route: a part for one that nobody reads waits there. */
  private async lookAtServices(): Promise<void> {
    const routes = await ignore(this.options.ledger.routes(), "queue_depth");
    if (!routes) return;
    const names = [...new Set(routes.map(({ service }) => service))].slice(0, MAX_SERVICES);
    const counts: ServiceCount[] = [];
    for (const { consuming } of this.options.regions)
      for (const service of names) {
        const count = await this.countOf(consuming, service);
        if (count) counts.push(count);
      }
    this.services = counts;
  }

  /** A broker that does not answer has the parts that it had. undefined: no such queue. */
  private async countOf(
    consuming: RegionLink["consuming"],
    service: string,
  ): Promise<ServiceCount | undefined> {
    const { region } = consuming;
    const last = this.services?.find((c) => c.service === service && c.region === region);
    if (!consuming.up) return last;
    const look = depth(consuming, serviceQueueName(service)).then((seen) => ({ seen }));
    const answer = await ignore(look, "queue_depth");
    if (!answer) return last;
    const { seen } = answer;
    return seen && { service, region, messages: seen.ready, consumers: seen.consumers };
  }
}

/** Each costs the broker a small call in every round. */
const MAX_SERVICES = 50;
