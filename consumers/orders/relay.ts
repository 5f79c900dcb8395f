// ⑤ relay: publishes what the ledger says must follow, with confirms, and marks it; and tells
// gateways the outcomes, best effort.
//
// 1. A follow-up is marked only after a broker has confirmed it: it is published at least once.
// 2. One that may have reached a region is not sent through another: it would be there twice.
// 3. A shard's follow-ups are published by one run at a time; a call meanwhile makes it run again.
// 4. A target that takes nothing waits, longer each time, and holds up no other.
import type { BrokerConnection } from "../../broker/connection.ts";
import type { Publisher, PublishProperties } from "../../broker/publisher.ts";
import { RETRIES } from "../../broker/topology.ts";
import { gatewayQueue, type Push } from "../../core/domain/push.ts";
import { countIgnored } from "../../core/runtime/ignored.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";
import type { FollowUp, Ledger, LedgerWriter, Target } from "../../ledger/contract.ts";

/**
 * A region's two connections. A broker with an alarm reads nothing more from a connection that
 * publishes, its acknowledgements included: what is consumed has a connection that never publishes.
 */
export interface RegionLink {
  /** Publishes; its alarm state is the region's. */
  readonly connection: BrokerConnection;
  /** Consumes and acknowledges. Never publish over it. */
  readonly consuming: BrokerConnection;
  readonly publisher: Publisher;
}

/** `blocked`: the broker has an alarm and takes nothing in; what lies in its queues is consumed. */
export function linkState({ connection, consuming }: RegionLink): "up" | "blocked" | "away" {
  if (!connection.up || !consuming.up) return "away";
  return connection.blocked ? "blocked" : "up";
}

/** Follow-ups published before they are marked. */
const FOLLOW_UPS_AT_ONCE = 100;
/** A target that took nothing is tried again after this, doubled each time, up to the most. */
const PAUSE_MIN_MS = 250;
const PAUSE_MAX_MS = 30_000;

interface Pause {
  readonly target: Target;
  readonly pauseMs: number;
  /** Monotonic ms. */
  readonly untilMs: number;
}

export interface RelayOptions {
  readonly runtime: Runtime;
  readonly regions: readonly RegionLink[];
  readonly ledger: Pick<Ledger, "followUps">;
  readonly writer: Pick<LedgerWriter, "followUpsDone">;
  /** How long each retry of a charge waits. */
  readonly retryDelaysMs: readonly number[];
  /** Redis's clock: what is not due by it stays. */
  readonly now: () => number;
  /** Told how many were published and marked. */
  readonly onDone?: (followUps: number) => void;
}

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
  /** Shards being relayed, and whether there may be more by now. */
  private readonly relaying = new Map<number, { again: boolean }>();
  /** Targets that took nothing, by `exchange routing-key`. */
  private readonly pauses = new Map<string, Pause>();
  private stopped = false;

  constructor(private readonly options: RelayOptions) {}

  /**
   * Outcomes of a gateway's batch go back through the region it published in; all of an event-loop
   * round leave in one push.
   */
  tell(region: string, gateway: string, batch: string, outcomes: string): void {
    const link = this.options.regions.find((r) => r.connection.region === region);
    if (link && gateway !== "") this.pushTo(link, gateway).batches.push([batch, outcomes]);
  }

  /** Nobody knows any more where the gateway of an order that waited is: every region is told. */
  tellReleased(
    released: readonly (readonly [gateway: string, user: string, id: string, state: string])[],
  ): void {
    for (const [gateway, user, id, state] of released) {
      for (const link of this.options.regions)
        this.pushTo(link, gateway).released.push([user, id, state]);
    }
  }

  /**
   * Publishes a shard's follow-ups that are due until none is left but those of targets that take
   * nothing. A call while it runs makes it look once more.
   */
  async followUps(shard: number): Promise<void> {
    const running = this.relaying.get(shard);
    if (running) {
      running.again = true; // 3
      return;
    }
    const run = { again: true };
    this.relaying.set(shard, run);
    try {
      while (run.again && !this.stopped) {
        run.again = false;
        await this.relayShard(shard);
      }
    } catch {
      countIgnored("follow_ups"); // the ledger is away
    } finally {
      this.relaying.delete(shard);
    }
  }

  stop(): void {
    this.stopped = true;
  }

  private async relayShard(shard: number): Promise<void> {
    const { ledger, writer, now, onDone } = this.options;
    while (!this.stopped && this.options.regions.some((r) => r.publisher.ready)) {
      const dueMs = now();
      const open = await ledger.followUps(shard, FOLLOW_UPS_AT_ONCE, {
        dueMs,
        except: this.paused(), // 4
      });
      if (open.length === 0) return;
      const sent = await Promise.all(open.map((f) => this.publish(f)));
      const confirmed = open.filter((_, i) => sent[i]);
      this.heard(open, confirmed);
      await writer.followUpsDone(confirmed.map((f) => f.id)); // 1
      onDone?.(confirmed.length);
    }
  }

  /** In the first region whose broker takes it. */
  private async publish(followUp: FollowUp): Promise<boolean> {
    const { exchange, routingKey } = followUp;
    const body = Buffer.from(followUp.body);
    for (const { publisher } of this.options.regions) {
      if (!publisher.ready) continue;
      const properties = this.properties(followUp);
      const outcome = await publisher.publish(exchange, routingKey, body, properties);
      if (outcome === "confirmed") return true;
      if (outcome === "unknown") return false; // 2
    }
    return false;
  }

  /** Targets that are left alone for now. */
  private paused(): Target[] {
    const nowMs = this.options.runtime.monotonicMs();
    return [...this.pauses.values()].filter((p) => p.untilMs > nowMs).map((p) => p.target);
  }

  /** A target that took nothing waits, longer each time; the others go on. */
  private heard(open: readonly FollowUp[], confirmed: readonly FollowUp[]): void {
    const took = new Set(confirmed.map(nameOf));
    for (const name of took) this.pauses.delete(name);
    for (const { exchange, routingKey } of open) {
      const target = { exchange, routingKey };
      const name = nameOf(target);
      if (took.has(name)) continue;
      took.add(name);
      const before = this.pauses.get(name)?.pauseMs ?? PAUSE_MIN_MS / 2;
      const pauseMs = Math.min(PAUSE_MAX_MS, before * 2);
      this.pauses.set(name, {
        target,
        pauseMs,
        untilMs: this.options.runtime.monotonicMs() + pauseMs,
      });
    }
  }

  private properties({ id, routingKey }: FollowUp): PublishProperties {
    const retry = (RETRIES as readonly string[]).indexOf(routingKey);
    const messageId = `follow-up ${id}`;
    return retry < 0
      ? { messageId }
      : { messageId, expiration: this.options.retryDelaysMs[retry] ?? 0 };
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
      this.options.runtime.nextTurn(() => this.flush());
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

function nameOf({ exchange, routingKey }: Target): string {
  return `${exchange} ${routingKey}`;
}
