// ③ decide: one shard's messages, in the order they came, batch after batch: one FCALL decides, the recorder commits, and only then
// are the messages acknowledged and the outcomes told. While a batch is with Redis the next one fills.
//
// The next batch may be decided while the last is being recorded; the ledger takes them in their order, so acknowledgements follow it.
import type { DecidingClock } from "../core/clock.ts";
import { type Entry, isOrderStep } from "../core/domain/entry.ts";
import { tracedOrders } from "../core/domain/trace.ts";
import { newEntryId } from "../core/entry-id.ts";
import { StoreUnavailable } from "../core/redis.ts";
import type {
  Claim,
  Decision,
  Refusal,
  ShardMessage,
  ShardStore,
  SweepOptions,
} from "../core/shard-store.ts";
import type { SpanRecorder } from "../core/spans.ts";
import type { RecordResult } from "../ledger/contract.ts";
import { type Counts, wordsIn } from "./counts.ts";
import type { Governing } from "./governor/governing.ts";
import { settlePast } from "./past.ts";
import { decideAlone } from "./poison.ts";
import type { Recorder } from "./recorder.ts";
import { type SweepCall, type SweepKind, Sweeps } from "./sweeps.ts";
import type { Deciding, Work } from "./work.ts";

/** Bytes in one FCALL: about 600 orders, some 4 ms of Redis. More would make the other shards wait, less would waste the call. */
const MAX_BATCH_BYTES = 128 * 1024;
const MAX_BATCH_MESSAGES = 64;
/** A paused decider looks so often whether it may go on. */
const PAUSE_LOOK_MS = 100;
/** Entries decided but not yet recorded: enough to hide a commit, few enough that a lost Redis has little to decide again. */
const MAX_UNRECORDED = 4;
/** A message that has come this often before is decided order by order: one of them may be what breaks the batch. */
const POISON_DELIVERIES = 2;

/** Why a decider stopped by itself. `lost`: Redis has forgotten something the ledger knows, or contradicts it. */
export type StopReason = Refusal | "lost" | "store_unavailable" | "broken";

export interface DeciderOptions {
  readonly claim: Claim;
  readonly store: ShardStore;
  readonly recorder: Recorder;
  readonly dedupWindowMs: number;
  readonly governing: Governing;
  readonly counts: Counts;
  readonly clock: Pick<DecidingClock, "bounds">;
  /** Redis's clock. */
  readonly now: () => number;
  /** The order's state if the ledger has it. */
  readonly lookUp: (user: string, id: string) => Promise<string | undefined>;
  readonly onRecorded: (entry: Entry) => void;
  readonly tell: (work: Work, outcomes: string) => void;
  /** Told of what was decided of orders that name a trace. */
  readonly spans?: SpanRecorder | undefined;
  readonly tellReleased: (
    released: readonly (readonly [gateway: string, user: string, id: string, state: string])[],
  ) => void;
  readonly onStop: (reason: StopReason, detail: string) => void;
}

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
  /** Settles when everything decided so far has been recorded (true) or the decider has stopped (false). */
  private tail: Promise<boolean> = Promise.resolve(true);
  private wake: (() => void) | undefined;

  constructor(private readonly options: DeciderOptions) {}

  accept(work: Work): void {
    if (this.stopped) return;
    this.queue.push(work);
    if (!this.deciding) void this.run();
  }

  /** Messages and entries in hand. */
  get load(): number {
    return this.queue.length + this.unrecorded;
  }

  /** Settles once nothing is in hand, or the decider has stopped. */
  async idle(): Promise<void> {
    while (!this.stopped && ((this.deciding && !this.held) || this.unrecorded > 0))
      await this.tail.then(() => Bun.sleep(1));
  }

  /** Lets go of everything at once. Messages in hand stay unacknowledged: closing their channel sends them to the next owner. */
  stop(): void {
    this.stopped = true;
    this.queue = [];
    this.sweeps.clear();
    this.wake?.();
  }

  /** Decides one list of messages and has the entry recorded. undefined: stopped. For run() and for the detours (poison, past). */
  async decideOnce(
    messages: readonly ShardMessage[],
    force?: "rejected" | "stale",
  ): Promise<Decision | undefined> {
    const { claim, store, dedupWindowMs, governing, counts } = this.options;
    const ended = governing.redis.begin();
    const reply = await store
      .decide(claim, messages, {
        entryId: newEntryId(),
        dedupWindowMs,
        force,
        clock: this.options.clock.bounds(),
      })
      .finally(() => {
        counts.decide.observe(ended() / 1_000);
      });
    if (reply.word !== "decided") {
      this.fail(reply.word, "refused by Redis");
      return undefined;
    }
    if (reply.entry) this.record(reply.entry);
    return reply;
  }

  lookUp(user: string, id: string): Promise<string | undefined> {
    return this.options.lookUp(user, id);
  }

  tell(work: Work, outcomes: string): void {
    this.options.tell(work, outcomes);
  }

  recorded(): Promise<boolean> {
    return this.tail;
  }

  /** Gives up parked orders whose gap is over. */
  unpark(options: SweepOptions): Promise<void> {
    return this.sweep("unpark", () =>
      this.options.store.unpark(this.options.claim, this.clocked(options)),
    );
  }

  /** Gives up reserved orders whose charge never started. */
  expire(options: SweepOptions): Promise<void> {
    return this.sweep("expire", () =>
      this.options.store.expire(this.options.claim, this.clocked(options)),
    );
  }

  /** Decides orders that waited for a rate. */
  reprice(options: SweepOptions, onPairs: (pairs: readonly string[]) => void): Promise<void> {
    return this.sweep("reprice", async () => {
      const reply = await this.options.store.reprice(this.options.claim, this.clocked(options));
      if (reply.word === "decided" && reply.pairs.length > 0) onPairs(reply.pairs);
      return reply;
    });
  }

  private clocked(options: SweepOptions): SweepOptions {
    return { ...options, clock: this.options.clock.bounds() };
  }

  /** A call between two batches; its entry takes its place among the others. Settles undone when the decider pauses or stops. */
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
          await new Promise<void>((resolve) => (this.wake = resolve));
        else if (this.options.governing.paused) await this.hold();
        else await this.turn();
      }
    } catch (error) {
      this.fail(
        error instanceof StoreUnavailable ? "store_unavailable" : "broken",
        (error as Error).message,
      );
    }
    this.deciding = false;
  }

  /** A batch, or a sweep that is due: they alternate, so that neither keeps the other waiting for longer than one turn. */
  private async turn(): Promise<void> {
    this.swept = this.sweeps.due && !(this.swept && this.queue.length > 0);
    if (!this.swept) return this.paced();
    await this.sweeps.make((reply) => {
      if (this.stopped) return;
      if (reply.word !== "decided") this.fail(reply.word, "refused by Redis");
      else if (reply.entry) this.record(reply.entry);
    });
  }

  private async hold(): Promise<void> {
    this.sweeps.clear();
    this.held = true;
    await Bun.sleep(PAUSE_LOOK_MS);
    this.held = false;
  }

  private async paced(): Promise<void> {
    const startedMs = performance.now();
    const orders = await this.step();
    const restMs = this.options.governing.restMs(performance.now() - startedMs, orders);
    if (restMs >= 1 && !this.stopped) await Bun.sleep(restMs);
  }

  /** Returns how many rows were decided. */
  private async step(): Promise<number> {
    const first = this.queue[0] as Work;
    if (first.deliveries >= POISON_DELIVERIES) {
      this.queue.shift();
      await decideAlone(this, first);
      return 1;
    }
    const batch = this.takeBatch();
    const startMs = this.options.now();
    const decision = await this.tryTogether(batch);
    if (decision === undefined) return 0;
    const orders = decision.outcomes.reduce((sum, words) => sum + wordsIn(words), 0);
    this.options.counts.batch.observe(orders);
    for (let i = 0; i < batch.length; i++)
      this.finish(batch[i] as Work, decision.outcomes[i] as string, startMs);
    if (decision.outcomes.some((words) => words.includes("past")))
      await settlePast(this, batch, decision.outcomes);
    return orders;
  }

  /** A batch that fails as a whole is taken apart: one bad order must not hold up the others. */
  private async tryTogether(batch: readonly Work[]): Promise<Decision | undefined> {
    try {
      return await this.decideOnce(batch);
    } catch (error) {
      if (error instanceof StoreUnavailable) throw error;
      for (const work of batch) if (!this.stopped) await decideAlone(this, work);
      return undefined;
    }
  }

  /** Acknowledges and tells once the ledger has all that was decided up to now. Late orders are settled before: see past.ts. */
  private finish(work: Work, outcomes: string, startMs: number): void {
    if (outcomes.includes("past")) return;
    void this.tail.then((recorded) => {
      if (!recorded || this.stopped) return;
      work.done("ack");
      this.options.tell(work, outcomes);
      this.trace(work, outcomes, startMs);
      if (work.acceptedAtMs === 0) return;
      this.options.counts.recorded.observe(
        Math.max(0, this.options.now() - work.acceptedAtMs) / 1_000,
        wordsIn(outcomes),
      );
    });
  }

  private trace(work: Work, outcomes: string, startMs: number): void {
    const { spans, claim, now } = this.options;
    if (!spans) return;
    const words = outcomes.split(",");
    for (const { user, id, traceparent, at } of tracedOrders(work.body)) {
      const attributes = {
        "sluice.user": user,
        "sluice.order": id,
        "sluice.shard": claim.shard,
        "sluice.region": work.region,
        "sluice.outcome": words[at],
      };
      spans.record({
        name: "decide",
        traceparent,
        startMs,
        endMs: Math.max(startMs, now()),
        attributes,
      });
    }
  }

  private takeBatch(): Work[] {
    const most = MAX_BATCH_BYTES * this.options.governing.batchShare;
    let bytes = 0;
    let count = 0;
    for (const work of this.queue) {
      bytes += work.body.length;
      if (
        count > 0 &&
        (bytes > most || count === MAX_BATCH_MESSAGES || work.deliveries >= POISON_DELIVERIES)
      )
        break;
      count++;
    }
    return this.queue.splice(0, count);
  }

  private record(entry: Entry): void {
    this.unrecorded++;
    const before = this.tail;
    const ended = this.options.governing.outbox.begin();
    const result = this.options.recorder.record(entry, this.options.claim.epoch);
    this.tail = Promise.all([before, result]).then(([earlier, word]) => {
      ended();
      return earlier && this.settle(entry, word);
    });
  }

  private settle(entry: Entry, result: RecordResult): boolean {
    this.unrecorded--;
    if (this.stopped) return false;
    this.wake?.();
    if (result === "recorded") {
      this.options.counts.entry(entry);
      this.options.onRecorded(entry);
      const changes = laterStates(entry);
      if (changes.length > 0) this.options.tellReleased(changes);
      return true;
    }
    this.fail(
      result === "fenced" ? "fenced" : "lost",
      `the ledger answered ${result} for entry ${entry.n} of shard ${entry.shard}`,
    );
    return false;
  }

  private fail(reason: StopReason, detail: string): void {
    if (this.stopped) return;
    this.stop();
    this.options.onStop(reason, detail);
  }
}

/** New states of orders that were decided, or parked, before: those who took them in are told one by one. */
function laterStates({
  released,
  steps,
}: Entry): [gateway: string, user: string, id: string, state: string][] {
  const changes: [string, string, string, string][] = released.map(([gateway, row, state]) => [
    gateway,
    row[1],
    row[2],
    state,
  ]);
  for (const step of steps) {
    if (!isOrderStep(step) || !STATES_OF_STEPS.has(step[0])) continue;
    changes.push([step[5], step[1], step[2], step[0]]);
  }
  return changes;
}

const STATES_OF_STEPS: ReadonlySet<string> = new Set([
  "paid",
  "payment_failed",
  "cancelled",
  "expired",
  "dispatched",
]);
