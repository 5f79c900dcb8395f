// One lane per shard: one batch with the broker, the next one filling meanwhile, so that batches grow by themselves with the load and no
// order overtakes an earlier one of its user. A batch that is not confirmed is answered as a whole before the next one goes.
//
//   add ─▶ filling ─▶ full … ─▶ in flight ─▶ settled
//
// The first row of an idle lane waits for the end of the event-loop round: rows that came in with the same read share a message. Behind a confirm a batch of few rows
// waits a little for more, and longer where orders wait their turn for long anyway.
import { Batch, type Recipient, type Verdict } from "./batch.ts";
import type { GatewayLimits } from "./limits.ts";
import type { PublishOutcome } from "./ports.ts";

export interface LanesOptions {
  readonly shards: number;
  readonly limits: Pick<GatewayLimits, "batchOrders" | "batchBytes" | "waitingBytes">;
  /** How long a batch of few rows waits for more in any case, ms; 0: an idle lane's not at all, one behind a confirm's for a moment. */
  readonly lingerMs?: () => number;
  readonly publish: (shard: number, body: Buffer, batch: string) => Promise<PublishOutcome>;
  /** Goes before each batch's number, so that numbers of an earlier process are not taken for this one's. */
  readonly numberPrefix: string;
  /** Before it is handed to the broker: its outcomes may come sooner than the confirm. */
  readonly onSending: (batch: Batch) => void;
  /** After its recipients have been told. */
  readonly onSettled: (batch: Batch, verdict: Verdict) => void;
}

interface Lane {
  readonly shard: number;
  filling: Batch;
  /** Filled to a bound, waiting for their turn; only when the broker is slower than one full batch a round trip. */
  readonly full: Batch[];
  busy: boolean;
}

/**
 * Right behind a confirm a batch of few rows waits this long for more, ms: rows keep coming then, and a message costs broker and worker the more the fewer rows share it.
 * 20,000 orders/s over WebSockets, on two cores that messages of few rows fill: decided after 104 and 189 ms (p50, two runs) with it, after 489 and 520 without. An idle
 * lane does not wait.
 */
const NEXT_MS = 5;
/** So many rows are enough to go at once: then a message costs next to nothing a row. */
const ENOUGH = 100;

export class Lanes {
  private readonly lanes: Lane[];
  private scheduled: Lane[] = [];
  private batches = 0;
  /** Characters of rows not yet settled. */
  waitingBytes = 0;
  private idleWaiters: (() => void)[] = [];
  private busyLanes = 0;

  constructor(private readonly options: LanesOptions) {
    this.lanes = Array.from({ length: options.shards }, (_, shard) => ({
      shard,
      filling: this.next(shard),
      full: [],
      busy: false,
    }));
  }

  /** Takes a row, or says false: too much is waiting. */
  add(
    shard: number,
    row: string,
    user: string,
    id: string,
    recipient: Recipient,
    ref: unknown,
  ): boolean {
    const { limits } = this.options;
    if (this.waitingBytes + row.length > limits.waitingBytes) return false;
    const lane = this.lanes[shard] as Lane;
    let { filling } = lane;
    if (filling.size >= limits.batchOrders || filling.length + row.length > limits.batchBytes) {
      lane.full.push(filling);
      filling = lane.filling = this.next(shard);
    }
    filling.add(row, user, id, recipient, ref);
    this.waitingBytes += row.length;
    if (!lane.busy) this.schedule(lane);
    return true;
  }

  /** Settles when nothing waits and nothing is in flight. */
  async idle(): Promise<void> {
    while (this.busyLanes > 0) await new Promise<void>((resolve) => this.idleWaiters.push(resolve));
  }

  private schedule(lane: Lane): void {
    lane.busy = true;
    this.busyLanes++;
    const lingerMs = this.options.lingerMs?.() ?? 0;
    if (lingerMs > 0) {
      setTimeout(() => this.send(lane), lingerMs);
      return;
    }
    if (this.scheduled.push(lane) > 1) return;
    setImmediate(() => {
      const lanes = this.scheduled;
      this.scheduled = [];
      for (const l of lanes) this.send(l);
    });
  }

  private send(lane: Lane): void {
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
    sent.sentMs = performance.now();
    this.options.onSending(sent);
    this.options.publish(lane.shard, sent.body(), sent.number).then(
      (outcome) => this.settle(lane, sent, length, verdictOf(outcome)),
      () => this.settle(lane, sent, length, "unconfirmed"),
    );
  }

  private settle(lane: Lane, batch: Batch, length: number, verdict: Verdict): void {
    // All separators but the rows themselves were never counted as waiting.
    this.waitingBytes -= length - (batch.size - 1);
    batch.settle(verdict);
    this.options.onSettled(batch, verdict);
    // Nothing may wait yet: those who have just been answered send again in a moment.
    if (lane.full.length > 0 || lane.filling.size >= ENOUGH) this.send(lane);
    else setTimeout(() => this.send(lane), Math.max(NEXT_MS, this.options.lingerMs?.() ?? 0));
  }

  private rest(lane: Lane): void {
    lane.busy = false;
    if (--this.busyLanes > 0) return;
    for (const resolve of this.idleWaiters.splice(0)) resolve();
  }

  private next(shard: number): Batch {
    return new Batch(shard, `${this.options.numberPrefix}${(this.batches++).toString(36)}`);
  }
}

function verdictOf(outcome: PublishOutcome): Verdict {
  switch (outcome) {
    case "confirmed":
      return "confirmed";
    case "unsent":
      return "shed";
    // A queue that refuses may have passed the message on to some of its replicas: claim no more than that it is not known.
    case "nacked":
    case "returned":
    case "unknown":
      return "unconfirmed";
  }
}
