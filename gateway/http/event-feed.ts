// Orders that clients follow, step by step, from the ledger: missed events first, then new ones.
// One feed serves all followers of a gateway. It polls a few times a second while there are any,
// and at once when a decision arrives.

import { at } from "../../core/domain/at.ts";
import { messageOf } from "../../core/domain/message-of.ts";
import { type OrderState, TERMINAL_STATES } from "../../core/domain/outcome.ts";
import type { Runtime, Timer } from "../../core/runtime/runtime.ts";
import type { Followed, FollowedEvent, Ledger } from "../../ledger/contract.ts";

const LOOK_EVERY_MS = 300;
/** Polls triggered by pushes are gathered for this long. */
const SOON_MS = 25;

export interface Follower {
  /** Events after the last ones delivered, in order. */
  tell(user: string, id: string, events: readonly FollowedEvent[]): void;
  /** Nothing more can happen to the order. */
  ended(user: string, id: string): void;
}

interface Watch {
  readonly user: string;
  readonly id: string;
  readonly follower: Follower;
  after: number;
}

/**
 * No event follows these states: a cancelled order may still be refunded, and a failed payment
 * retried.
 */
const FINAL: ReadonlySet<string> = new Set(
  TERMINAL_STATES.filter((state) => state !== "cancelled" && state !== "payment_failed"),
);

export const isFinal = (state: OrderState | string): boolean => FINAL.has(state);

export class EventFeed {
  private readonly watches = new Set<Watch>();
  private readonly byFollower = new Map<Follower, Map<string, Watch>>();
  private timer: Timer | undefined;
  private dueAtMs = 0;
  private looking = false;
  private again = false;
  private stopped = false;

  constructor(
    private readonly runtime: Runtime,
    private readonly ledger: Pick<Ledger, "followed">,
    private readonly maxWatches: number,
    private readonly log: (event: string, detail: Record<string, unknown>) => void,
  ) {}

  get size(): number {
    return this.watches.size;
  }

  /**
   * Follows an order from the event after `after`; -1 for all of it. Returns false if too many are
   * followed here.
   */
  add(follower: Follower, user: string, id: string, after: number): boolean {
    const own = this.byFollower.get(follower) ?? new Map<string, Watch>();
    const key = `${user} ${id}`;
    if (own.has(key)) this.remove(follower, user, id);
    if (this.stopped || this.watches.size >= this.maxWatches) return false;
    const watch = { user, id, follower, after };
    own.set(key, watch);
    this.byFollower.set(follower, own);
    this.watches.add(watch);
    this.soon();
    return true;
  }

  countOf(follower: Follower): number {
    return this.byFollower.get(follower)?.size ?? 0;
  }

  remove(follower: Follower, user: string, id: string): void {
    const own = this.byFollower.get(follower);
    const watch = own?.get(`${user} ${id}`);
    if (!own || !watch) return;
    own.delete(`${user} ${id}`);
    if (own.size === 0) this.byFollower.delete(follower);
    this.watches.delete(watch);
  }

  removeAll(follower: Follower): void {
    for (const watch of this.byFollower.get(follower)?.values() ?? []) this.watches.delete(watch);
    this.byFollower.delete(follower);
  }

  /** Something was decided: the ledger already has it. */
  soon(): void {
    if (this.watches.size > 0) this.lookIn(SOON_MS);
  }

  stop(): void {
    this.stopped = true;
    this.runtime.stopTimer(this.timer);
    for (const { follower, user, id } of [...this.watches]) follower.ended(user, id);
    this.watches.clear();
    this.byFollower.clear();
  }

  private lookIn(ms: number): void {
    if (this.looking) {
      this.again ||= ms === SOON_MS;
      return;
    }
    const dueAtMs = this.runtime.monotonicMs() + ms;
    if (this.timer !== undefined && this.dueAtMs <= dueAtMs) return;
    this.runtime.stopTimer(this.timer);
    this.dueAtMs = dueAtMs;
    this.timer = this.runtime.startTimer(() => void this.look(), ms);
  }

  private async look(): Promise<void> {
    this.timer = undefined;
    this.looking = true;
    this.again = false;
    try {
      const asked = new Map<string, Watch>();
      for (const watch of this.watches) {
        const key = `${watch.user} ${watch.id}`;
        if (watch.after < (asked.get(key)?.after ?? Number.POSITIVE_INFINITY))
          asked.set(key, watch);
      }
      const found = new Map(
        (await this.ledger.followed([...asked.values()])).map((f) => [`${f.user} ${f.id}`, f]),
      );
      for (const watch of [...this.watches])
        this.deliver(watch, found.get(`${watch.user} ${watch.id}`));
    } catch (error) {
      this.log("followed orders not read", { error: messageOf(error) });
    }
    this.looking = false;
    if (this.watches.size > 0 && !this.stopped) this.lookIn(this.again ? SOON_MS : LOOK_EVERY_MS);
  }

  /** An order that is not known yet is looked up again. */
  private deliver(watch: Watch, found: Followed | undefined): void {
    if (!found || !this.watches.has(watch)) return;
    const { user, id, follower } = watch;
    const news = found.events.filter((event) => event.seq > watch.after);
    if (news.length > 0) {
      watch.after = at(news, news.length - 1).seq;
      follower.tell(user, id, news);
    }
    if (isFinal(found.state)) {
      this.remove(follower, user, id);
      follower.ended(user, id);
    }
  }
}
