// Sends rows from consumers to the shards that own their orders: a provider's answers, a service's
// claims and reports. Rows share messages, like a gateway's orders (broker/lanes.ts). A row is sent
// once the broker has confirmed its message. A question is answered once the ledger has its answer,
// which arrives in this process's own queue.
//
//  1. Batch numbers and the queue for answers carry a prefix of this process, so that it receives
//     no answers to an earlier process with the same id.
//  2. An answer has one word for each row of its batch. Anything else is ignored, and the question
//     is asked again.
//  3. Waiting rows are bounded in bytes and in time. At its deadline a row fails with
//     `Undelivered`. Its message may still arrive; a repeated row is harmless.
import { BatchLanes, type LaneBatch, type LaneLimits, type Verdict } from "../../broker/lanes.ts";
import { Preference } from "../../broker/preference.ts";
import type { PublishOutcome } from "../../broker/publisher.ts";
import { Subscription } from "../../broker/subscriber.ts";
import { ordersKey } from "../../broker/topology.ts";
import { messageText } from "../../core/domain/message.ts";
import { gatewayQueue, type Push } from "../../core/domain/push.ts";
import type { AnswerRow, PartRow } from "../../core/domain/row.ts";
import { rowLength } from "../../core/domain/row-length.ts";
import type { Runtime, Timer } from "../../core/runtime/runtime.ts";
import type { RegionLink } from "./relay.ts";

/** No broker accepted the row, or no answer came, in time. The row may still have arrived. */
export class Undelivered extends Error {
  override name = "Undelivered";
}

export interface RowLanesOptions {
  readonly runtime: Runtime;
  readonly regions: readonly RegionLink[];
  readonly shards: number;
  /** Where rows are published, with the shard as routing key. */
  readonly exchange: string;
  /** Names this process's queue for answers. */
  readonly id: string;
  /** How long a row may wait for its confirm or its answer, ms. */
  readonly deadlineMs?: number;
  /** How long to wait for an answer before asking again, ms. */
  readonly answerMs?: number;
}

/**
 * How long rows gather in one message under load: 5,900 charges/s instead of 3,800
 * (docs/decisions/0007-steps-through-the-shard.md).
 */
const PACE_MS = 20;
/** Rows per second. Nothing waits for a single answer, so they gather at low rates as well. */
const FULL_FROM = 20;
/** About as many rows as one call decides, and far more bytes than are ever in flight. */
const LIMITS: LaneLimits = {
  batchOrders: 500,
  batchBytes: 128 * 1024,
  waitingBytes: 8 * 1024 * 1024,
};
const RETRY_MS = 200;
/** Longer than a busy shard takes. A later answer still counts. */
const ANSWER_MS = 10_000;
/** Longer than a broker takes to restart. */
const DEADLINE_MS = 60_000;

type SentRow = AnswerRow | PartRow;

interface Sent {
  readonly shard: number;
  readonly row: SentRow;
  /** rowLength(row). */
  readonly length: number;
  readonly question: boolean;
  readonly deadlineMs: number;
  readonly resolve: (word: string) => void;
  readonly reject: (error: Undelivered) => void;
}

class RowBatch implements LaneBatch {
  readonly rows: Sent[] = [];
  length = 0;
  sentMs = 0;

  constructor(
    readonly shard: number,
    readonly number: string,
    private readonly settled: (batch: RowBatch, verdict: Verdict) => void,
  ) {}

  add(sent: Sent): void {
    this.length += sent.length;
    this.rows.push(sent);
  }

  get size(): number {
    return this.rows.length;
  }

  body(): Buffer {
    return Buffer.from(messageText(this.rows.map(({ row }) => row)));
  }

  settle(verdict: Verdict): void {
    this.settled(this, verdict);
  }
}

export class RowLanes extends BatchLanes<RowBatch> {
  /** Questions in flight, by batch number. */
  private readonly asked = new Map<string, { batch: RowBatch; timer: Timer }>();
  private readonly pushes: Subscription[] = [];
  private readonly queueId: string;
  private readonly preference: Preference<RegionLink>;
  private stopped = false;

  constructor(private readonly rowOptions: RowLanesOptions) {
    const prefix = `${rowOptions.runtime.uuid().slice(0, 8)}.`;
    super({
      runtime: rowOptions.runtime,
      shards: rowOptions.shards,
      limits: LIMITS,
      newBatch: (shard, number) => new RowBatch(shard, number, (b, v) => this.settled(b, v)),
      paceMs: () => PACE_MS,
      fullFrom: FULL_FROM,
      publish: (shard, body, batch) => this.publish(shard, body, batch),
      numberPrefix: prefix,
      onSending: (batch) => this.expect(batch),
      onSettled: () => undefined,
    });
    this.preference = new Preference(rowOptions.runtime, rowOptions.regions);
    this.queueId = `${rowOptions.id}-${prefix.slice(0, -1)}`;
  }

  /** Listens for answers. Required before `ask`. */
  async listen(): Promise<void> {
    for (const { consuming } of this.rowOptions.regions) {
      const subscription = new Subscription(consuming, {
        queue: gatewayQueue(this.queueId),
        prefetch: 0,
        exclusive: true,
        noAck: true,
        handler: ({ body }) => this.receive(body),
      });
      this.pushes.push(subscription);
      if (consuming.up) await subscription.start();
      else void subscription.start();
    }
  }

  /** Resolves once the broker has the row, or rejects with `Undelivered`; never after stop(). */
  async send(shard: number, row: SentRow): Promise<void> {
    await this.take(shard, row, false);
  }

  /** The shard's word for the row once the ledger has it: `+claimed`, `-cancelled`, … */
  ask(shard: number, row: SentRow): Promise<string> {
    return this.take(shard, row, true);
  }

  async stop(): Promise<void> {
    this.stopped = true;
    for (const { timer } of this.asked.values()) this.rowOptions.runtime.stopTimer(timer);
    await Promise.all(this.pushes.map((p) => p.close()));
  }

  private take(shard: number, row: SentRow, question: boolean): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const deadlineMs =
      this.rowOptions.runtime.monotonicMs() + (this.rowOptions.deadlineMs ?? DEADLINE_MS);
    const length = rowLength(row);
    this.put({ shard, row, length, question, deadlineMs, resolve, reject });
    return promise;
  }

  private put(sent: Sent): void {
    const { shard, length, deadlineMs, reject } = sent;
    const late = this.rowOptions.runtime.monotonicMs() > deadlineMs;
    const batch = late ? undefined : this.room(shard, length);
    if (!batch) {
      reject(new Undelivered(late ? "not in time" : "too much is waiting"));
      return;
    }
    batch.add(sent);
    this.added(shard, length);
  }

  /**
   * Publishes in the first region that is ready, those that confirm lately first; in the next one
   * if a queue is full or missing.
   */
  private async publish(shard: number, body: Buffer, batch: string): Promise<PublishOutcome> {
    const { exchange } = this.rowOptions;
    const properties = { messageId: batch, appId: this.queueId, type: "orders.v1" };
    let outcome: PublishOutcome = "unsent";
    for (const region of this.preference.inOrder) {
      const { publisher } = region;
      if (!publisher.ready) continue;
      outcome = await publisher.publish(exchange, ordersKey(shard), body, properties);
      if (outcome === "confirmed") this.preference.trust(region);
      if (outcome === "unknown") this.preference.doubt(region);
      if (outcome === "confirmed" || outcome === "unknown") return outcome;
    }
    return outcome;
  }

  /** Registers a batch before it is sent, because its answer may arrive before its confirm. */
  private expect(batch: RowBatch): void {
    if (!batch.rows.some(({ question }) => question)) return;
    const timer = this.rowOptions.runtime.startTimer(
      () => this.again(batch),
      this.rowOptions.answerMs ?? ANSWER_MS,
    );
    this.asked.set(batch.number, { batch, timer });
  }

  private settled(batch: RowBatch, verdict: Verdict): void {
    if (verdict !== "confirmed") {
      this.rowOptions.runtime.startTimer(() => this.again(batch), RETRY_MS);
      return;
    }
    for (const { question, resolve } of batch.rows) if (!question) resolve("");
  }

  /** Sends rows once more. A repeated row changes nothing and gets the same answer. */
  private again(batch: RowBatch): void {
    if (this.stopped || batch.rows.length === 0) return;
    this.rowOptions.runtime.stopTimer(this.asked.get(batch.number)?.timer);
    const asked = this.asked.delete(batch.number);
    for (const sent of batch.rows) if (asked || !sent.question) this.put(sent);
  }

  private receive(body: Buffer): void {
    for (const [number, outcomes] of readPush(body)) {
      const asked = this.asked.get(number);
      const words = outcomes.split(",");
      if (!asked || words.length !== asked.batch.size) continue;
      this.asked.delete(number);
      this.rowOptions.runtime.stopTimer(asked.timer);
      asked.batch.rows.forEach(({ resolve }, i) => {
        resolve(words[i] as string);
      });
    }
  }
}

/** The outcomes of batches in a push; none if it is not a push. */
function readPush(body: Buffer): (readonly [batch: string, outcomes: string])[] {
  try {
    const { batches } = JSON.parse(body.toString()) as Partial<Push>;
    if (!Array.isArray(batches)) return [];
    return batches.filter((b) => typeof b?.[0] === "string" && typeof b?.[1] === "string");
  } catch {
    return [];
  }
}
