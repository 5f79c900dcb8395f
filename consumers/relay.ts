// ⑤ relay: publishes what the ledger says must follow, with confirms, and marks it; and tells gateways the outcomes, best effort.
import type { BrokerConnection } from "../broker/connection.ts";
import type { Publisher, PublishProperties } from "../broker/publisher.ts";
import { RETRIES } from "../broker/topology.ts";
import { gatewayQueue, type Push } from "../core/domain/push.ts";
import type { FollowUp, Ledger, LedgerWriter } from "../ledger/contract.ts";

/** A region's connection and its publisher. */
export interface RegionLink {
  readonly connection: BrokerConnection;
  readonly publisher: Publisher;
}

/** Follow-ups published before they are marked. */
const FOLLOW_UPS_AT_ONCE = 100;
const RETRY_MS = 1_000;

export class Relay {
  private pushes = new Map<
    string,
    {
      link: RegionLink;
      gateway: string;
      batches: [string, string][];
      released: [string, string, string][];
    }
  >();
  private scheduled = false;
  private relaying = new Map<number, Promise<void>>();
  private stopped = false;

  constructor(
    private readonly regions: readonly RegionLink[],
    private readonly ledger: Ledger,
    private readonly writer: LedgerWriter,
    /** How long each retry of a charge waits. */
    private readonly retryDelaysMs: readonly number[],
    /** Told how many were published and marked. */
    private readonly onDone: (followUps: number) => void = () => undefined,
  ) {}

  /**
   * Outcomes of a gateway's batch go back through the region it published in; all of an event-loop
   * round leave in one push.
   */
  tell(region: string, gateway: string, batch: string, outcomes: string): void {
    const link = this.regions.find((r) => r.connection.region === region);
    if (link && gateway !== "") this.pushTo(link, gateway).batches.push([batch, outcomes]);
  }

  /** Nobody knows any more where the gateway of an order that waited is: every region is told. */
  tellReleased(
    released: readonly (readonly [gateway: string, user: string, id: string, state: string])[],
  ): void {
    for (const [gateway, user, id, state] of released) {
      for (const link of this.regions) this.pushTo(link, gateway).released.push([user, id, state]);
    }
  }

  /** Publishes a shard's open follow-ups until none is left. A call while it runs makes it look once more. */
  async followUps(shard: number): Promise<void> {
    const running = this.relaying.get(shard);
    const next = (running ?? Promise.resolve()).then(() => this.relayShard(shard));
    this.relaying.set(shard, next);
    await next;
    if (this.relaying.get(shard) === next) this.relaying.delete(shard);
  }

  stop(): void {
    this.stopped = true;
  }

  private async relayShard(shard: number): Promise<void> {
    while (!this.stopped) {
      try {
        const open = await this.ledger.followUps(shard, FOLLOW_UPS_AT_ONCE);
        if (open.length === 0) return;
        const link = this.regions.find((r) => r.publisher.ready);
        const outcomes = await Promise.all(
          open.map((f) =>
            link?.publisher.publish(
              f.exchange,
              f.routingKey,
              Buffer.from(f.body),
              this.properties(f),
            ),
          ),
        );
        const confirmed = open.filter((_, i) => outcomes[i] === "confirmed").map((f) => f.id);
        await this.writer.followUpsDone(confirmed);
        this.onDone(confirmed.length);
        if (confirmed.length < open.length) await Bun.sleep(RETRY_MS);
      } catch {
        await Bun.sleep(RETRY_MS); // the ledger is away: they stay open
      }
    }
  }

  private properties({ id, routingKey }: FollowUp): PublishProperties {
    const retry = (RETRIES as readonly string[]).indexOf(routingKey);
    const messageId = `follow-up ${id}`;
    return retry < 0 ? { messageId } : { messageId, expiration: this.retryDelaysMs[retry] ?? 0 };
  }

  private pushTo(link: RegionLink, gateway: string) {
    const key = `${link.connection.region} ${gateway}`;
    let push = this.pushes.get(key);
    if (!push) {
      push = { link, gateway, batches: [], released: [] };
      this.pushes.set(key, push);
    }
    if (!this.scheduled) {
      this.scheduled = true;
      setImmediate(() => this.flush());
    }
    return push;
  }

  private flush(): void {
    this.scheduled = false;
    const pushes = this.pushes;
    this.pushes = new Map();
    for (const { link, gateway, batches, released } of pushes.values()) {
      link.publisher.push(
        gatewayQueue(gateway),
        JSON.stringify({ batches, released } satisfies Push),
      );
    }
  }
}
