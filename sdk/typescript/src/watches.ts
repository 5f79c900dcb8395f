// Orders whose news is awaited on a WebSocket: outcomes that the gateway pushes, and events of the
// orders that it is asked to follow. Whatever a lost socket missed is asked for again.
import type { OrderEvent } from "./event-stream.ts";
import { onAbort, startTimer, stopTimer, type Timer } from "./platform.ts";
import { isFinished } from "./states.ts";

/** `n` and `at` are missing for an outcome that was pushed. */
export type News = Partial<OrderEvent> & Pick<OrderEvent, "event">;

export class Watch {
  readonly queue: News[] = [];
  wake: () => void = () => undefined;
  /** Events were dropped because they were not read. */
  dropped = false;
  constructor(
    readonly id: string,
    readonly user: string | undefined,
    /** The last event received. */
    public last: number,
    /** Pushed outcomes will do: the order is followed only if none comes. */
    readonly loose: boolean,
  ) {}

  add(news: News): void {
    if (this.queue.length >= MAX_QUEUED) this.dropped = true;
    else {
      this.last = news.n ?? this.last;
      this.queue.push(news);
    }
    this.wake();
  }
}

/** More than any order has; a reader that stops reading costs no more memory. */
const MAX_QUEUED = 1_000;
/** A gateway follows this many orders of a user. */
const MAX_FOLLOWED = 200;
const MAX_FOLLOWED_A_FRAME = 100;
/** Outcomes of orders that have not been asked about yet. */
const MAX_RECENT = 4_096;
/** Of one order: parked, reserved, paid, and an end. */
const MAX_STATES = 5;
/** An outcome usually comes within this time by itself. */
const LOOSE_MS = 1_000;
/** Follows are gathered: a socket may send 50 such frames a second. */
const GATHER_MS = 50;
/** A gateway looks for an order that is not known yet for a minute, then says so. */
const AGAIN_MS = 1_000;

export class Watches {
  private readonly byId = new Map<string, Set<Watch>>();
  private readonly recent = new Map<string, readonly string[]>();
  private readonly followed = new Set<string>();
  private readonly wanted = new Set<string>();
  private timer: Timer | undefined;

  constructor(private readonly send: (frame: Readonly<Record<string, unknown>>) => void) {}

  /** The order's news, until the reader stops or nothing more can come. */
  async *news(watch: Watch, until: AbortSignal): AsyncGenerator<News> {
    const own = this.byId.get(watch.id) ?? new Set();
    this.byId.set(watch.id, own.add(watch));
    const known = watch.loose ? this.recent.get(watch.id) : undefined;
    for (const event of known ?? []) watch.queue.push({ event });
    const follow = () => this.want(watch.id);
    const timer = startTimer(follow, watch.loose ? LOOSE_MS : 0);
    const stop = () => watch.wake();
    const forget = onAbort(until, stop);
    try {
      while (!until.aborted) {
        const news = watch.queue.shift();
        if (news) {
          yield news;
          if (!watch.loose && endsFor(news.event)) return;
          continue;
        }
        if (watch.dropped) this.want(watch.id);
        watch.dropped = false;
        await new Promise<void>((resolve) => {
          watch.wake = resolve;
          if (until.aborted) resolve();
        });
      }
    } finally {
      stopTimer(timer);
      forget();
      this.remove(watch, own);
    }
  }

  outcome(id: string, state: string): void {
    const before = this.recent.get(id) ?? [];
    this.recent.delete(id);
    this.recent.set(id, [...before, state].slice(-MAX_STATES));
    if (this.recent.size > MAX_RECENT)
      for (const oldest of this.recent.keys()) {
        this.recent.delete(oldest);
        break;
      }
    for (const watch of this.byId.get(id) ?? []) if (watch.loose) watch.add({ event: state });
  }

  event(id: string, { n, event, at }: OrderEvent): void {
    for (const watch of this.byId.get(id) ?? []) if (n > watch.last) watch.add({ n, event, at });
  }

  /** The gateway no longer looks for the order. */
  unknown(id: string): void {
    this.followed.delete(id);
    startTimer(() => this.want(id), AGAIN_MS);
  }

  /** A new socket follows nothing yet, and a lagging one has missed events. */
  again(): void {
    this.followed.clear();
    for (const id of this.byId.keys()) this.want(id);
  }

  private want(id: string): void {
    if (!this.byId.has(id)) return;
    this.wanted.add(id);
    this.timer ??= startTimer(() => this.follow(), GATHER_MS);
  }

  private follow(): void {
    this.timer = undefined;
    const room = Math.min(MAX_FOLLOWED - this.followed.size, MAX_FOLLOWED_A_FRAME);
    const ids = [...this.wanted].filter((id) => this.byId.has(id)).slice(0, Math.max(room, 0));
    for (const id of ids) {
      this.wanted.delete(id);
      this.followed.add(id);
    }
    if (ids.length > 0) this.send({ type: "follow", orders: ids.map((id) => this.entry(id)) });
    if (this.wanted.size > 0 && this.followed.size < MAX_FOLLOWED)
      this.timer = startTimer(() => this.follow(), GATHER_MS);
  }

  private entry(id: string) {
    const all = [...(this.byId.get(id) ?? [])];
    const user = all[0]?.user;
    const after = Math.min(...all.map(({ last }) => last));
    return { id, after, ...(user === undefined ? {} : { user }) };
  }

  private remove(watch: Watch, own: Set<Watch>): void {
    own.delete(watch);
    if (own.size > 0) return;
    this.byId.delete(watch.id);
    this.wanted.delete(watch.id);
    if (!this.followed.delete(watch.id)) return;
    const { id, user } = watch;
    this.send({ type: "unfollow", orders: [{ id, ...(user === undefined ? {} : { user }) }] });
    if (this.wanted.size > 0) this.timer ??= startTimer(() => this.follow(), GATHER_MS);
  }
}

/** A cancelled order may still be refunded, and a failed payment retried. */
const endsFor = (event: string): boolean =>
  isFinished(event) && event !== "cancelled" && event !== "payment_failed";
