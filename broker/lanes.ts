// Publishes batches of rows to shards and waits for confirms, for gateways, payment workers and
// services.
//
//   room ─▶ filling ─▶ full … ─▶ in flight ─▶ settled
//
//  1. Each shard has one lane: one batch is in flight while the next one fills. So batches grow
//     with the load, and no row overtakes an earlier one in its lane.
//  2. A batch is settled as a whole before the next one is sent.
//  3. Waiting rows are bounded.
//  4. Batch numbers start with a prefix of the process, so an answer to an earlier process is not
//     taken for one to this process.
//
// The first row of an idle lane waits until the end of the event-loop turn, so rows that arrived in
// one read share a message. After a confirm a small batch waits a little for more rows, and longer
// while orders have to wait anyway.
import type { Runtime } from "../core/runtime/runtime.ts";
import type { PublishOutcome } from "./publisher.ts";

/** `shed`: no effect. `unconfirmed`: unknown, and sending the same again is safe. */
export type Verdict = "confirmed" | "shed" | "unconfirmed";

/** Rows on their way to one shard, as one message. */
export interface LaneBatch {
  readonly size: number;
  /** Characters of its rows, by the estimates given to room() and added(). */
  readonly length: number;
  readonly number: string;
  /** When it was sent to the broker, monotonic ms. */
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
   * The least time a small batch waits for more rows, ms. 0: no wait in an idle lane, NEXT_MS after
   * a confirm.
   */
  readonly lingerMs?: () => number;
  readonly publish: (shard: number, body: Buffer, batch: string) => Promise<PublishOutcome>;
  /** Precedes each batch's number; unique to the process (4). */
  readonly numberPrefix: string;
  /** Called before a batch is published: its outcomes may arrive before the confirm. */
  readonly onSending: (batch: B) => void;
  /** Called after its recipients have been notified. */
  readonly onSettled: (batch: B, verdict: Verdict) => void;
}

interface Lane<B> {
  readonly shard: number;
  filling: B;
  /**
   * Full batches waiting to be sent. There are some only if a round trip to the broker takes longer
   * than filling a batch.
   */
  readonly full: B[];
  busy: boolean;
}

/**
 * After a confirm, a small batch waits this long for more rows, ms: fewer rows per message cost
 * more each. At 20,000 orders/s it cut the wait from about 500 to 150 ms
 * (docs/decisions/0010-admission.md). An idle lane does not wait.
 */
const NEXT_MS = 5;
/** A batch with this many rows is sent at once: the share of the message's cost per row is tiny. */
const ENOUGH = 100;

export class BatchLanes<B extends LaneBatch> {
  private readonly lanes: Lane<B>[];
  private scheduled: Lane<B>[] = [];
  private batches = 0;
  /** Characters of unsettled rows, by the estimates given to added(). */
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
   * The batch for the next row of this length; undefined: too much is waiting (3). `length` is an
   * estimate in characters, made before the row is written, and the same as for added().
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

  /** Call after adding the row to the batch that room() returned. */
  protected added(shard: number, length: number): void {
    this.waitingBytes += length;
    const lane = this.lanes[shard] as Lane<B>;
    if (!lane.busy) this.schedule(lane); // 1
  }

  /** Resolves when nothing waits and nothing is in flight. */
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
    batch.settle(verdict); // 2
    this.options.onSettled(batch, verdict);
    // Even an empty lane waits: clients that were just answered send again in a moment.
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
    // A queue that refuses a message may have passed it to some replicas, so the outcome is
    // unknown.
    case "nacked":
    case "returned":
    case "unknown":
      return "unconfirmed";
  }
}
