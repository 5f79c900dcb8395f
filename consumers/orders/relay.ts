// ⑤ relay: publishes the ledger's follow-ups with confirms and marks them. It also pushes outcomes
// to gateways, on a best-effort basis.
//
// 1. A follow-up is marked only after a broker has confirmed it, so it is published at least once.
// 2. One that may have reached a region is not sent through another, where it would be a second
//    copy.
// 3. One run at a time publishes a shard's follow-ups. A call during a run makes it look once more.
//    Looks take turns (core/runtime/pacer.ts), so one look finds what several commits left.
// 4. A target that accepts nothing is paused, longer each time, and delays no other.
// 5. Parts that a service has claimed go to its own queue. If it was deleted it is declared again:
//    no other service may have them.
// 6. The last look of a shard does not wait until the shard has another owner: both owners would
//    publish the same follow-ups.
import type { BrokerConnection } from "../../broker/connection.ts";
import { Preference } from "../../broker/preference.ts";
import type { Publisher, PublishProperties } from "../../broker/publisher.ts";
import { restoreQueue } from "../../broker/routes.ts";
import { RETRIES } from "../../broker/topology.ts";
import { countIgnored } from "../../core/runtime/ignored.ts";
import { Pacer } from "../../core/runtime/pacer.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";
import type { FollowUp, Ledger, LedgerWriter, Target } from "../../ledger/contract.ts";
import type { LaterState } from "./later-states.ts";
import { Marks } from "./marks.ts";
import { type Parcel, parcelsOf } from "./parcels.ts";
import { Pushes } from "./pushes.ts";

/**
 * A region's two connections. A broker with an alarm stops reading from a connection that has
 * published, acknowledgements included. So consumers have a connection that never publishes.
 */
export interface RegionLink {
  /** Publishes. Its alarm state is the region's. */
  readonly connection: BrokerConnection;
  /** Consumes and acknowledges. Never publish over it. */
  readonly consuming: BrokerConnection;
  readonly publisher: Publisher;
}

/** `blocked`: the broker has an alarm and accepts nothing, but its queues are still consumed. */
export function linkState({ connection, consuming }: RegionLink): "up" | "blocked" | "away" {
  if (!connection.up || !consuming.up) return "away";
  return connection.blocked ? "blocked" : "up";
}

/** Follow-ups published before they are marked. */
const FOLLOW_UPS_AT_ONCE = 100;
/**
 * The longest interval between two looks, ms. A charge starts later by half of it on average; no
 * outcome waits for it (docs/decisions/0017-pace.md).
 */
const LOOK_PACE_MS = 100;
/** From this many follow-ups per second on, looks keep the longest interval. */
const FULL_FROM = 20;
/** The pause of a target that accepted nothing. It doubles each time, up to the maximum. */
const PAUSE_MIN_MS = 250;
const PAUSE_MAX_MS = 30_000;

interface Pause {
  readonly target: Target;
  readonly pauseMs: number;
  /** Monotonic ms. */
  readonly untilMs: number;
}

/** A run for one shard. */
interface Run {
  /** There may be more follow-ups by now. */
  again: boolean;
  /** The shard may have another owner, who looks by itself. */
  dropped: boolean;
  /** Its turn has come; undefined: it does not wait for one. */
  start: (() => void) | undefined;
  readonly ended: PromiseWithResolvers<void>;
}

export interface RelayOptions {
  readonly runtime: Runtime;
  readonly regions: readonly RegionLink[];
  readonly ledger: Pick<Ledger, "followUps">;
  readonly writer: Pick<LedgerWriter, "followUpsDone">;
  /** How long each retry of a charge waits. */
  readonly retryDelaysMs: readonly number[];
  /** Redis's clock, which decides what is due. */
  readonly now: () => number;
  /** Receives how many were published and marked. */
  readonly onDone?: (followUps: number) => void;
}

export class Relay {
  private readonly pushes: Pushes;
  /** Shards being relayed. */
  private readonly relaying = new Map<number, Run>();
  /** Targets that accepted nothing, by `exchange routing-key`. */
  private readonly pauses = new Map<string, Pause>();
  private readonly pacer: Pacer;
  private readonly preference: Preference<RegionLink>;
  /** Confirmed follow-ups that the next update marks, and who waits for it. */
  private readonly marks: Marks;
  private stopped = false;

  constructor(private readonly options: RelayOptions) {
    const { runtime } = options;
    this.pacer = new Pacer({ runtime, mostMs: () => LOOK_PACE_MS, fullFrom: FULL_FROM });
    this.marks = new Marks((ids) => options.writer.followUpsDone(ids));
    this.preference = new Preference(runtime, options.regions);
    this.pushes = new Pushes(runtime, options.regions);
  }

  /** Pushes the outcomes of a gateway's batch, which came through a region. */
  pushOutcomes(region: string, gateway: string, batch: string, outcomes: string): void {
    this.pushes.pushOutcomes(region, gateway, batch, outcomes);
  }

  /** Pushes later states of orders. */
  pushLater(changes: readonly LaterState[]): void {
    this.pushes.pushLater(changes);
  }

  /**
   * Publishes a shard's due follow-ups until only those of targets that accept nothing are left. A
   * call during a run makes that run look once more.
   */
  async followUps(shard: number): Promise<void> {
    const running = this.relaying.get(shard);
    if (running) {
      running.again = true; // 3
      running.dropped = false;
      return;
    }
    const ended = Promise.withResolvers<void>();
    const run: Run = { again: true, dropped: false, start: undefined, ended };
    this.relaying.set(shard, run);
    try {
      while (run.again && !this.stopped) {
        await this.turn(run);
        run.again = false;
        await this.relayShard(shard, run);
      }
    } catch {
      countIgnored("follow_ups"); // the ledger is away
    } finally {
      this.relaying.delete(shard);
      ended.resolve();
    }
  }

  /** Looks at once if a look waits for its turn. Settles when no run is left. */
  async finish(shard: number): Promise<void> {
    const run = this.relaying.get(shard);
    if (run?.start) this.pacer.hurry(run.start);
    await run?.ended.promise;
  }

  /** Starts no more looks of a shard, and publishes no more than it has read. */
  drop(shard: number): void {
    const run = this.relaying.get(shard);
    if (!run) return;
    run.again = false;
    run.dropped = true; // 6
  }

  stop(): void {
    this.stopped = true;
  }

  private async turn(run: Run): Promise<void> {
    await new Promise<void>((resolve) => {
      run.start = resolve;
      this.pacer.enter(resolve);
    });
    run.start = undefined;
    this.pacer.started();
  }

  private async relayShard(shard: number, run: Run): Promise<void> {
    const { ledger, now, onDone } = this.options;
    const ready = () => this.options.regions.some((r) => r.publisher.ready);
    while (!this.stopped && !run.dropped && ready()) {
      const dueMs = now();
      const open = await ledger.followUps(shard, FOLLOW_UPS_AT_ONCE, {
        dueMs,
        except: this.paused(), // 4
      });
      if (open.length === 0) return;
      const wanted = open.filter((f) => !f.overtaken);
      const parcels = parcelsOf(wanted);
      const sent = await Promise.all(parcels.map((parcel) => this.publish(parcel)));
      const confirmed = parcels.flatMap(({ followUps }, i) => (sent[i] ? followUps : []));
      this.updatePauses(wanted, confirmed);
      const done = [...confirmed, ...open.filter((f) => f.overtaken)];
      await this.marks.add(done.map((f) => f.id)); // 1
      this.pacer.carried(confirmed.length);
      onDone?.(confirmed.length);
      if (open.length < FOLLOW_UPS_AT_ONCE && done.length === open.length) return;
    }
  }

  /** Publishes in the first region whose broker accepts it, those that confirm lately first. */
  private async publish({ followUps, body: text }: Parcel): Promise<boolean> {
    const [first] = followUps;
    const { exchange, routingKey } = first;
    const body = Buffer.from(text);
    let without: RegionLink | undefined;
    for (const region of this.preference.inOrder) {
      const { publisher } = region;
      if (!publisher.ready) continue;
      const properties = this.properties(first);
      const outcome = await publisher.publish(exchange, routingKey, body, properties);
      if (outcome === "returned" && exchange === "") without ??= region;
      if (outcome === "confirmed") {
        this.preference.trust(region);
        return true;
      }
      if (outcome !== "unknown") continue;
      this.preference.doubt(region);
      return false; // 2
    }
    if (!without || !(await restoreQueue(without.connection, routingKey))) return false; // 5
    const { publisher } = without;
    const again = await publisher.publish("", routingKey, body, this.properties(first));
    return again === "confirmed";
  }

  /** Targets to skip for now. */
  private paused(): Target[] {
    const nowMs = this.options.runtime.monotonicMs();
    return [...this.pauses.values()].filter((p) => p.untilMs > nowMs).map((p) => p.target);
  }

  /** Pauses the targets that accepted nothing, longer each time. The others continue. */
  private updatePauses(open: readonly FollowUp[], confirmed: readonly FollowUp[]): void {
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
}

function nameOf({ exchange, routingKey }: Target): string {
  return `${exchange} ${routingKey}`;
}
