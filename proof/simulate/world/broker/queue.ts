// One queue of the simulated broker, as RabbitMQ 3.10 has it (a quorum queue, or a classic one).
//
// 1. A message is in one place: ready, with one consumer, on its way to the dead letters, or gone.
// 2. What goes back to a quorum queue is delivered before what was never delivered, in the order
//    in which it went back. (Rejected, it goes to the end if the queue has no delivery limit.) In a
//    classic queue it takes its old place.
// 3. With a single active consumer, the one that has consumed for longest receives everything.
// 4. Over its length limit, the queue rejects what publishers send next, until it has shrunk to
//    four fifths of the limit.
import type { Message, Publication, Table } from "./message.ts";

/** Below this share of its limit, a queue takes messages again. */
const LOW = 0.8;

/** Who takes messages: a consumer, or a channel that gets one. */
export interface Consumer {
  readonly tag: string;
  /** 0: no bound. */
  readonly prefetch: number;
  readonly noAck: boolean;
  /** In the order of delivery. */
  readonly held: Set<Message>;
  /** It receives nothing more; what it holds may still be acknowledged. */
  cancelled: boolean;
  deliver(message: Message): void;
  /** The queue is gone. */
  ended(): void;
}

export interface QueueHost {
  readonly nowMs: () => number;
  /** Calls `run` after `delayMs`, unless the queue is gone by then. */
  readonly later: (what: string, run: () => void, delayMs: number) => void;
  /** Sends a message to the dead letters: true once their queues have it. */
  readonly bury: (message: Message, reason: string) => boolean;
}

export interface QueueSpec {
  readonly name: string;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  /** The connection that alone may use it. */
  readonly owner: object | undefined;
  readonly arguments: Table;
}

/** A dead letter whose target does not take it is offered again after this time. */
const BURY_AGAIN_MS = 180_000;
const BURY_MS = 1;

export class Queue {
  readonly consumers: Consumer[] = [];
  private ready: Message[] = [];
  private returned: Message[] = [];
  private readonly buried = new Set<Message>();
  private readonly letters: { readonly message: Message; readonly reason: string }[] = [];
  /** By channel: whether the queue has told it that it is full (4). */
  private readonly senders = new Map<object, boolean>();
  private active: Consumer | undefined;
  /** How many messages it may still deliver; finite while somebody picks each delivery. */
  private allowed = Number.POSITIVE_INFINITY;
  private nextSeq = 0;
  private hadConsumer = false;
  private expiryAtMs = Number.POSITIVE_INFINITY;

  constructor(
    readonly spec: QueueSpec,
    private readonly host: QueueHost,
  ) {}

  get quorum(): boolean {
    return this.spec.arguments["x-queue-type"] === "quorum";
  }

  get single(): boolean {
    return this.spec.arguments["x-single-active-consumer"] === true;
  }

  get length(): number {
    return this.ready.length + this.returned.length;
  }

  /** Ready messages, in the order in which they would be delivered. */
  get messages(): readonly Message[] {
    return [...this.returned, ...this.ready];
  }

  /** Messages that consumers hold. */
  get unacknowledged(): number {
    return this.consumers.reduce((sum, { held }) => sum + held.size, 0);
  }

  /**
   * A quorum queue counts whoever holds messages, even if it receives no more, and not who waits to
   * become the single active consumer.
   */
  get consumerCount(): number {
    const counts = (consumer: Consumer) => {
      if (this.quorum && consumer.held.size > 0) return true;
      return !consumer.cancelled && (!this.single || consumer === this.active);
    };
    return this.consumers.filter(counts).length;
  }

  /** Its last consumer has left an auto-delete queue. */
  get abandoned(): boolean {
    return this.spec.autoDelete && this.hadConsumer && this.consumers.every((c) => c.cancelled);
  }

  /** Whether the queue takes what this channel sends now (4). */
  takesFrom(channel: object): boolean {
    const full = this.senders.get(channel);
    if (full !== undefined) return !full;
    this.senders.set(channel, this.over);
    return !this.over;
  }

  add(publication: Publication): void {
    const { properties } = publication;
    const ttls = [properties.expiration, this.spec.arguments["x-message-ttl"]].flatMap((ttl) =>
      ttl === undefined ? [] : [Number(ttl)],
    );
    const expiresAtMs = ttls.length === 0 ? undefined : this.host.nowMs() + Math.min(...ttls);
    this.ready.push({ ...publication, seq: this.nextSeq++, returns: 0, expiresAtMs });
    this.pump();
    if (!this.over) return;
    if (this.rejects) for (const channel of this.senders.keys()) this.senders.set(channel, true);
    else while (this.over) this.drop(this.takeHead(), "maxlen");
  }

  consume(consumer: Consumer): void {
    this.hadConsumer = true;
    this.consumers.push(consumer);
    if (this.single && !this.active) this.active = consumer; // 3
    this.pump();
  }

  /** It receives nothing more. */
  cancel(consumer: Consumer): void {
    consumer.cancelled = true;
    if (consumer.held.size === 0) this.leave(consumer);
    this.passOn(consumer);
    this.pump();
  }

  /** Their channel is gone: what they hold goes back (2). */
  gone(consumers: readonly Consumer[]): void {
    const held = consumers.flatMap((consumer) => [...consumer.held]);
    for (const consumer of consumers) {
      consumer.cancelled = true;
      consumer.held.clear();
      this.leave(consumer);
    }
    for (const consumer of consumers) this.passOn(consumer);
    this.giveBack(held);
  }

  /** From now on it delivers only what is allowed. */
  hold(): void {
    this.allowed = 0;
  }

  /** Delivers one more message. Returns whether somebody took it. */
  allowOne(): boolean {
    this.allowed = 1;
    this.pump();
    const taken = this.allowed === 0;
    this.allowed = 0;
    return taken;
  }

  /** One message for `getter`. */
  get(getter: Consumer): Message | undefined {
    this.expire();
    const message = this.takeHead();
    if (!message || getter.noAck) return message;
    getter.cancelled = true;
    this.consumers.push(getter);
    getter.held.add(message);
    return message;
  }

  settle(consumer: Consumer, message: Message): void {
    if (!consumer.held.delete(message)) return;
    if (consumer.cancelled && consumer.held.size === 0) this.leave(consumer);
    this.shrunk();
    this.pump();
  }

  /** The consumer rejects a message (2). */
  reject(consumer: Consumer, message: Message, requeue: boolean): void {
    if (!consumer.held.delete(message)) return;
    const limited = this.spec.arguments["x-delivery-limit"] !== undefined;
    if (!requeue) this.drop(message, "rejected");
    else if (!this.quorum || limited) this.giveBack([message]);
    else {
      message.returns++;
      this.ready.push(message);
    }
    this.pump();
  }

  purge(): number {
    const { length } = this;
    this.ready = [];
    this.returned = [];
    this.shrunk();
    return length;
  }

  /** Every connection is gone: what consumers hold goes back (2). */
  abandon(): void {
    const held = this.consumers.flatMap((consumer) => [...consumer.held]);
    this.consumers.length = 0;
    this.active = undefined;
    this.senders.clear();
    this.giveBack(held);
  }

  /** A channel that had sent to it is gone. */
  forget(channel: object): void {
    this.senders.delete(channel);
  }

  private get limit(): number {
    return Number(this.spec.arguments["x-max-length"] ?? Number.POSITIVE_INFINITY);
  }

  private get rejects(): boolean {
    return this.spec.arguments["x-overflow"] === "reject-publish";
  }

  private get over(): boolean {
    return this.length + this.buried.size > this.limit;
  }

  private shrunk(): void {
    if (this.limit === Number.POSITIVE_INFINITY) return;
    if (this.length + this.buried.size > Math.trunc(this.limit * LOW)) return;
    for (const channel of this.senders.keys()) this.senders.set(channel, false); // 4
  }

  private leave(consumer: Consumer): void {
    const at = this.consumers.indexOf(consumer);
    if (at >= 0) this.consumers.splice(at, 1);
  }

  /** The next one becomes active (3). */
  private passOn(from: Consumer): void {
    if (this.active !== from) return;
    this.active = this.consumers.find(({ cancelled }) => !cancelled);
  }

  private giveBack(messages: readonly Message[]): void {
    const most = Number(this.spec.arguments["x-delivery-limit"] ?? Number.POSITIVE_INFINITY);
    for (const message of messages) {
      message.returns++;
      if (this.quorum && message.returns > most) this.drop(message, "delivery_limit");
      else if (this.quorum) this.returned.push(message);
      else this.ready.push(message);
    }
    if (!this.quorum) this.ready.sort((a, b) => a.seq - b.seq); // 2
    // As if everything had been sent ahead: one consumer then holds all that went back.
    if (this.allowed < Number.POSITIVE_INFINITY) this.returned.sort((a, b) => a.seq - b.seq);
    this.pump();
  }

  private takeHead(): Message | undefined {
    const head = this.returned.shift() ?? this.ready.shift();
    if (head) this.shrunk();
    return head;
  }

  /** Delivers what can be delivered. */
  private pump(): void {
    this.expire();
    while (this.length > 0 && this.allowed > 0) {
      const consumer = this.next();
      if (!consumer) return;
      this.allowed--;
      const message = this.takeHead() as Message;
      if (!consumer.noAck) consumer.held.add(message);
      consumer.deliver(message);
      this.expire();
    }
  }

  /** The consumer whose turn it is; it goes to the end of the line. */
  private next(): Consumer | undefined {
    const hasRoom = ({ cancelled, noAck, prefetch, held }: Consumer) =>
      !cancelled && (noAck || prefetch === 0 || held.size < prefetch);
    if (this.single) return this.active && hasRoom(this.active) ? this.active : undefined;
    const found = this.consumers.find(hasRoom);
    if (found) {
      this.leave(found);
      this.consumers.push(found);
    }
    return found;
  }

  /** Messages expire at the head of the queue only. */
  private expire(): void {
    const nowMs = this.host.nowMs();
    for (let head = this.returned[0] ?? this.ready[0]; head; ) {
      const { expiresAtMs } = head;
      if (expiresAtMs === undefined) return;
      if (expiresAtMs > nowMs) {
        this.expireAt(expiresAtMs);
        return;
      }
      this.drop(this.takeHead(), "expired");
      head = this.returned[0] ?? this.ready[0];
    }
  }

  private expireAt(atMs: number): void {
    const nowMs = this.host.nowMs();
    if (this.expiryAtMs > nowMs && this.expiryAtMs <= atMs) return; // it is looked at before
    this.expiryAtMs = atMs;
    this.host.later("expiry", () => this.pump(), atMs - nowMs);
  }

  private drop(message: Message | undefined, reason: string): void {
    if (!message) return;
    if (this.spec.arguments["x-dead-letter-exchange"] === undefined) {
      this.shrunk();
      return;
    }
    this.buried.add(message); // 1
    this.letters.push({ message, reason });
    this.host.later("dead letter", () => this.buryNext(), BURY_MS);
  }

  /** In order: events of one moment are not. */
  private buryNext(): void {
    const letter = this.letters.shift();
    if (letter) this.bury(letter.message, letter.reason);
  }

  /** At-least-once: it stays here until its target has it. */
  private bury(message: Message, reason: string): void {
    const taken = this.host.bury(message, reason);
    const once = this.spec.arguments["x-dead-letter-strategy"] !== "at-least-once";
    if (taken || once) {
      this.buried.delete(message);
      this.shrunk();
    } else this.host.later("dead letter", () => this.bury(message, reason), BURY_AGAIN_MS);
  }
}
