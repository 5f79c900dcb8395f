// A queue's messages in every region, for a worker that competes with others for them: payment
// workers, services. Its governor has it rest before each message, or pause: then it gives its
// subscriptions up, so that others get the messages, and takes them again when it resumes. What is
// in flight is finished. A message whose work could not be finished goes back the same way.
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
  /** undefined: it never eases off. */
  readonly governing?: Governing | undefined;
  /** Another reason to pause than the governor's. */
  readonly paused?: () => boolean;
}

/** How often it is asked whether to pause. */
const LOOK_MS = 250;
/**
 * What is in flight has this long to be finished at a pause; then it goes back to the queue, and is
 * done by another or again.
 */
const PAUSE_GRACE_MS = 10_000;
const MAX_REST_MS = 2_000;
/**
 * Between two times at which unfinished messages go back: what failed just now fails again at once.
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

  /** Settles once the brokers that are there send messages. */
  async start(): Promise<void> {
    await this.open();
    this.timer = this.options.runtime.startInterval(() => this.look(), LOOK_MS);
  }

  /** Does a message's work at the governor's pace. */
  async work(work: () => Promise<void>): Promise<void> {
    const restMs = this.options.governing?.restMs(this.lastTookMs, 1) ?? 0;
    if (restMs > 0) await this.options.runtime.sleep(Math.min(MAX_REST_MS, restMs));
    const startedMs = this.options.runtime.monotonicMs();
    await work();
    this.lastTookMs = this.options.runtime.monotonicMs() - startedMs;
  }

  /** No new messages; settles when what is in flight is done, or after `graceMs`. */
  async quiet(graceMs: number): Promise<void> {
    this.stopping = true;
    this.options.runtime.stopTimer(this.timer);
    await this.changing;
    await this.finish(graceMs);
  }

  /** What is still in flight goes back to the queue. */
  async close(): Promise<void> {
    await Promise.all(this.subscriptions.splice(0).map((s) => s.close()));
  }

  /** A message could not be finished and is not settled: it is to go back to the queue soon. */
  recycle(): void {
    this.unfinished = true;
  }

  private look(): void {
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
      // A broker that is lost meanwhile brings its subscription back with it.
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
