// Counts the dead letters and the parts without a route in every region. The owner of shard 0 does
// it every 2 s; like every worker, it is connected to all regions.
import { depth } from "../../broker/inspect.ts";
import { ORDERS_DEAD, PAYMENTS_DEAD, UNROUTED } from "../../broker/topology.ts";
import type { DeadCount } from "../../core/domain/report.ts";
import { ignore } from "../../core/runtime/ignored.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";
import type { RegionLink } from "../orders/relay.ts";

const QUEUES = [ORDERS_DEAD, PAYMENTS_DEAD, UNROUTED];
const LOOK_EVERY_MS = 2_000;

export class DeadCounts {
  counts: readonly DeadCount[] = [];
  private lookedAtMs = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly runtime: Runtime,
    private readonly regions: readonly RegionLink[],
  ) {}

  async look(): Promise<void> {
    if (this.runtime.monotonicMs() - this.lookedAtMs < LOOK_EVERY_MS) return;
    this.lookedAtMs = this.runtime.monotonicMs();
    const counts: DeadCount[] = [];
    for (const { consuming } of this.regions) {
      if (!consuming.up) continue;
      for (const queue of QUEUES) {
        const seen = await ignore(depth(consuming, queue), "queue_depth");
        if (seen) counts.push({ queue, region: consuming.region, messages: seen.ready });
      }
    }
    this.counts = counts;
  }
}
