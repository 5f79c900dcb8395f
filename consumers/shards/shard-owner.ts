// A shard that this worker owns, from its acquisition (acquisition.ts) to its release.
//
// 1. A message that may be decided is settled only by the decider. Any other becomes a dead letter
//    at once.
// 2. A region counts as read up to the last settled message, or up to the moment when its queue was
//    seen empty with nothing of it in flight. Only gaps older than that can end (gap-clock.ts).
// 3. Nothing waits for a sweep: a decider whose ledger is away makes it once the ledger is back.
// 4. A closed shard consumes no queue. Once its channels are closed, the broker delivers
//    unacknowledged messages to the next owner, in order.
import type { BrokerConnection } from "../../broker/connection.ts";
import { depth } from "../../broker/inspect.ts";
import { type Delivery, type Disposition, Subscription } from "../../broker/subscriber.ts";
import { ORDERS_DEAD, ordersQueue } from "../../broker/topology.ts";
import { newEntryId } from "../../core/domain/entry-id.ts";
import type { ShardReport } from "../../core/domain/report.ts";
import { ignore } from "../../core/runtime/ignored.ts";
import type { Claim, SweepOptions, Waits } from "../../core/stores/shard-store.ts";
import { Decider } from "../orders/decider.ts";
import { GapClock } from "../orders/gap-clock.ts";
import { readDelivery } from "../orders/incoming.ts";
import { Progress } from "../orders/progress.ts";
import type { RegionLink } from "../orders/relay.ts";
import type { Work } from "../orders/work.ts";
import type { OwnerOptions } from "./owner-options.ts";
import type { Recorded, RecordedMark } from "./recorded-mark.ts";

/**
 * Messages in flight per shard and region: a few batches ahead of the one being decided. Bounds the
 * worker's memory.
 */
const PREFETCH = 32;
/** While a shard is busy, only every third call looks at its queues. */
const LOOK_EVERY = 3;
/**
 * An idle shard checks its queues this often, ms: nothing has come since a check found all of them
 * empty, and nothing is parked (docs/decisions/0025-idle-cost.md).
 */
const REST_LOOK_MS = 5_000;
/** How long a release waits for the last look for follow-ups. */
const LAST_LOOK_MS = 1_000;
const UNPARK_USERS = 100;
const EXPIRE_ORDERS = 200;
const REPRICE_ORDERS = 200;

interface Queue {
  readonly consuming: BrokerConnection;
  readonly subscription: Subscription;
}

export class AcquiredShard {
  private readonly decider: Decider;
  /** One per region, in the order of the links. */
  private queues: Queue[] = [];
  private readonly gaps: GapClock;
  private readonly progress: Progress;
  private closed = false;
  private parked = 0;
  private looks = 0;
  /** Messages that have come, and channels that were lost. */
  private arrivals = 0;
  /** Until this monotonic time the queues need no look, unless something comes. */
  private restsUntilMs = 0;
  private clockFollowed = 0;

  constructor(
    private readonly options: OwnerOptions,
    private readonly mark: RecordedMark,
  ) {
    const { brokers, waits } = options;
    const regions = brokers.regions.map((r) => r.connection.region);
    this.progress = new Progress(regions);
    this.gaps = new GapClock({ regions, gapTimeoutMs: waits.gapTimeoutMs });
    this.decider = this.makeDecider();
  }

  get shard(): number {
    return this.options.shard;
  }

  get claim(): Claim {
    return this.mark.claim;
  }

  /** The last entry that the ledger has. */
  get recorded(): Recorded {
    return this.mark.last;
  }

  /** Messages and entries in flight. */
  get load(): number {
    return this.decider.load;
  }

  /** What waited in Redis at the last check. */
  get waits(): Waits {
    return this.mark.waits;
  }

  get running(): boolean {
    return !this.closed;
  }

  report(): ShardReport {
    const { shard, load, parked } = this;
    return { shard, load, parked, regions: this.progress.report(this.options.clock.now()) };
  }

  /** Starts consuming the queues of all regions. */
  async consume(): Promise<void> {
    for (const link of this.options.brokers.regions) if (!this.closed) await this.subscribe(link);
    if (this.closed) await this.close(); // 4: closes what was opened meanwhile
  }

  /** Whether Redis and the ledger still agree about this shard. */
  check(): ReturnType<RecordedMark["check"]> {
    return this.mark.check();
  }

  /** Gives up gaps that have lasted long enough. Called about once a second. */
  async sweepGaps(): Promise<void> {
    if (this.closed) return;
    await this.lookAtQueues();
    const cutoffMs = this.gapCutoffMs();
    if (this.waits.has("gaps")) void this.decider.unpark(this.sweep(cutoffMs, UNPARK_USERS)); // 3
  }

  /** Gives up stock that has been held too long. Called about once a second. */
  sweepHolds(): void {
    if (this.closed) return;
    const { clock, waits } = this.options;
    void this.decider.expire(this.sweep(clock.ago(waits.holdTtlMs), EXPIRE_ORDERS)); // 3
  }

  /** Decides orders that waited for a rate. Called about once a second, and when rates arrive. */
  sweepRates(): void {
    if (this.closed) return;
    const { clock, waits, shared } = this.options;
    const sweep = this.sweep(clock.ago(waits.rateWaitMs), REPRICE_ORDERS);
    void this.decider.reprice(sweep, shared.askRates); // 3
  }

  /**
   * First step of a release: accepts no new messages, and finishes those in flight: decided,
   * recorded, acknowledged, and their follow-ups published.
   */
  async quiet(): Promise<void> {
    await Promise.all(this.queues.map(({ subscription }) => subscription.quiet()));
    await this.decider.idle();
    this.mark.flush();
    const { runtime, shared } = this.options;
    await Promise.race([shared.relay.finish(this.shard), runtime.sleep(LAST_LOOK_MS)]);
  }

  /** Second step: closes the channels and drops what is still in flight. */
  async close(): Promise<void> {
    if (!this.closed) this.options.shared.relay.drop(this.shard); // the next owner looks
    this.closed = true;
    this.decider.stop();
    await Promise.all(this.queues.splice(0).map(({ subscription }) => subscription.close())); // 4
  }

  private sweep(cutoffMs: number, limit: number): SweepOptions {
    const { runtime, waits } = this.options;
    const { dedupWindowMs } = waits;
    return { entryId: newEntryId(runtime.randomBytes), cutoffMs, limit, dedupWindowMs };
  }

  private gapCutoffMs(): number {
    const { runtime, clock, waits } = this.options;
    if (clock.followed !== this.clockFollowed) this.gaps.reset();
    this.clockFollowed = clock.followed;
    return this.gaps.cutoffMs({
      monotonicMs: runtime.monotonicMs(),
      nowMs: clock.now(),
      gapMaxAgoMs: clock.ago(waits.gapMaxMs),
      without: this.options.brokers.lost(),
    });
  }

  private makeDecider(): Decider {
    const { options, mark } = this;
    const { runtime, clock, stores, shared, waits } = options;
    const { recorder, governing, counts, spans, relay, decidePacer: pacer } = shared;
    return new Decider({
      runtime,
      clock,
      claim: mark.claim,
      mark,
      dedupWindowMs: waits.dedupWindowMs,
      stores: {
        store: stores.store,
        recorder,
        lookUp: (orders) => stores.ledger.states(options.shard, orders),
      },
      governing,
      pacer,
      counts,
      spans,
      on: {
        recorded: (entry, words) => mark.recorded(entry, words),
        unreadable: (entry) => mark.unreadable(entry),
        decided: ({ region, gateway, batch }, outcomes) =>
          relay.pushOutcomes(region, gateway, batch, outcomes),
        changed: (changes) => relay.pushLater(changes),
        stopped: (reason, detail) => options.onStop(this, reason, detail),
      },
    });
  }

  private async subscribe(link: RegionLink): Promise<void> {
    const { consuming } = link;
    const subscription = new Subscription(consuming, {
      queue: ordersQueue(this.shard),
      prefetch: PREFETCH,
      ackPacer: this.options.shared.ackPacer,
      handler: (delivery, settle) => this.accept(consuming.region, delivery, settle),
      dead: { publisher: link.publisher, queue: ORDERS_DEAD },
      // Messages in flight are redelivered. Redis or the ledger recognizes those already decided.
      onLost: () => {
        this.stir();
        this.decider.dropFrom(consuming.region);
        this.progress.lost(consuming.region);
      },
    });
    this.queues.push({ consuming, subscription });
    const started = ignore(subscription.start(), "subscription_open");
    if (consuming.up) await started;
  }

  private accept(
    region: string,
    delivery: Delivery,
    settle: (disposition: Disposition) => void,
  ): void {
    const { brokers, clock } = this.options;
    this.stir();
    const message = readDelivery(delivery, this.shard, brokers.publishers, clock.now());
    if (typeof message === "string") {
      settle({ kind: "dead", reason: message }); // 1
      return;
    }
    const { acceptedAtMs } = message;
    const went = this.progress.came(region, acceptedAtMs);
    const work: Work = {
      ...message,
      region,
      done: (disposition) => {
        went();
        if (acceptedAtMs > 0) this.gaps.read(region, acceptedAtMs); // 2
        settle(disposition); // 1
      },
    };
    this.decider.accept(work);
  }

  /** The next look at the queues is due. */
  private stir(): void {
    this.arrivals++;
    this.restsUntilMs = 0;
  }

  /**
   * While the shard is busy, only reports need the queues' lengths, so it looks less often. At rest
   * nobody needs them: a gap begins with a message.
   */
  private async lookAtQueues(): Promise<void> {
    const { runtime, stores } = this.options;
    if (this.load > 0 && this.looks++ % LOOK_EVERY !== 0) return;
    const nowMs = runtime.monotonicMs();
    if (nowMs < this.restsUntilMs) return;
    const { arrivals } = this;
    let empty = this.queues.length > 0;
    for (const queue of this.queues) empty = (await this.lookAt(queue)) && empty;
    // Last: what was in flight before may have been parked.
    this.parked = (await stores.store.parked(this.shard)).orders;
    const idle = this.load === 0 && this.parked === 0;
    const rests = empty && idle && this.arrivals === arrivals;
    if (rests) this.restsUntilMs = nowMs + REST_LOOK_MS;
  }

  /**
   * Whether the queue was seen empty, with nothing of it in flight. What another region keeps in
   * flight does not count: a rush there would hold up every gap here.
   */
  private async lookAt({ consuming, subscription }: Queue): Promise<boolean> {
    if (!consuming.up || !subscription.consuming) return false;
    const lookedAtMs = this.options.clock.now();
    const seen = await ignore(depth(consuming, ordersQueue(this.shard)), "queue_depth");
    // A queue whose leader does not answer looks empty: it shows not even this consumer.
    if (!seen || seen.consumers === 0) return false;
    this.progress.ready(consuming.region, seen.ready, lookedAtMs);
    if (seen.ready > 0 || this.progress.inFlight(consuming.region) > 0) return false;
    this.gaps.read(consuming.region, lookedAtMs); // 2
    return true;
  }
}
