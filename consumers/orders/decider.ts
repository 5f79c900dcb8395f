// ③ decide: decides one shard's messages in order of arrival. While Redis decides a batch, the next
// one fills. A batch may be decided while the one before is being recorded. Under load small
// batches wait for their turn (core/runtime/pacer.ts).
//
// 1. One call to Redis at a time: a batch or a sweep.
// 2. Redis decides only behind the last entry handed over, and its entries follow each other. If
//    not, the decider stops.
// 3. Messages are acknowledged and outcomes published in the order of the decisions, once the
//    ledger has everything decided up to them.
// 4. Few entries are decided but not recorded.
// 5. After it has stopped, it settles nothing more.
// 6. A batch that waits for its turn stops waiting when there is enough.
import { at } from "../../core/domain/at.ts";
import type { Entry, EntryId } from "../../core/domain/entry.ts";
import { newEntryId } from "../../core/domain/entry-id.ts";
import { messageOf } from "../../core/domain/message-of.ts";
import { tallyOf } from "../../core/domain/words.ts";
import { StoreUnavailable } from "../../core/stores/redis.ts";
import type {
  Decision,
  Refusal,
  ShardMessage,
  SweepOptions,
} from "../../core/stores/shard-store.ts";
import type { RecordResult } from "../../ledger/contract.ts";
import { isEnough, isSuspect, takeBatch } from "./batches.ts";
import type { DeciderOptions, StopReason } from "./decider-options.ts";
import { recordDecisions } from "./decision-spans.ts";
import { laterStates } from "./later-states.ts";
import { PAST, settlePast } from "./past.ts";
import { refusalOf } from "./refusal.ts";
import { decideApart } from "./set-apart.ts";
import { type SweepCall, type SweepKind, Sweeps } from "./sweeps.ts";
import { type Deciding, type OrderName, type Verdict, verdictOf, type Work } from "./work.ts";

/** A paused decider checks this often whether it may resume. */
const PAUSE_LOOK_MS = 100;
/**
 * Entries decided but not recorded: enough to hide a commit, few enough that little must be decided
 * again if Redis is lost.
 */
const MAX_UNRECORDED = 4;
/** How long to sift every batch after Redis rejected one. Sifting costs 2 µs per order. */
const WARY_MS = 1_000;
/** An id this close to the end of the dedup window may be past it by the time Redis decides. */
const WINDOW_MARGIN_MS = 3_600_000;

/** `unreadable`: its text is a dead letter, and its outcomes are not published. */
type Settled = "recorded" | "unreadable" | "stopped";

export class Decider implements Deciding {
  private queue: Work[] = [];
  private deciding = false;
  private stopped = false;
  private unrecorded = 0;
  /** The governor has paused this worker. */
  private held = false;
  private readonly sweeps = new Sweeps();
  /** Whether the last turn was a sweep. */
  private swept = false;
  /** Settles once everything decided so far is recorded, or the decider has stopped. */
  private tail: Promise<Settled> = Promise.resolve("recorded");
  private wake: (() => void) | undefined;
  /** Ends the wait for a turn; undefined: it does not wait. */
  private turnCame: (() => void) | undefined;
  /** Until this monotonic time every batch is sifted first, because garbage rarely comes alone. */
  private waryUntilMs = 0;
  /** The last entry handed to the recorder. What Redis decides next must follow it. */
  private handed: EntryId;

  constructor(private readonly options: DeciderOptions) {
    this.handed = options.mark.last.id;
  }

  accept(work: Work): void {
    if (this.stopped) return;
    this.queue.push(work);
    if (!this.deciding)
      void this.run(); // 1
    else if (this.turnCame && this.isEnough) this.options.pacer.hurry(this.turnCame); // 6
  }

  /** Messages and entries in flight. */
  get load(): number {
    return this.queue.length + this.unrecorded;
  }

  /** Settles once nothing is in flight, or the decider has stopped. */
  async idle(): Promise<void> {
    while (!this.stopped && ((this.deciding && !this.held) || this.unrecorded > 0))
      await this.tail.then(() => this.options.runtime.sleep(1));
  }

  /**
   * Drops everything at once. Messages in flight stay unacknowledged, so closing their channel
   * sends them to the next owner.
   */
  stop(): void {
    this.stopped = true;
    this.queue = [];
    this.sweeps.clear();
    this.wake?.();
  }

  /**
   * Decides messages and hands the entry to the recorder. For run() and the detours (set-apart.ts,
   * past.ts). undefined: stopped. Throws if Redis rejects a row or cannot be reached.
   */
  async decideOnce(
    messages: readonly ShardMessage[],
    force?: "rejected" | "stale",
  ): Promise<Decision | undefined> {
    const { claim, stores, dedupWindowMs, governing, counts } = this.options;
    const ended = governing.redis.begin();
    const came = stores.recorder.expect();
    const reply = await stores.store
      .decide(claim, messages, {
        entryId: newEntryId(this.options.runtime.randomBytes),
        dedupWindowMs,
        force,
        clock: this.options.clock.bounds(),
        tip: this.handed, // 2
      })
      .finally(() => {
        counts.decide.observe(ended() / 1_000);
        came();
      });
    return this.taken(reply) ? (reply as Decision) : undefined;
  }

  lookUp(orders: readonly OrderName[]): Promise<ReadonlyMap<string, string>> {
    return this.options.stores.lookUp(orders);
  }

  async recorded(): Promise<boolean> {
    return (await this.tail) !== "stopped";
  }

  /** Gives up gaps that have lasted too long. */
  unpark(options: SweepOptions): Promise<void> {
    return this.sweep("unpark", () =>
      this.options.stores.store.unpark(this.options.claim, this.clocked(options)),
    );
  }

  /** Gives up reserved orders whose charge has not started in time. */
  expire(options: SweepOptions): Promise<void> {
    return this.sweep("expire", () =>
      this.options.stores.store.expire(this.options.claim, this.clocked(options)),
    );
  }

  /** Decides orders that waited for a rate. */
  reprice(options: SweepOptions, onPairs: (pairs: readonly string[]) => void): Promise<void> {
    return this.sweep("reprice", async () => {
      const reply = await this.options.stores.store.reprice(
        this.options.claim,
        this.clocked(options),
      );
      if (reply.word === "decided" && reply.pairs.length > 0) onPairs(reply.pairs);
      return reply;
    });
  }

  private clocked(options: SweepOptions): SweepOptions {
    return { ...options, clock: this.options.clock.bounds(), tip: this.handed };
  }

  /** Asks for a call between two batches. Also settles, without a call, on a pause or a stop. */
  private sweep(kind: SweepKind, call: SweepCall): Promise<void> {
    if (this.stopped || this.options.governing.paused) return Promise.resolve();
    const made = this.sweeps.ask(kind, call);
    if (!this.deciding) void this.run();
    return made;
  }

  /** A region's channel is gone. Its messages will be redelivered. */
  dropFrom(region: string): void {
    this.queue = this.queue.filter((work) => work.region !== region);
  }

  private async run(): Promise<void> {
    this.deciding = true;
    try {
      while ((this.queue.length > 0 || this.sweeps.due) && !this.stopped) {
        if (this.unrecorded >= MAX_UNRECORDED)
          await new Promise<void>((resolve) => (this.wake = resolve)); // 4
        else if (this.options.governing.paused) await this.hold();
        else await this.turn();
      }
    } catch (error) {
      this.fail(
        error instanceof StoreUnavailable ? "store_unavailable" : "broken",
        messageOf(error),
      );
    }
    this.deciding = false;
  }

  /** A batch or a sweep. They alternate, so neither waits longer than one turn of the other. */
  private async turn(): Promise<void> {
    this.swept = this.sweeps.due && !(this.swept && this.queue.length > 0);
    if (!this.swept) {
      await this.ownTurn();
      // Meanwhile it may have stopped or been paused, or a region's messages were dropped.
      if (this.stopped || this.options.governing.paused || this.queue.length === 0) return;
      return this.paced();
    }
    await this.sweeps.make((reply) => {
      if (!this.stopped) this.taken(reply);
    });
  }

  private get isEnough(): boolean {
    return isEnough(this.queue, this.options.governing.batchShare);
  }

  private async ownTurn(): Promise<void> {
    const { pacer } = this.options;
    await new Promise<void>((resolve) => {
      this.turnCame = resolve;
      if (this.isEnough) pacer.hurry(resolve);
      else pacer.enter(resolve);
    });
    this.turnCame = undefined;
  }

  private async hold(): Promise<void> {
    this.sweeps.clear();
    this.held = true;
    await this.options.runtime.sleep(PAUSE_LOOK_MS);
    this.held = false;
  }

  private async paced(): Promise<void> {
    const { runtime, governing } = this.options;
    const startedMs = runtime.monotonicMs();
    const orders = await this.step();
    const restMs = governing.restMs(runtime.monotonicMs() - startedMs, orders);
    if (restMs >= 1 && !this.stopped) await runtime.sleep(restMs);
  }

  /** Decides a batch. Returns how many rows it had. */
  private async step(): Promise<number> {
    const batch = takeBatch(this.queue, this.options.governing.batchShare);
    const startMs = this.options.clock.now();
    this.options.pacer.started();
    const verdicts = await this.decideBatch(batch);
    if (verdicts === undefined) return 0;
    const orders = verdicts.reduce((sum, { words }) => sum + words.length, 0);
    this.options.counts.batch.observe(orders);
    this.options.pacer.carried(orders);
    const late: number[] = [];
    for (let i = 0; i < batch.length; i++) {
      const verdict = at(verdicts, i);
      if (verdict.words.includes(PAST)) late.push(i);
      else this.finish(at(batch, i), verdict, startMs);
    }
    if (late.length > 0) await this.settleLate(late, batch, verdicts, startMs);
    return orders;
  }

  private async settleLate(
    late: readonly number[],
    batch: readonly Work[],
    verdicts: readonly Verdict[],
    startMs: number,
  ): Promise<void> {
    const works = late.map((i) => at(batch, i));
    const settled = await settlePast(
      this,
      works,
      late.map((i) => at(verdicts, i)),
    );
    for (const [i, verdict] of settled?.entries() ?? [])
      this.finish(at(works, i), verdict, startMs);
  }

  /** One call, unless something in the batch must be set apart. undefined: stopped. */
  private async decideBatch(batch: readonly Work[]): Promise<Verdict[] | undefined> {
    const wary = this.options.runtime.monotonicMs() < this.waryUntilMs;
    if (!wary && !batch.some(isSuspect)) {
      try {
        const decision = await this.decideOnce(batch);
        return decision?.outcomes.map(verdictOf);
      } catch (error) {
        if (error instanceof StoreUnavailable) throw error;
        this.waryUntilMs = this.options.runtime.monotonicMs() + WARY_MS;
      }
    }
    const { clock, dedupWindowMs } = this.options;
    const rememberedSinceMs = clock.now() - dedupWindowMs + WINDOW_MARGIN_MS;
    return decideApart({ decider: this, rememberedSinceMs }, batch);
  }

  /** Acknowledges and publishes once the ledger has everything decided so far. */
  private finish(work: Work, verdict: Verdict, startMs: number): void {
    const { outcomes, words, dead } = verdict;
    // Nothing in it was decided, so it need not wait. The messages behind it are acknowledged only
    // once its copy is confirmed.
    if (dead !== undefined && words.every((word) => word === "")) {
      work.done({ kind: "dead", reason: dead });
      return;
    }
    void this.tail.then((recorded) => {
      if (recorded === "stopped" || this.stopped) return; // 3, 5
      work.done(dead === undefined ? "ack" : { kind: "dead", reason: dead });
      if (outcomes === "" || recorded === "unreadable") return;
      const { spans, claim, clock, on } = this.options;
      on.decided(work, outcomes);
      if (spans) recordDecisions(spans, work, words, claim.shard, startMs, clock.now());
      if (work.acceptedAtMs === 0) return;
      this.options.counts.recorded.observe(
        Math.max(0, clock.now() - work.acceptedAtMs) / 1_000,
        words.length,
      );
    });
  }

  /**
   * Checks Redis's answer and records its entry. Stops the decider and returns false if Redis
   * refused, or if the answer does not follow the last entry handed over. That holds for answers
   * without an entry too, because they rest on Redis's records.
   */
  private taken(reply: Decision | { word: Refusal }): boolean {
    if (reply.word !== "decided") this.fail(reply.word, "refused by Redis");
    else if (reply.prev !== this.handed)
      this.fail("lost", `Redis is at entry ${reply.prev}, not at ${this.handed}`); // 2
    else if (reply.entry) this.record(reply.entry);
    return !this.stopped;
  }

  private record(entry: Entry): void {
    this.handed = entry.id;
    this.unrecorded++;
    const before = this.tail; // 3
    const ended = this.options.governing.outbox.begin();
    const result = this.options.stores.recorder.record(entry, this.options.claim.epoch);
    this.tail = Promise.all([before, result]).then(([earlier, word]) => {
      ended();
      return earlier === "stopped" ? earlier : this.settle(entry, word);
    });
  }

  private settle(entry: Entry, result: RecordResult): Settled {
    this.unrecorded--;
    if (this.stopped) return "stopped"; // 5
    this.wake?.();
    if (result === "unreadable") {
      this.options.on.unreadable(entry);
      return result;
    }
    if (result === "recorded") {
      const words = tallyOf(entry.messages);
      this.options.counts.entry(entry, words);
      this.options.on.recorded(entry, words);
      const changes = laterStates(entry);
      if (changes.length > 0) this.options.on.changed(changes);
      return result;
    }
    this.fail(
      refusalOf(result, entry, this.options.mark.last.id),
      `the ledger answered ${result} for entry ${entry.n} of shard ${entry.shard}`,
    );
    return "stopped";
  }

  private fail(reason: StopReason, detail: string): void {
    if (this.stopped) return;
    this.stop();
    this.options.on.stopped(reason, detail);
  }
}
