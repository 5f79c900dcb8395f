// ③ decide: one shard's messages, in the order they came, batch after batch. While a batch is with
// Redis the next one fills, and the next may be decided while the last is being recorded.
//
// 1. One call to Redis at a time: a batch or a sweep.
// 2. Redis's entries follow each other; one that does not follow what was handed over stops the
//    decider.
// 3. Messages are acknowledged and outcomes told in the order of decisions, once the ledger has all
//    that was decided up to them.
// 4. Few entries are decided and not yet recorded.
// 5. Stopped, it settles nothing more.

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
import { isSuspect, takeBatch } from "./batches.ts";
import type { DeciderOptions, StopReason } from "./decider-options.ts";
import { recordDecisions } from "./decision-spans.ts";
import { laterStates } from "./later-states.ts";
import { PAST, settlePast } from "./past.ts";
import { decideApart } from "./set-apart.ts";
import { type SweepCall, type SweepKind, Sweeps } from "./sweeps.ts";
import { type Deciding, type OrderName, type Verdict, verdictOf, type Work } from "./work.ts";

/** A paused decider checks this often whether it may resume. */
const PAUSE_LOOK_MS = 100;
/**
 * Entries decided but not yet recorded: enough to hide a commit, few enough that a lost Redis has
 * little to decide again.
 */
const MAX_UNRECORDED = 4;
/** A refused batch costs Redis what it decoded of it; sifting costs the worker 2 µs an order. */
const WARY_MS = 1_000;
/** An order whose id is this near the end of the window may be past when Redis looks at it. */
const WINDOW_MARGIN_MS = 3_600_000;

/**
 * `unreadable`: its text is in the ledger and in the dead letters; nobody is told what Redis made
 * of it.
 */
type Settled = "recorded" | "unreadable" | "stopped";

export class Decider implements Deciding {
  private queue: Work[] = [];
  private deciding = false;
  private stopped = false;
  private unrecorded = 0;
  /** Waits at the gate: the governor has paused this worker. */
  private held = false;
  private readonly sweeps = new Sweeps();
  /** The last turn was a sweep's. */
  private swept = false;
  /** Settles when everything decided so far has been recorded or the decider has stopped. */
  private tail: Promise<Settled> = Promise.resolve("recorded");
  private wake: (() => void) | undefined;

  /**
   * Until then, monotonic, batches are sifted before Redis sees them: garbage seldom comes alone.
   */
  private waryUntilMs = 0;
  /** The last entry given to the recorder: what Redis decides next must follow it. */
  private handed: EntryId;

  constructor(private readonly options: DeciderOptions) {
    this.handed = options.lastId;
  }

  accept(work: Work): void {
    if (this.stopped) return;
    this.queue.push(work);
    if (!this.deciding) void this.run(); // 1
  }

  /** Messages and entries in hand. */
  get load(): number {
    return this.queue.length + this.unrecorded;
  }

  /** Settles once nothing is in hand, or the decider has stopped. */
  async idle(): Promise<void> {
    while (!this.stopped && ((this.deciding && !this.held) || this.unrecorded > 0))
      await this.tail.then(() => this.options.runtime.sleep(1));
  }

  /**
   * Drops everything at once. Messages in flight stay unacknowledged: closing their channel
   * sends them to the next owner.
   */
  stop(): void {
    this.stopped = true;
    this.queue = [];
    this.sweeps.clear();
    this.wake?.();
  }

  /**
   * Decides one list of messages and has the entry recorded. undefined: stopped. For run() and for
   * the detours (set-apart, past). Throws what Redis says against it.
   */
  async decideOnce(
    messages: readonly ShardMessage[],
    force?: "rejected" | "stale",
  ): Promise<Decision | undefined> {
    const { claim, stores, dedupWindowMs, governing, counts } = this.options;
    const ended = governing.redis.begin();
    const reply = await stores.store
      .decide(claim, messages, {
        entryId: newEntryId(this.options.runtime.randomBytes),
        dedupWindowMs,
        force,
        clock: this.options.clock.bounds(),
      })
      .finally(() => {
        counts.decide.observe(ended() / 1_000);
      });
    return this.taken(reply) ? (reply as Decision) : undefined;
  }

  lookUp(orders: readonly OrderName[]): Promise<ReadonlyMap<string, string>> {
    return this.options.stores.lookUp(orders);
  }

  async recorded(): Promise<boolean> {
    return (await this.tail) !== "stopped";
  }

  /** Gives up parked orders whose gap is over. */
  unpark(options: SweepOptions): Promise<void> {
    return this.sweep("unpark", () =>
      this.options.stores.store.unpark(this.options.claim, this.clocked(options)),
    );
  }

  /** Gives up reserved orders whose charge never started. */
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
    return { ...options, clock: this.options.clock.bounds() };
  }

  /**
   * A call between two batches; its entry takes its place among the others. Settles undone when the
   * decider pauses or stops.
   */
  private sweep(kind: SweepKind, call: SweepCall): Promise<void> {
    if (this.stopped || this.options.governing.paused) return Promise.resolve();
    const made = this.sweeps.ask(kind, call);
    if (!this.deciding) void this.run();
    return made;
  }

  /** A region's channel is gone: its messages will come again. */
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

  /**
   * A batch, or a sweep that is due: they alternate, so that neither keeps the other waiting for
   * longer than one turn.
   */
  private async turn(): Promise<void> {
    this.swept = this.sweeps.due && !(this.swept && this.queue.length > 0);
    if (!this.swept) return this.paced();
    await this.sweeps.make((reply) => {
      if (!this.stopped) this.taken(reply);
    });
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

  /** Returns how many rows were decided. */
  private async step(): Promise<number> {
    const batch = takeBatch(this.queue, this.options.governing.batchShare);
    const startMs = this.options.clock.now();
    const verdicts = await this.decideBatch(batch);
    if (verdicts === undefined) return 0;
    const orders = verdicts.reduce((sum, { words }) => sum + words.length, 0);
    this.options.counts.batch.observe(orders);
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

  /** In one call, unless something in the batch has to be set apart. undefined: stopped. */
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

  /** Acknowledges and tells once the ledger has all that was decided up to now. */
  private finish(work: Work, verdict: Verdict, startMs: number): void {
    const { outcomes, words, dead } = verdict;
    // Nothing of it was decided, so it need not wait: those behind it are acknowledged only when
    // its copy is confirmed.
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
   * Has what Redis answered recorded. False: it refused, or its answer does not follow what it
   * decided before, and the decider stops. An answer without an entry rests on records alone: it
   * may rest only on those whose entries were handed over.
   */
  private taken(reply: Decision | { word: Refusal }): boolean {
    if (reply.word !== "decided") this.fail(reply.word, "refused by Redis");
    else if (reply.prev !== this.handed)
      this.fail("lost", `Redis stands at entry ${reply.prev}, not at ${this.handed}`); // 2
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
      if (changes.length > 0) this.options.on.released(changes);
      return result;
    }
    this.fail(
      result === "fenced" ? "fenced" : "lost",
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
