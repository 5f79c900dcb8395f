// A queue's messages in every region, for a worker that competes with others for them: payment workers, services. Its governor has it rest before each message,
// or pause: then it gives its subscriptions up, so that others get the messages, and takes them again when it resumes. What is in hand is finished.
import type { Subscription } from "../broker/subscriber.ts";
import type { Governing } from "./governor/governing.ts";
import type { RegionLink } from "./relay.ts";

export interface CompetingOptions {
  readonly regions: readonly RegionLink[];
  readonly subscribe: (link: RegionLink) => Subscription | Promise<Subscription>;
  /** Whether nothing is in hand. */
  readonly idle: () => boolean;
  /** undefined: it never eases off. */
  readonly governing?: Governing | undefined;
}

/** How often the governor is asked whether to pause. */
const LOOK_MS = 250;
/** What is in hand has this long to be finished at a pause; then it goes back to the queue, and is done by another or again. */
const PAUSE_GRACE_MS = 10_000;
const MAX_REST_MS = 2_000;

export class Competing {
  private subscriptions: Subscription[] = [];
  private timer: ReturnType<typeof setInterval> | undefined;
  private paused = false;
  private stopping = false;
  private changing: Promise<void> = Promise.resolve();
  private lastTookMs = 0;

  constructor(private readonly options: CompetingOptions) {}

  /** Settles once the brokers that are there send messages. */
  async start(): Promise<void> {
    await this.open();
    if (this.options.governing) this.timer = setInterval(() => this.look(), LOOK_MS);
  }

  /** Does a message's work at the governor's pace. */
  async work(work: () => Promise<void>): Promise<void> {
    const restMs = this.options.governing?.restMs(this.lastTookMs, 1) ?? 0;
    if (restMs > 0) await Bun.sleep(Math.min(MAX_REST_MS, restMs));
    const startedMs = performance.now();
    await work();
    this.lastTookMs = performance.now() - startedMs;
  }

  /** No new messages; settles when what is in hand is done, or after `graceMs`. */
  async quiet(graceMs: number): Promise<void> {
    this.stopping = true;
    clearInterval(this.timer);
    await this.changing;
    await this.finish(graceMs);
  }

  /** What is still in hand goes back to the queue. */
  async close(): Promise<void> {
    await Promise.all(this.subscriptions.splice(0).map((s) => s.close()));
  }

  private look(): void {
    const paused = this.options.governing?.paused ?? false;
    if (paused === this.paused) return;
    this.paused = paused;
    this.changing = this.changing
      .then(() => (paused ? this.giveUp() : this.open()))
      .catch(() => undefined);
  }

  private async open(): Promise<void> {
    for (const link of this.options.regions) {
      if (this.stopping) return;
      const subscription = await this.options.subscribe(link);
      this.subscriptions.push(subscription);
      // A broker that is lost meanwhile brings its subscription back with it.
      const started = subscription.start().catch(() => undefined);
      if (link.consuming.up) await started;
    }
  }

  private async giveUp(): Promise<void> {
    await this.finish(PAUSE_GRACE_MS);
    if (!this.stopping) await this.close();
  }

  private async finish(graceMs: number): Promise<void> {
    await Promise.all(this.subscriptions.map((s) => s.quiet()));
    for (const end = performance.now() + graceMs; !this.options.idle() && performance.now() < end; )
      await Bun.sleep(20);
  }
}
