// A gateway's brokers: its region's, and the others, which take its orders while its own does not.
// It listens in each of them, because outcomes come back through the region of their order.
import type { BrokerConnection } from "../../broker/connection.ts";
import { Failover, type FailoverRegion } from "../../broker/failover.ts";
import { Subscription } from "../../broker/subscriber.ts";
import { ORDERS_EXCHANGE, ordersKey } from "../../broker/topology.ts";
import type { RegionLink } from "../../consumers/orders/relay.ts";
import { messageOf } from "../../core/domain/message-of.ts";
import { gatewayQueue, type Push } from "../../core/domain/push.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";
import { SettingError, type Settings } from "../../core/settings/settings.ts";
import type { BrokerPort } from "../../gateway/ports.ts";
import type { Log } from "../log.ts";
import { closeRegions, regionLink, startLink } from "./parts.ts";

/** Pushes in flight from the broker; 0 is no limit, because they are not acknowledged. */
const PUSH_PREFETCH = 0;
/** How long after a region has refused this gateway's user it is asked again. */
const REFUSED_MS = 15_000;

export interface GatewayBrokersOptions {
  readonly runtime: Runtime;
  readonly settings: Settings;
  /** The gateway's id. */
  readonly id: string;
  /** Redis's clock. */
  readonly now: () => number;
  readonly log: Log;
}

export class GatewayBrokers {
  readonly port: BrokerPort;
  private readonly failover: Failover;
  private readonly pushes: Subscription[] = [];
  private onPush: (push: Push) => void = () => undefined;
  private closing = false;

  private constructor(
    private readonly options: GatewayBrokersOptions,
    readonly links: readonly [RegionLink, ...RegionLink[]],
  ) {
    const { runtime, settings, log } = options;
    const [home, ...others] = links;
    this.failover = new Failover({
      runtime,
      regions: [placeOf(home), ...others.map(placeOf)],
      exchange: ORDERS_EXCHANGE,
      deadlineMs: settings.confirmTimeoutMs,
      patienceMs: settings.failoverAfterMs,
      healthyMs: settings.homeAfterMs,
      onChange: (region, breaker, why, shard) => {
        log("breaker", { region, ...(shard === undefined ? {} : { shard }), breaker, why });
      },
    });
    this.port = this.portOf();
  }

  /** Resolves when the home region's broker is connected, or is known to be away. */
  static async open(options: GatewayBrokersOptions): Promise<GatewayBrokers> {
    const { runtime, settings, log } = options;
    const [home, ...others] = regionsOf(settings).map((region) =>
      regionLink(runtime, region, settings, log),
    );
    if (!home) throw new SettingError("SLUICE_REGIONS is not set");
    const brokers = new GatewayBrokers(options, [home, ...others]);
    await startLink(home);
    await brokers.listen(home);
    for (const other of others) void brokers.openLater(other);
    brokers.failover.start();
    return brokers;
  }

  /** The region that the next batch goes to. */
  get publishesTo(): string {
    return this.failover.region;
  }

  /** Regions that get no orders and do not answer. */
  get silent(): readonly string[] {
    return this.failover.silent;
  }

  /** Whether orders can be accepted, and what is known about each region. */
  readiness(): { ok: boolean; detail: Record<string, unknown> } {
    const { connection } = this.links[0];
    const { ready: ok, region: publishesTo } = this.failover;
    const broker = connection.conflict?.message ?? stateOf(this.links[0]);
    return { ok, detail: { broker, publishesTo, regions: this.failover.view() } };
  }

  async close(): Promise<void> {
    this.closing = true;
    this.failover.stop();
    await Promise.all(this.pushes.map((pushes) => pushes.close()));
    await closeRegions(this.links);
  }

  private portOf(): BrokerPort {
    const { id, now } = this.options;
    const { failover, links } = this;
    return {
      publish: (shard, body, number, batch) =>
        failover.publish(
          ordersKey(shard),
          body,
          {
            messageId: number,
            appId: id,
            type: "orders.v1",
            headers: { "x-accepted-at": now() },
          },
          batch,
        ),
      blocked: () => !failover.ready,
      state: () => stateOf(links[0]),
      regions: () => ({ publishesTo: failover.region, regions: failover.view() }),
      onPush: (handler) => {
        this.onPush = handler;
      },
    };
  }

  private async listen({ consuming }: RegionLink): Promise<void> {
    const pushes = new Subscription(consuming, {
      queue: gatewayQueue(this.options.id),
      prefetch: PUSH_PREFETCH,
      exclusive: true,
      noAck: true,
      handler: ({ body }) => this.onPush(JSON.parse(body.toString()) as Push),
    });
    this.pushes.push(pushes);
    await pushes.start();
  }

  private async openLater(link: RegionLink): Promise<void> {
    await link.publisher.start();
    await this.listen(link);
    await Promise.all([this.startLater(link.connection), this.startLater(link.consuming)]);
  }

  /** A region that refuses the user is of no use, but must not keep the gateway from its own. */
  private async startLater(connection: BrokerConnection): Promise<void> {
    const { runtime, log } = this.options;
    while (!this.closing) {
      try {
        return await connection.start();
      } catch (error) {
        if (this.closing) return;
        log("region refused", { region: connection.region, error: messageOf(error) });
        await runtime.sleep(REFUSED_MS);
      }
    }
  }
}

/** The gateway's region. */
export function homeOf(settings: Settings): Settings["regions"][number] {
  const { regions, region: name } = settings;
  const home = name === "" ? regions[0] : regions.find((region) => region.name === name);
  if (!home)
    throw new SettingError(
      `SLUICE_REGION '${name}' is not one of SLUICE_REGIONS ` +
        `(${regions.map((region) => region.name).join(", ")})`,
    );
  return home;
}

/** Its own region, then those after it in the list, then those before it. */
function regionsOf(settings: Settings): Settings["regions"] {
  const home = homeOf(settings);
  if (settings.failover === "no") return [home];
  const at = settings.regions.indexOf(home);
  return [...settings.regions.slice(at), ...settings.regions.slice(0, at)];
}

function placeOf(link: RegionLink): FailoverRegion {
  const { connection, publisher } = link;
  return { name: connection.region, publisher, state: () => stateOf(link) };
}

/** For publishing: outcomes that cannot be received are in the ledger. */
function stateOf({ connection }: RegionLink): "up" | "blocked" | "away" {
  if (!connection.up) return "away";
  return connection.blocked ? "blocked" : "up";
}
