// Consumes a queue in every region as one of several competing consumers: payment workers,
// services. Its governor may make it rest before each message, or pause. A paused consumer finishes
// what is in flight and gives up its subscriptions, so that others get the messages, until it
// resumes. Messages whose work could not be finished go back to the queue the same way.
import type { Subscription } from "../../broker/subscriber.ts";
import { ignore } from "../../core/runtime/ignored.ts";
import type { Runtime, Timer } from "../../core/runtime/runtime.ts";
import type { RegionLink } from "../orders/relay.ts";
import type { Governing } from "./governing.ts";

export interface CompetingOptions {
  readonly runtime: Runtime;
  readonly regions: readonly RegionLink[];
  readonly subscribe: (link: RegionLink) => Subscription | Promise<Subscription>;
  /** Whether nothing is in flight. */
  readonly idle: () => boolean;
  /** undefined: never eases off. */
  readonly governing?: Governing | undefined;
  /** A reason to pause besides the governor. */
  readonly paused?: () => boolean;
}

/** How often to check whether to pause. */
const CHECK_MS = 250;
/**
 * On a pause, messages in flight have this long to finish. Then they go back to the queue and are
 * done again, here or elsewhere.
 */
const PAUSE_GRACE_MS = 10_000;
const MAX_REST_MS = 2_000;
/**
 * The least time between two returns of unfinished messages: what has just failed would fail again
 * at once.
 */
const RECYCLE_EVERY_MS = 2_000;

export class Competing {
  private subscriptions: Subscription[] = [];
  private timer: Timer | undefined;
  private paused = false;
  private stopping = false;
  private changing: Promise<unknown> = Promise.resolve();
  private lastTookMs = 0;
  private unfinished = false;
  private recycledMs = Number.NEGATIVE_INFINITY;

  constructor(private readonly options: CompetingOptions) {}

  /** Settles once every reachable broker delivers messages. */
  async start(): Promise<void> {
    await this.open();
    this.timer = this.options.runtime.startInterval(() => this.checkPause(), CHECK_MS);
  }

  /**
   * Does one message's work at the governor's pace. Work that first waits for its turn calls
   * `begun` when it has it: the rest follows the work, not the queue before it.
   */
  async work(work: (begun: () => void) => Promise<void>): Promise<void> {
    const restMs = this.options.governing?.restMs(this.lastTookMs, 1) ?? 0;
    if (restMs > 0) await this.options.runtime.sleep(Math.min(MAX_REST_MS, restMs));
    let startedMs = this.options.runtime.monotonicMs();
    let waiting = true;
    await work(() => {
      if (waiting) startedMs = this.options.runtime.monotonicMs();
      waiting = false;
    });
    this.lastTookMs = this.options.runtime.monotonicMs() - startedMs;
  }

  /** Stops new messages; settles when those in flight are done, or after `graceMs`. */
  async quiet(graceMs: number): Promise<void> {
    this.stopping = true;
    this.options.runtime.stopTimer(this.timer);
    await this.changing;
    await this.finish(graceMs);
  }

  /** Sends what is still in flight back to the queue. */
  async close(): Promise<void> {
    await Promise.all(this.subscriptions.splice(0).map((s) => s.close()));
  }

  /** A message could not be finished and stays unsettled: it goes back to the queue soon. */
  recycle(): void {
    this.unfinished = true;
  }

  private checkPause(): void {
    const { governing, paused: otherwise } = this.options;
    const paused = (governing?.paused ?? false) || (otherwise?.() ?? false);
    if (paused !== this.paused) {
      this.paused = paused;
      this.afterwards(() => (paused ? this.giveUp() : this.open()));
    } else if (this.unfinished && !paused && this.recycleDue()) {
      this.unfinished = false;
      this.recycledMs = this.options.runtime.monotonicMs();
      this.afterwards(() => this.giveUp().then(() => this.open()));
    }
  }

  private recycleDue(): boolean {
    return this.options.runtime.monotonicMs() - this.recycledMs >= RECYCLE_EVERY_MS;
  }

  private afterwards(change: () => Promise<void>): void {
    this.changing = this.changing.then(() => ignore(change(), "queue_resume"));
  }

  private async open(): Promise<void> {
    for (const link of this.options.regions) {
      if (this.stopping) return;
      const subscription = await this.options.subscribe(link);
      this.subscriptions.push(subscription);
      // If the broker is lost in the meantime, the reconnect restores the subscription.
      const started = ignore(subscription.start(), "subscription_open");
      if (link.consuming.up) await started;
    }
  }

  private async giveUp(): Promise<void> {
    await this.finish(PAUSE_GRACE_MS);
    if (!this.stopping) await this.close();
  }

  private async finish(graceMs: number): Promise<void> {
    await Promise.all(this.subscriptions.map((s) => s.quiet()));
    for (
      const end = this.options.runtime.monotonicMs() + graceMs;
      !this.options.idle() && this.options.runtime.monotonicMs() < end;
    )
      await this.options.runtime.sleep(20);
  }
}
