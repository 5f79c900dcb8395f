// Parts for services that call a gateway over HTTP.
import { Publisher } from "../../broker/publisher.ts";
import { PartDesk } from "../../consumers/fulfilment/part-desk.ts";
import type { RegionLink } from "../../consumers/orders/relay.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";
import type { Settings } from "../../core/settings/settings.ts";
import type { SharedClock } from "../../core/stores/clock.ts";
import type { PartsPort } from "../../gateway/ports.ts";
import type { LedgerWriter } from "../../ledger/contract.ts";
import type { Log } from "../log.ts";

export interface GatewayPartsOptions {
  readonly runtime: Runtime;
  /** The gateway's id. */
  readonly id: string;
  readonly links: readonly RegionLink[];
  readonly settings: Settings;
  readonly writer: LedgerWriter;
  readonly clock: Pick<SharedClock, "now">;
  readonly log: Log;
}

export async function openParts(
  options: GatewayPartsOptions,
): Promise<{ readonly port: PartsPort; stop(): Promise<void> }> {
  const { runtime, id, settings, writer, clock, log } = options;
  // On channels of its own: a broker that refuses a claim closes no channel of the orders.
  const own = ({ connection, consuming }: RegionLink): RegionLink => {
    const { confirmTimeoutMs } = settings;
    return { connection, consuming, publisher: new Publisher(connection, { confirmTimeoutMs }) };
  };
  const regions = options.links.map(own);
  await Promise.all(regions.map(({ publisher }) => publisher.start()));
  const { shards } = settings;
  const desk = new PartDesk({ runtime, id, regions, shards, leases: writer, now: clock.now, log });
  await desk.start();
  return {
    port: {
      claim: (claim, gone) => desk.claim(claim, gone),
      report: (report) => desk.report(report),
      quiet: () => desk.quiet(),
      counts: () => ({
        waiting: desk.waiting,
        services: desk.services(),
        parts: { ...desk.counts },
      }),
    },
    stop: () => desk.stop(),
  };
}
