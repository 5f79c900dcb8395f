// Rows for one shard, as one AMQP message, and the recipients of their results. It keeps parallel
// lists instead of an object per order.
import type { LaneBatch, Verdict } from "../../broker/lanes.ts";
import { MessageWriter } from "../../core/domain/message-writer.ts";
import { fingerprintOf, type Order } from "../../core/domain/order.ts";
import type { Row } from "../../core/domain/row.ts";
import type { Traceparent } from "../../core/domain/trace.ts";

/**
 * The source of rows. It is notified of each row, in order: when its batch is settled, and again
 * when its outcome is known.
 */
export interface Recipient {
  /** Whether it wants outcomes besides the confirm; a closed socket does not. */
  readonly follows: boolean;
  /** `ref`: as given with the row; `id`: empty for a skip; `estimate`: only with `confirmed`. */
  settled(verdict: Verdict, ref: unknown, id: string, estimate?: Estimate): void;
  /** `word`: the outcome word of decide (core/domain/entry.ts, parseOutcome). */
  decided(user: string, id: string, word: string): void;
  /** The outcomes of this many of its orders will not be reported. */
  forgotten(orders: number): void;
}

/**
 * What a client learns about a waiting order: how many undecided orders of its shard are ahead of
 * it, and about how many seconds they take.
 */
export interface Estimate {
  readonly position: number;
  readonly seconds: number;
  /** Nothing of its shard is decided at present: an outage. The order waits until it is over. */
  readonly stalled?: true;
  /** The regions that may hold it, separated by commas, if it is not the gateway's own alone. */
  readonly region?: string;
}

export type { Verdict } from "../../broker/lanes.ts";

export class Batch implements LaneBatch {
  /** The message, until the broker has settled it. */
  private writer: MessageWriter | undefined = new MessageWriter();
  /** Users and ids are read from here: parts of a request's text would keep all of it. */
  private readonly names: readonly string[] = this.writer?.names ?? [];
  private readonly fingerprints: readonly string[] = this.writer?.fingerprints ?? [];
  /** Rows other than orders and cancels. */
  private others: Set<number> | undefined;
  private cancels: Set<number> | undefined;
  length = 0;
  readonly recipients: (Recipient | undefined)[] = [];
  private refs: unknown[] = [];
  /** Position of each order in the lists; built on first use. */
  private index: Map<string, number> | undefined;
  verdict: Verdict | undefined;
  /** When its first row arrived, and when it was sent to the broker; monotonic ms. */
  bornMs = 0;
  sentMs = 0;
  /** The regions that may hold it, separated by commas; undefined: the gateway's own alone. */
  region: string | undefined;
  /** The expected wait of its orders when it was sent. */
  estimate: Estimate | undefined;
  /** Outcomes that arrived before the confirm. */
  early: string | undefined;

  constructor(
    readonly shard: number,
    /** Unique among the batches of every gateway with this name, ever. */
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
    fingerprint = fingerprintOf(order),
  ): void {
    this.writer?.order(order, fingerprint, atMs, trace);
    this.added(length, recipient, ref);
  }

  /** Adds a row of any other kind; only a cancel's outcome is reported. */
  add(row: Row, length: number, recipient: Recipient, ref: unknown): void {
    if (row.kind === "cancel") {
      this.cancels ??= new Set();
      this.cancels.add(this.size);
    } else {
      this.others ??= new Set();
      this.others.add(this.size);
    }
    this.writer?.add(row);
    this.added(length, recipient, ref);
  }

  private added(length: number, recipient: Recipient, ref: unknown): void {
    if (this.bornMs === 0) this.bornMs = this.monotonicMs();
    this.length += length;
    this.recipients.push(recipient);
    this.refs.push(ref);
  }

  get size(): number {
    return this.recipients.length;
  }

  userAt(i: number): string {
    return (this.names[i] as string).slice(0, -1 - ID_CHARS); // a cast, as in idAt()
  }

  /** Empty for rows other than orders and cancels. */
  idAt(i: number): string {
    // A cast, since every order passes here.
    return this.others?.has(i) ? "" : (this.names[i] as string).slice(-ID_CHARS);
  }

  /** User and id, with a space between. */
  nameAt(i: number): string {
    return this.names[i] as string; // a cast, as in idAt()
  }

  /** Empty for rows other than orders. */
  fingerprintAt(i: number): string {
    return this.fingerprints[i] as string; // a cast, as in idAt()
  }

  isCancelAt(i: number): boolean {
    return this.cancels?.has(i) ?? false;
  }

  body(): Buffer {
    return Buffer.from(String(this.writer));
  }

  /** Notifies every recipient, then keeps only those that follow. */
  settle(verdict: Verdict): void {
    this.verdict = verdict;
    this.writer = undefined;
    const { recipients, refs, region } = this;
    if (this.estimate && region !== undefined) this.estimate = { ...this.estimate, region };
    this.refs = [];
    for (let i = 0; i < recipients.length; i++) {
      const recipient = recipients[i] as Recipient;
      recipient.settled(verdict, refs[i], this.idAt(i), this.estimate);
      if (!recipient.follows) recipients[i] = undefined;
    }
  }

  /** Position of an order in the lists. */
  indexOf(user: string, id: string): number | undefined {
    if (!this.index) {
      this.index = new Map();
      for (let i = 0; i < this.size; i++)
        if (!this.others?.has(i)) this.index.set(this.names[i] as string, i);
    }
    return this.index.get(`${user} ${id}`);
  }
}

/** A UUID's length. */
const ID_CHARS = 36;
