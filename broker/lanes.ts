// Publish and wait, for all who send rows to shards: gateways, payment workers, services. One lane
// a shard: one batch with the broker, the next one filling meanwhile, so that batches grow by
// themselves with the load and no row overtakes an earlier one of its lane. A batch that is not
// confirmed is settled as a whole before the next one goes. What waits is bounded; numbers begin
// with a prefix of the process, so that an answer to an earlier process is not taken for one to
// this.
//
//   room ─▶ filling ─▶ full … ─▶ in flight ─▶ settled
//
// The first row of an idle lane waits for the end of the event-loop round: rows that came in with
// the same read share a message. Behind a confirm a batch of few rows waits a little for more, and
// longer where orders wait their turn for long anyway.
import type { Runtime } from "../core/runtime/runtime.ts";
import type { PublishOutcome } from "./publisher.ts";

/** `shed`: no effect. `unconfirmed`: unknown, sending the same again is safe. */
export type Verdict = "confirmed" | "shed" | "unconfirmed";

/** Rows on their way to one shard, as one message. */
export interface LaneBatch {
  readonly size: number;
  /** Characters of its rows, by the same estimates as room() and added() are told. */
  readonly length: number;
  readonly number: string;
  /** When it went to the broker, monotonic ms. */
  sentMs: number;
  body(): Buffer;
  settle(verdict: Verdict): void;
}

export interface LaneLimits {
  readonly batchOrders: number;
  readonly batchBytes: number;
  readonly waitingBytes: number;
}

export interface BatchLanesOptions<B extends LaneBatch> {
  readonly runtime: Runtime;
  readonly shards: number;
  readonly limits: LaneLimits;
  readonly newBatch: (shard: number, number: string) => B;
  /**
   * How long a batch of few rows waits for more in any case, ms; 0: an idle lane's not at all, one
   * behind a confirm's for a moment.
   */
  readonly lingerMs?: () => number;
  readonly publish: (shard: number, body: Buffer, batch: string) => Promise<PublishOutcome>;
  /** Goes before each batch's number: no two processes share one. */
  readonly numberPrefix: string;
  /** Before it is handed to the broker: its outcomes may come sooner than the confirm. */
  readonly onSending: (batch: B) => void;
  /** After its recipients have been told. */
  readonly onSettled: (batch: B, verdict: Verdict) => void;
}

interface Lane<B> {
  readonly shard: number;
  filling: B;
  /**
   * Filled to a bound, waiting for their turn; only when the broker is slower than one full batch a
   * round trip.
   */
  readonly full: B[];
  busy: boolean;
}

/**
 * Right behind a confirm a batch of few rows waits this long for more, ms: rows keep coming then,
 * and a message costs broker and worker the more the fewer rows share it. 20,000 orders/s over
 * WebSockets, on two cores that messages of few rows fill: decided after 104 and 189 ms (p50, two
 * runs) with it, after 489 and 520 without. An idle lane does not wait.
 */
const NEXT_MS = 5;
/** This many rows are enough to go at once: then a message costs next to nothing a row. */
const ENOUGH = 100;

export class BatchLanes<B extends LaneBatch> {
  private readonly lanes: Lane<B>[];
  private scheduled: Lane<B>[] = [];
  private batches = 0;
  /** Characters of rows not yet settled, an estimate: as added() was told. */
  waitingBytes = 0;
  private idleWaiters: (() => void)[] = [];
  private busyLanes = 0;

  constructor(private readonly options: BatchLanesOptions<B>) {
    this.lanes = Array.from({ length: options.shards }, (_, shard) => ({
      shard,
      filling: this.next(shard),
      full: [],
      busy: false,
    }));
  }

  /**
   * The batch that takes a row of this length next; undefined: too much is waiting. `length` is an
   * estimate in characters, made before the row is written, and the same for added().
   */
  protected room(shard: number, length: number): B | undefined {
    const { limits } = this.options;
    if (this.waitingBytes + length > limits.waitingBytes) return undefined;
    const lane = this.lanes[shard] as Lane<B>;
    let { filling } = lane;
    if (filling.size >= limits.batchOrders || filling.length + length > limits.batchBytes) {
      lane.full.push(filling);
      filling = lane.filling = this.next(shard);
    }
    return filling;
  }

  /** The row has been added to the batch that had room for it. */
  protected added(shard: number, length: number): void {
    this.waitingBytes += length;
    const lane = this.lanes[shard] as Lane<B>;
    if (!lane.busy) this.schedule(lane);
  }

  /** Settles when nothing waits and nothing is in flight. */
  async idle(): Promise<void> {
    while (this.busyLanes > 0) await new Promise<void>((resolve) => this.idleWaiters.push(resolve));
  }

  private schedule(lane: Lane<B>): void {
    lane.busy = true;
    this.busyLanes++;
    const lingerMs = this.options.lingerMs?.() ?? 0;
    if (lingerMs > 0) {
      this.options.runtime.startTimer(() => this.dispatch(lane), lingerMs);
      return;
    }
    if (this.scheduled.push(lane) > 1) return;
    this.options.runtime.nextTurn(() => {
      const lanes = this.scheduled;
      this.scheduled = [];
      for (const l of lanes) this.dispatch(l);
    });
  }

  private dispatch(lane: Lane<B>): void {
    let batch = lane.full.shift();
    if (!batch) {
      batch = lane.filling;
      if (batch.size === 0) {
        this.rest(lane);
        return;
      }
      lane.filling = this.next(lane.shard);
    }
    const sent = batch;
    const length = sent.length;
    sent.sentMs = this.options.runtime.monotonicMs();
    this.options.onSending(sent);
    this.options.publish(lane.shard, sent.body(), sent.number).then(
      (outcome) => this.settle(lane, sent, length, verdictOf(outcome)),
      () => this.settle(lane, sent, length, "unconfirmed"),
    );
  }

  private settle(lane: Lane<B>, batch: B, length: number, verdict: Verdict): void {
    this.waitingBytes -= length;
    batch.settle(verdict);
    this.options.onSettled(batch, verdict);
    // Nothing may wait yet: those who have just been answered send again in a moment.
    if (lane.full.length > 0 || lane.filling.size >= ENOUGH) this.dispatch(lane);
    else
      this.options.runtime.startTimer(
        () => this.dispatch(lane),
        Math.max(NEXT_MS, this.options.lingerMs?.() ?? 0),
      );
  }

  private rest(lane: Lane<B>): void {
    lane.busy = false;
    if (--this.busyLanes > 0) return;
    for (const resolve of this.idleWaiters.splice(0)) resolve();
  }

  private next(shard: number): B {
    return this.options.newBatch(
      shard,
      `${this.options.numberPrefix}${(this.batches++).toString(36)}`,
    );
  }
}

function verdictOf(outcome: PublishOutcome): Verdict {
  switch (outcome) {
    case "confirmed":
      return "confirmed";
    case "unsent":
      return "shed";
    // A queue that refuses may have passed the message on to some of its replicas: claim no more
    // than that it is not known.
    case "nacked":
    case "returned":
    case "unknown":
      return "unconfirmed";
  }
}
