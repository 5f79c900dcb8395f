// Orders that clients follow, step by step, from the ledger: missed events first, then new ones.
// One feed serves all followers of a gateway. It polls a few times a second while there are any,
// and at once when a decision arrives.

import { at } from "../../core/domain/at.ts";
import { messageOf } from "../../core/domain/message-of.ts";
import { type OrderState, TERMINAL_STATES } from "../../core/domain/outcome.ts";
import type { Runtime, Timer } from "../../core/runtime/runtime.ts";
import type { Followed, FollowedEvent, Ledger } from "../../ledger/contract.ts";

const LOOK_EVERY_MS = 300;
/** It rests for this many times as long as the last look took: a tenth of the time at most. */
const REST = 9;
const MAX_REST_MS = 3_000;
/** An order that the ledger does not know is looked for this long: it may still be in its queue. */
const UNKNOWN_MS = 60_000;
/** Polls triggered by pushes are gathered for this long. */
const SOON_MS = 25;

export interface Follower {
  /** Events after the last ones delivered, in order. */
  tell(user: string, id: string, events: readonly FollowedEvent[]): void;
  /** Nothing more can happen to the order. */
  ended(user: string, id: string): void;
  /** The order has been unknown for so long that it is no longer looked for. */
  unknown(user: string, id: string): void;
}

interface Watch {
  readonly user: string;
  readonly id: string;
  readonly follower: Follower;
  /** Since when it has been looked for in a ledger that answers, monotonic ms. */
  sinceMs: number;
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
  /** How many orders of each user are followed. */
  private readonly byUser = new Map<string, number>();
  private timer: Timer | undefined;
  private dueAtMs = 0;
  /** When the present rest ends, monotonic ms. */
  private restsUntilMs = 0;
  private looking = false;
  private again = false;
  private stopped = false;

  constructor(
    private readonly runtime: Runtime,
    private readonly ledger: Pick<Ledger, "followed">,
    private readonly most: { readonly inAll: number; readonly ofUser: number },
    private readonly log: (event: string, detail: Record<string, unknown>) => void,
  ) {}

  get size(): number {
    return this.watches.size;
  }

  /**
   * Follows an order from the event after `after`; -1 for all of it. Returns false if too many are
   * followed here, of this user or in all.
   */
  add(follower: Follower, user: string, id: string, after: number): boolean {
    const own = this.byFollower.get(follower) ?? new Map<string, Watch>();
    const key = `${user} ${id}`;
    if (own.has(key)) this.remove(follower, user, id);
    const ofUser = this.byUser.get(user) ?? 0;
    if (this.stopped || this.watches.size >= this.most.inAll || ofUser >= this.most.ofUser)
      return false;
    const watch = { user, id, follower, after, sinceMs: this.runtime.monotonicMs() };
    this.byUser.set(user, ofUser + 1);
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
    this.forget(watch);
  }

  removeAll(follower: Follower): void {
    for (const watch of this.byFollower.get(follower)?.values() ?? []) this.forget(watch);
    this.byFollower.delete(follower);
  }

  private forget(watch: Watch): void {
    this.watches.delete(watch);
    const left = (this.byUser.get(watch.user) ?? 1) - 1;
    if (left > 0) this.byUser.set(watch.user, left);
    else this.byUser.delete(watch.user);
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
    this.byUser.clear();
  }

  private lookIn(ms: number): void {
    if (this.looking) {
      this.again ||= ms === SOON_MS;
      return;
    }
    const nowMs = this.runtime.monotonicMs();
    const dueAtMs = Math.max(nowMs + ms, this.restsUntilMs);
    if (this.timer !== undefined && this.dueAtMs <= dueAtMs) return;
    this.runtime.stopTimer(this.timer);
    this.dueAtMs = dueAtMs;
    this.timer = this.runtime.startTimer(() => void this.look(), dueAtMs - nowMs);
  }

  private async look(): Promise<void> {
    this.timer = undefined;
    this.looking = true;
    this.again = false;
    const startedAtMs = this.runtime.monotonicMs();
    try {
      // Plain data: the ledger may read in a thread of its own, and followers cannot go there.
      const asked = new Map<string, Pick<Watch, "user" | "id" | "after">>();
      for (const { user, id, after } of this.watches) {
        const key = `${user} ${id}`;
        if (after < (asked.get(key)?.after ?? Number.POSITIVE_INFINITY))
          asked.set(key, { user, id, after });
      }
      const found = new Map(
        (await this.ledger.followed([...asked.values()])).map((f) => [`${f.user} ${f.id}`, f]),
      );
      for (const watch of [...this.watches])
        this.deliver(watch, found.get(`${watch.user} ${watch.id}`));
    } catch (error) {
      this.log("followed orders not read", { error: messageOf(error) });
      const nowMs = this.runtime.monotonicMs();
      for (const watch of this.watches) watch.sinceMs = nowMs;
    }
    this.looking = false;
    const nowMs = this.runtime.monotonicMs();
    this.restsUntilMs = nowMs + Math.min(MAX_REST_MS, REST * (nowMs - startedAtMs));
    if (this.watches.size > 0 && !this.stopped) this.lookIn(this.again ? SOON_MS : LOOK_EVERY_MS);
  }

  /** An order that is not known yet is looked up again, for a while. */
  private deliver(watch: Watch, found: Followed | undefined): void {
    if (!this.watches.has(watch)) return;
    const { user, id, follower } = watch;
    if (!found) {
      if (this.runtime.monotonicMs() - watch.sinceMs < UNKNOWN_MS) return;
      this.remove(follower, user, id);
      follower.unknown(user, id);
      return;
    }
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
