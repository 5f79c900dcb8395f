// The events of an endpoint that wait, as the ledger has them: one line for each order, of which
// only the first event may be tried, and those that an operator wants sent again.
import type { FeedEvent } from "../../core/domain/feed-event.ts";
import type { HeldEvent, NewHeldEvent } from "../../ledger/webhook-contract.ts";

export class HeldEvents {
  private readonly heads = new Map<string, HeldEvent>();
  private readonly manual: HeldEvent[] = [];

  /** In the order in which they were held. */
  constructor(private readonly all: readonly HeldEvent[]) {
    for (const held of all) {
      const line = lineOf(held.event);
      if (held.manual) this.manual.push(held);
      else if (!this.heads.has(line)) this.heads.set(line, held);
    }
  }

  get size(): number {
    return this.all.length;
  }

  /** Whether earlier events of its order wait. */
  blocks(event: FeedEvent): boolean {
    return this.heads.has(lineOf(event));
  }

  /** What may be tried now: the least tried first, then the longest due. */
  due(nowMs: number): HeldEvent[] {
    return [...this.manual, ...this.heads.values()]
      .filter(({ dueMs }) => dueMs <= nowMs)
      .sort((a, b) => a.tries - b.tries || a.dueMs - b.dueMs || a.seq - b.seq);
  }
}

export function lineOf({ user, orderId }: FeedEvent): string {
  return `${user} ${orderId}`;
}

/** An event that was not tried yet. */
export function waiting(event: FeedEvent, nowMs: number): NewHeldEvent {
  return { event, tries: 0, dueMs: nowMs, sinceMs: 0, manual: false };
}
