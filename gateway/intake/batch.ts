// Rows on their way to one shard, as one AMQP message, and who is to be told of each: parallel
// lists instead of an object per order.
import type { LaneBatch, Verdict } from "../../broker/lanes.ts";
import { MessageWriter } from "../../core/domain/message-writer.ts";
import { fingerprintOf, type Order } from "../../core/domain/order.ts";
import { type Row, userOf } from "../../core/domain/row.ts";
import type { Traceparent } from "../../core/domain/trace.ts";

/**
 * Who gave rows. Called for each row, in order, when its batch has been settled, and again when its
 * outcome is known.
 */
export interface Recipient {
  /** Wants to hear of outcomes, not only of the confirm; a socket that is gone does not. */
  readonly follows: boolean;
  /**
   * `ref` as it was given with the row; `id` is empty for a skip; `estimate` comes with
   * `confirmed`.
   */
  settled(verdict: Verdict, ref: unknown, id: string, estimate?: Estimate): void;
  /** `word` as decide says it (core/domain/entry.ts, parseOutcome). */
  decided(user: string, id: string, word: string): void;
  /** Outcomes of some of its orders will not be told. */
  forgotten(orders: number): void;
}

/**
 * What a client is told of an order that waits: orders of its shard taken in before it and not
 * decided, and for about how long.
 */
export interface Estimate {
  readonly position: number;
  readonly seconds: number;
}

export type { Verdict } from "../../broker/lanes.ts";

export class Batch implements LaneBatch {
  /** The message, until the broker has settled it. */
  private writer: MessageWriter | undefined = new MessageWriter();
  length = 0;
  readonly recipients: (Recipient | undefined)[] = [];
  readonly users: string[] = [];
  /** Empty for what is no order and no cancel. */
  readonly ids: string[] = [];
  private refs: unknown[] = [];
  /** Where an order stands in the lists, made when somebody first asks. */
  private index: Map<string, number> | undefined;
  verdict: Verdict | undefined;
  /** When its first row came in, and when it went to the broker; monotonic ms. */
  bornMs = 0;
  sentMs = 0;
  /** How long its orders were to wait, by what was known when it went. */
  estimate: Estimate | undefined;
  /** Outcomes that came before the confirm did. */
  early: string | undefined;

  constructor(
    readonly shard: number,
    /** Names this batch among all that gateways of this name have ever published. */
    readonly number: string,
    private readonly monotonicMs: () => number,
  ) {}

  /** Adds an order; `length` is its orderLength. */
  order(
    order: Order,
    atMs: number,
    trace: Traceparent | undefined,
    length: number,
    recipient: Recipient,
    ref: unknown,
  ): void {
    this.writer?.order(order, fingerprintOf(order), atMs, trace);
    this.added(length, order.user, order.id, recipient, ref);
  }

  /** Adds a row of any other kind; of its order nothing but a cancel's outcome is told. */
  add(row: Row, length: number, recipient: Recipient, ref: unknown): void {
    this.writer?.add(row);
    this.added(length, userOf(row), row.kind === "cancel" ? row.id : "", recipient, ref);
  }

  private added(
    length: number,
    user: string,
    id: string,
    recipient: Recipient,
    ref: unknown,
  ): void {
    if (this.bornMs === 0) this.bornMs = this.monotonicMs();
    this.length += length;
    this.recipients.push(recipient);
    this.users.push(user);
    this.ids.push(id);
    this.refs.push(ref);
  }

  get size(): number {
    return this.ids.length;
  }

  body(): Buffer {
    return Buffer.from(String(this.writer));
  }

  /** Tells every recipient; from then on only those who follow are kept. */
  settle(verdict: Verdict): void {
    this.verdict = verdict;
    this.writer = undefined;
    const { recipients, refs, ids } = this;
    this.refs = [];
    for (let i = 0; i < ids.length; i++) {
      const recipient = recipients[i] as Recipient;
      recipient.settled(verdict, refs[i], ids[i] as string, this.estimate);
      if (!recipient.follows) recipients[i] = undefined;
    }
  }

  /** Where an order stands in it. */
  indexOf(user: string, id: string): number | undefined {
    if (!this.index) {
      this.index = new Map();
      for (let i = 0; i < this.ids.length; i++)
        this.index.set(`${this.users[i]} ${this.ids[i]}`, i);
    }
    return this.index.get(`${user} ${id}`);
  }
}
