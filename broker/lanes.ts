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
// one read share a message. Under load small batches leave at a pace, those of all lanes together
// (core/runtime/pacer.ts); one with enough rows leaves at once.
import { Pacer } from "../core/runtime/pacer.ts";
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
  /** The longest that a small batch waits for more rows, ms. */
  readonly paceMs: () => number;
  /** Rows per second from which on it waits that long; default FULL_FROM. */
  readonly fullFrom?: number;
  readonly publish: (shard: number, body: Buffer, batch: string, of: B) => Promise<PublishOutcome>;
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
  /** `paced`: a batch waits for its turn. `sent`: one is in flight (1). */
  state: "idle" | "paced" | "sent";
  /** Its turn has come. */
  readonly start: () => void;
}

/** A batch with this many rows is sent at once: the share of the message's cost per row is tiny. */
const ENOUGH = 100;
/** A gateway's clients notice a wait, so it is in proportion to the load for a long stretch. */
const FULL_FROM = 500;

export class BatchLanes<B extends LaneBatch> {
  private readonly lanes: Lane<B>[];
  private readonly pacer: Pacer;
  private batches = 0;
  /** Characters of unsettled rows, by the estimates given to added(). */
  waitingBytes = 0;
  private idleWaiters: (() => void)[] = [];
  private busyLanes = 0;

  constructor(private readonly options: BatchLanesOptions<B>) {
    const { runtime, paceMs: mostMs, fullFrom = FULL_FROM } = options;
    this.pacer = new Pacer({ runtime, mostMs, fullFrom });
    this.lanes = Array.from({ length: options.shards }, (_, shard) => {
      const lane: Lane<B> = {
        shard,
        filling: this.next(shard),
        full: [],
        state: "idle",
        // It may have been sent in the meantime: it hurried while the turn of all began (1).
        start: () => {
          if (lane.state === "paced") this.dispatch(lane);
        },
      };
      return lane;
    });
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
    if (lane.state === "sent") return; // 1
    if (lane.state === "idle") this.busyLanes++;
    this.schedule(lane);
  }

  /** Resolves when nothing waits and nothing is in flight. */
  async idle(): Promise<void> {
    while (this.busyLanes > 0) await new Promise<void>((resolve) => this.idleWaiters.push(resolve));
  }

  private schedule(lane: Lane<B>): void {
    if (lane.full.length > 0 || lane.filling.size >= ENOUGH) this.pacer.hurry(lane.start);
    else if (lane.state !== "paced") this.pacer.enter(lane.start);
    lane.state = "paced";
  }

  private dispatch(lane: Lane<B>): void {
    let batch = lane.full.shift();
    if (!batch) {
      batch = lane.filling;
      lane.filling = this.next(lane.shard);
    }
    lane.state = "sent";
    this.pacer.started();
    this.pacer.carried(batch.size);
    const sent = batch;
    const length = sent.length;
    sent.sentMs = this.options.runtime.monotonicMs();
    this.options.onSending(sent);
    this.options.publish(lane.shard, sent.body(), sent.number, sent).then(
      (outcome) => this.settle(lane, sent, length, verdictOf(outcome)),
      () => this.settle(lane, sent, length, "unconfirmed"),
    );
  }

  private settle(lane: Lane<B>, batch: B, length: number, verdict: Verdict): void {
    this.waitingBytes -= length;
    batch.settle(verdict); // 2
    this.options.onSettled(batch, verdict);
    this.pacer.answered();
    if (lane.full.length > 0 || lane.filling.size >= ENOUGH) this.dispatch(lane);
    else if (lane.filling.size > 0) this.schedule(lane);
    else this.rest(lane);
  }

  private rest(lane: Lane<B>): void {
    lane.state = "idle";
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
