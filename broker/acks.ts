// Acknowledges a channel's deliveries in their order: one multiple ack up to the end of the settled
// prefix, once a turn of the event loop or of the pacer. What is settled but not acknowledged when
// the channel ends is delivered again, so a channel that closes in order is flushed first.
import { at } from "../core/domain/at.ts";
import type { Pacer } from "../core/runtime/pacer.ts";

export interface Acks {
  expect(tag: number): void;
  settle(tag: number): void;
  /** Sends what waits. */
  flush(): void;
}

/** With this many, an acknowledgement is sent at once: a quarter of a shard's prefetch. */
const ENOUGH_ACKS = 8;

export class OrderedAcks implements Acks {
  private expected: number[] = [];
  private settled = new Set<number>();
  private scheduled = false;
  private readonly send = () => this.flush();

  constructor(
    private readonly ackUpTo: (tag: number) => void,
    private readonly pacer: Pacer | undefined,
  ) {}

  expect(tag: number): void {
    this.expected.push(tag);
  }

  settle(tag: number): void {
    this.settled.add(tag);
    const { pacer } = this;
    if (pacer && this.settled.size >= ENOUGH_ACKS) pacer.hurry(this.send);
    else if (pacer) pacer.enter(this.send);
    else if (!this.scheduled) queueMicrotask(this.send);
    this.scheduled = true;
  }

  flush(): void {
    this.scheduled = false;
    let upTo = 0;
    while (this.expected.length > upTo && this.settled.delete(at(this.expected, upTo))) upTo++;
    if (upTo === 0) return;
    const last = at(this.expected, upTo - 1);
    this.expected.splice(0, upTo);
    this.pacer?.started();
    this.pacer?.carried(upTo);
    this.ackUpTo(last);
  }
}
