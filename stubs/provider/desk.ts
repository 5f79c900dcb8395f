// State shared by the stub's parts: its record, its webhooks and its delayed actions.

import type { Runtime, Timer } from "../../core/runtime/runtime.ts";
import { failed } from "./answers.ts";
import type { Shares } from "./behaviour.ts";
import type { Book } from "./book.ts";
import { Webhooks } from "./webhooks.ts";

export interface ProviderOptions {
  readonly runtime: Runtime;
  readonly file: string;
  /** Loopback by default: the stub is for trials. */
  readonly host?: string;
  readonly port: number;
  readonly shares: Shares;
  readonly seed: number;
  /** Webhooks go here; without it none are sent. */
  readonly webhookUrl?: string;
  /** Signing secrets; each adds a signature. */
  readonly webhookSecrets: readonly string[];
  readonly delays?: Partial<Delays>;
}

export interface Delays {
  /** How long an unanswered call hangs, ms. */
  readonly hangMs: number;
  /** How long a slow call takes, ms. */
  readonly slowMs: number;
  /** How long a pending charge or refund stays pending, ms. */
  readonly pendingMs: number;
  /** How long until a late capture, ms. */
  readonly lateCaptureMs: number;
  /** From a capture to its dispute or return, ms. */
  readonly afterwardsMs: number;
}

const DELAYS: Delays = {
  hangMs: 30_000,
  slowMs: 800,
  pendingMs: 1_500,
  lateCaptureMs: 8_000,
  afterwardsMs: 1_000,
};

export class Desk {
  readonly delays: Delays;
  readonly webhooks: Webhooks;
  /** Shares of misbehaviours among new charges. */
  shares: Shares;
  private readonly timers = new Set<Timer>();
  private planned = 0;

  constructor(
    readonly options: ProviderOptions,
    readonly book: Book,
  ) {
    this.shares = options.shares;
    this.delays = { ...DELAYS, ...options.delays };
    this.webhooks = new Webhooks(options.runtime, options.webhookUrl, options.webhookSecrets);
  }

  /** Gives no answer until the client stops waiting. */
  async hang(): Promise<Response> {
    await new Promise<void>((resolve) => this.after(this.delays.hangMs, resolve));
    return failed(504, "gateway timeout");
  }

  /** Attempts of webhooks that got no answer. */
  get unanswered(): number {
    return this.webhooks.unanswered;
  }

  /** Changes and webhooks that are still due. */
  get open(): number {
    return this.planned + this.webhooks.open;
  }

  later(ms: number, work: () => Promise<unknown>): void {
    this.planned++;
    this.after(ms, () => work().finally(() => this.planned--));
  }

  private after(ms: number, work: () => unknown): void {
    const timer = this.options.runtime.startTimer(() => {
      this.timers.delete(timer);
      void work();
    }, ms);
    this.timers.add(timer);
  }

  stop(): void {
    for (const timer of this.timers) this.options.runtime.stopTimer(timer);
    this.webhooks.stop();
  }
}
