// One shard in this worker's hands, from taking it to letting it go:
//
//   take: the ledger raises the epoch → Redis is told → does Redis still have what the ledger recorded last? → what Redis has decided and
//   the ledger lacks is recorded → follow-ups not marked are sent again → the queues of all regions are consumed
//
// Letting go closes the channels, so that the broker hands what is unacknowledged to the next
// owner, in order.

import { depth } from "../../broker/inspect.ts";
import { type Delivery, type Disposition, Subscription } from "../../broker/subscriber.ts";
import { ORDERS_DEAD, ordersQueue } from "../../broker/topology.ts";
import { at } from "../../core/domain/at.ts";
import type { Entry } from "../../core/domain/entry.ts";
import { newEntryId } from "../../core/domain/entry-id.ts";
import type { ShardReport } from "../../core/domain/report.ts";
import { hasWord } from "../../core/domain/words.ts";
import type { SpanRecorder } from "../../core/metrics/spans.ts";
import { ignore } from "../../core/runtime/ignored.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";
import type { DecidingClock } from "../../core/stores/clock.ts";
import type { Claim, ShardStore } from "../../core/stores/shard-store.ts";
import type { Ledger, LedgerWriter } from "../../ledger/contract.ts";
import type { Governing } from "../governor/governing.ts";
import type { Counts } from "../orders/counts.ts";
import { Decider } from "../orders/decider.ts";
import type { StopReason } from "../orders/decider-options.ts";
import { GapClock } from "../orders/gap-clock.ts";
import { readDelivery } from "../orders/incoming.ts";
import { Progress } from "../orders/progress.ts";
import type { Publishers } from "../orders/publishers.ts";
import type { Recorder } from "../orders/recorder.ts";
import type { RegionLink, Relay } from "../orders/relay.ts";
import type { Work } from "../orders/work.ts";

/**
 * Messages a shard may hold per region: a few batches ahead of the one being decided; with it the
 * worker's memory is bounded.
 */
const PREFETCH = 16;
/** Entries read from the outbox at once while catching up. */
const CATCH_UP = 32;
/** Looks between two at the queues of a busy shard. */
const LOOK_EVERY = 3;
const UNPARK_USERS = 100;
const EXPIRE_ORDERS = 200;
const REPRICE_ORDERS = 200;

export interface OwnerOptions {
  readonly runtime: Runtime;
  readonly worker: string;
  readonly shard: number;
  readonly store: ShardStore;
  readonly ledger: Ledger;
  readonly writer: LedgerWriter;
  readonly recorder: Recorder;
  readonly governing: Governing;
  readonly counts: Counts;
  readonly relay: Relay;
  readonly regions: readonly RegionLink[];
  readonly publishers: Publishers;
  readonly dedupWindowMs: number;
  readonly gapTimeoutMs: number;
  readonly gapMaxMs: number;
  readonly clock: DecidingClock;
  readonly holdTtlMs: number;
  readonly rateWaitMs: number;
  /** Asks for rates that orders wait for. */
  readonly askRates: (pairs: readonly string[]) => void;
  readonly prefetch?: number;
  readonly spans?: SpanRecorder | undefined;
  /** Redis's clock. */
  readonly now: () => number;
  readonly log: (event: string, detail: Record<string, unknown>) => void;
  readonly onStop: (owner: ShardOwner, reason: OwnerStop, detail: string) => void;
}

/**
 * `went_back`: the ledger is behind what it had confirmed. `foreign`: this Redis belongs to another
 * ledger.
 */
export type OwnerStop = StopReason | "went_back" | "foreign";

export class ShardOwner {
  private decider: Decider | undefined;
  private subscriptions: Subscription[] = [];
  private readonly gaps: GapClock;
  private claim: Claim | undefined;
  private last = { id: "", n: 0 };
  private closed = false;
  private readonly progress: Progress;
  private parked = 0;
  private looks = 0;
  private clockFollowed = 0;

  constructor(private readonly options: OwnerOptions) {
    const { regions, gapTimeoutMs } = options;
    this.progress = new Progress(regions.map((r) => r.connection.region));
    this.gaps = new GapClock({
      regions: regions.map((r) => r.connection.region),
      gapTimeoutMs,
    });
  }

  get shard(): number {
    return this.options.shard;
  }

  get epoch(): number {
    return this.claim?.epoch ?? 0;
  }

  get incarnation(): number {
    return this.claim?.incarnation ?? 0;
  }

  get claimed(): Claim | undefined {
    return this.claim;
  }

  /** The last entry that the ledger has. */
  get recordedN(): number {
    return this.last.n;
  }

  /** Messages and entries in hand. */
  get load(): number {
    return this.decider?.load ?? 0;
  }

  get running(): boolean {
    return this.subscriptions.length > 0;
  }

  report(): ShardReport {
    const { shard, load, parked } = this;
    return { shard, load, parked, regions: this.progress.report(this.options.now()) };
  }

  /** Takes the shard and starts consuming. Returns why not, if Redis or the ledger has a reason. */
  async take(): Promise<OwnerStop | undefined> {
    const { worker, shard, store, ledger, writer, relay } = this.options;
    const position = await writer.takeShard(shard, worker);
    this.claim = { shard, incarnation: await ledger.incarnation(), epoch: position.epoch };
    this.last = { id: position.lastId, n: position.lastN };
    const owned = await store.own(this.claim, ledger.storeId);
    if (owned !== "owned") return owned;
    const problem = (await this.check()) ?? (await this.catchUp());
    if (problem) return problem;
    void relay.followUps(shard);
    this.decider = this.makeDecider(this.claim);
    for (const link of this.options.regions) if (!this.closed) await this.consume(link);
    // Let go of while it was being taken: what was made since must not hold the queue for nobody.
    if (this.closed) await this.close();
    return undefined;
  }

  /** Whether Redis and the ledger still agree about this shard; also called while it runs. */
  async check(): Promise<OwnerStop | undefined> {
    if (!this.claim) return undefined;
    const word = await this.options.store.check(this.claim, this.last.id, this.last.n);
    // The last telling may have been lost, on its way or with Redis's tail; units on their way back
    // wait for it.
    if (word === "behind") this.tellRecorded();
    else if (word !== "whole") return word;
    return undefined;
  }

  // The sweeps are asked for, not waited for: a decider whose ledger is away makes them when it is
  // back.

  /** Gives up gaps that have lasted long enough. Called about once a second. */
  async sweepGaps(): Promise<void> {
    const { decider, claim } = this;
    if (!decider || !claim || this.closed) return;
    await this.lookAtQueues();
    const { dedupWindowMs } = this.options;
    void decider.unpark({
      entryId: newEntryId(this.options.runtime.randomBytes),
      cutoffMs: this.gapCutoffMs(),
      limit: UNPARK_USERS,
      dedupWindowMs,
    });
  }

  private gapCutoffMs(): number {
    const { clock, gapMaxMs } = this.options;
    if (clock.followed !== this.clockFollowed) this.gaps.reset();
    this.clockFollowed = clock.followed;
    return this.gaps.cutoffMs({
      monotonicMs: this.options.runtime.monotonicMs(),
      nowMs: clock.now(),
      gapMaxAgoMs: clock.ago(gapMaxMs),
    });
  }

  /** Gives up stock that has been held too long. Called about once a second. */
  sweepHolds(): void {
    const { dedupWindowMs, holdTtlMs, clock } = this.options;
    if (this.closed) return;
    void this.decider?.expire({
      entryId: newEntryId(this.options.runtime.randomBytes),
      cutoffMs: clock.ago(holdTtlMs),
      limit: EXPIRE_ORDERS,
      dedupWindowMs,
    });
  }

  /**
   * Decides orders that waited for a rate. Called about once a second, and when rates have come.
   */
  sweepRates(): void {
    const { runtime, dedupWindowMs, rateWaitMs, clock, askRates } = this.options;
    if (this.closed) return;
    const cutoffMs = clock.ago(rateWaitMs);
    void this.decider?.reprice(
      { entryId: newEntryId(runtime.randomBytes), cutoffMs, limit: REPRICE_ORDERS, dedupWindowMs },
      askRates,
    );
  }

  /**
   * First step of letting go: no new messages; what is in hand is decided, recorded and
   * acknowledged.
   */
  async quiet(): Promise<void> {
    await Promise.all(this.subscriptions.map((s) => s.quiet()));
    await this.decider?.idle();
  }

  /** Second step: closes the channels and forgets what is in hand. */
  async close(): Promise<void> {
    this.closed = true;
    this.decider?.stop();
    await Promise.all(this.subscriptions.splice(0).map((s) => s.close()));
  }

  /** Records what was decided before and never recorded, by whoever owned the shard then. */
  private async catchUp(): Promise<OwnerStop | undefined> {
    const { store, recorder, shard } = this.options;
    while (!this.closed) {
      const entries = await store.outbox(shard, this.last.n, CATCH_UP);
      if (entries.length === 0) return undefined;
      const results = await Promise.all(entries.map((entry) => recorder.record(entry, this.epoch)));
      for (let i = 0; i < entries.length; i++) {
        if (results[i] === "recorded") this.recorded(at(entries, i));
        else if (results[i] === "unreadable") this.unreadable(at(entries, i));
        else return results[i] === "fenced" ? "fenced" : "lost";
      }
    }
    return undefined;
  }

  private makeDecider(claim: Claim): Decider {
    const { store, recorder, relay, ledger, dedupWindowMs, governing, counts, now, spans } =
      this.options;
    return new Decider({
      runtime: this.options.runtime,
      clock: this.options.clock,
      spans,
      governing,
      counts,
      now,
      claim,
      store,
      recorder,
      dedupWindowMs,
      lastId: this.last.id,
      lookUp: (orders) => ledger.states(claim.shard, orders),
      onRecorded: (entry) => this.recorded(entry),
      onUnreadable: (entry) => this.unreadable(entry),
      tell: (work, outcomes) => relay.tell(work.region, work.gateway, work.batch, outcomes),
      tellReleased: (released) => relay.tellReleased(released),
      onStop: (reason, detail) => this.options.onStop(this, reason, detail),
    });
  }

  private recorded(entry: Entry): void {
    const pairs = new Set(
      entry.steps.flatMap((step) => (step[0] === "rate_wait" ? [step[3]] : [])),
    );
    if (pairs.size > 0) this.options.askRates([...pairs]);
    this.last = { id: entry.id, n: entry.n };
    this.tellRecorded();
    if (hasFollowUps(entry)) void this.options.relay.followUps(entry.shard);
  }

  /**
   * Redis holds something that cannot be read: nothing is lost, and the shard goes on behind it.
   */
  private unreadable({ shard, n, id }: Entry): void {
    this.options.counts.unreadable++;
    this.options.log("entry unreadable", { shard, n, id, letter: ORDERS_DEAD });
    this.last = { id, n };
    this.tellRecorded();
    void this.options.relay.followUps(shard);
  }

  /** If the call is lost, the next one, or the next check, says as much. */
  private tellRecorded(): void {
    const { id, n } = this.last;
    void ignore(this.options.store.recorded(this.claim as Claim, id, n), "recorded_mark");
  }

  private async consume(link: RegionLink): Promise<void> {
    const { consuming } = link;
    const subscription = new Subscription(consuming, {
      queue: ordersQueue(this.shard),
      prefetch: this.options.prefetch ?? PREFETCH,
      handler: (delivery, settle) => this.accept(consuming.region, delivery, settle),
      dead: { publisher: link.publisher, queue: ORDERS_DEAD },
      // What was in hand will come again: known in Redis or the ledger by then, or decided then.
      onLost: () => {
        this.decider?.dropFrom(consuming.region);
        this.progress.lost(consuming.region);
      },
    });
    this.subscriptions.push(subscription);
    const started = ignore(subscription.start(), "subscription_open");
    if (consuming.up) await started;
  }

  private accept(
    region: string,
    delivery: Delivery,
    settle: (disposition: Disposition) => void,
  ): void {
    const { publishers, now } = this.options;
    const message = readDelivery(delivery, this.shard, publishers, now());
    if (typeof message === "string") {
      settle({ kind: "dead", reason: message });
      return;
    }
    const { acceptedAtMs } = message;
    this.progress.came(region, acceptedAtMs);
    const work: Work = {
      ...message,
      region,
      done: (disposition) => {
        this.progress.went(region, acceptedAtMs);
        if (acceptedAtMs > 0) this.gaps.read(region, acceptedAtMs);
        settle(disposition);
      },
    };
    this.decider?.accept(work);
  }

  /**
   * A queue seen empty has been read up to the moment of looking, once what is in hand has been
   * decided.
   */
  private async lookAtQueues(): Promise<void> {
    // With something in hand only the reports want to know, and they need not know at once.
    if (this.load > 0 && this.looks++ % LOOK_EVERY !== 0) return;
    this.parked = (await this.options.store.parked(this.shard)).orders;
    for (let i = 0; i < this.options.regions.length; i++) {
      const { consuming } = at(this.options.regions, i);
      if (!consuming.up || !this.subscriptions[i]?.consuming) continue;
      const lookedAtMs = this.options.now();
      const seen = await ignore(depth(consuming, ordersQueue(this.shard)), "queue_depth");
      if (seen) this.progress.ready(consuming.region, seen.ready, lookedAtMs);
      if (seen?.ready === 0 && this.load === 0) this.gaps.read(consuming.region, lookedAtMs);
    }
  }
}

const ASKING: ReadonlySet<string> = new Set(["start", "paid", "payment_failed", "refund"]);
const ASKING_WORDS = ["reserved", "+reserved", "rejected", "+late"];

/**
 * Whether an entry may have left follow-ups in the ledger (ledger/sheet.ts, ledger/steps.ts):
 * charges, refunds, dead letters, parts.
 */
function hasFollowUps({ messages, released, steps }: Entry): boolean {
  if (steps.some(([what]) => ASKING.has(what))) return true;
  if (released.some(([, , state]) => state === "reserved")) return true;
  return messages.some(({ outcomes }) => ASKING_WORDS.some((word) => hasWord(outcomes, word)));
}
