// What the stub's parts share: its record, its webhooks, and what it does later.

import type { Runtime, Timer } from "../../core/runtime/runtime.ts";
import { failed } from "./answers.ts";
import type { Shares } from "./behaviour.ts";
import type { Book } from "./book.ts";
import { Webhooks } from "./webhooks.ts";

export interface ProviderOptions {
  readonly runtime: Runtime;
  readonly file: string;
  /** The loopback unless said otherwise: it is for trying things out. */
  readonly host?: string;
  readonly port: number;
  readonly shares: Shares;
  readonly seed: number;
  /** Where webhooks go; none are sent without it. */
  readonly webhookUrl?: string;
  /** What they are signed with, a signature each. */
  readonly webhookSecrets: readonly string[];
  /** How long a call hangs that gets no answer, ms. */
  readonly hangMs?: number;
  /** How long a slow one takes, ms. */
  readonly slowMs?: number;
  /** How long a pending charge or refund stays pending, ms. */
  readonly pendingMs?: number;
  /** … and one that is captured much later, ms. */
  readonly lateCaptureMs?: number;
  /** From a capture until it is disputed or given back, ms. */
  readonly afterwardsMs?: number;
}

const DEFAULTS = {
  hangMs: 30_000,
  slowMs: 800,
  pendingMs: 1_500,
  lateCaptureMs: 8_000,
  afterwardsMs: 1_000,
};

export class Desk {
  readonly options: ProviderOptions & typeof DEFAULTS;
  readonly webhooks: Webhooks;
  private readonly timers = new Set<Timer>();
  private planned = 0;

  constructor(
    options: ProviderOptions,
    readonly book: Book,
  ) {
    this.options = { ...DEFAULTS, ...options };
    this.webhooks = new Webhooks(options.runtime, options.webhookUrl, options.webhookSecrets);
  }

  /** No answer, for as long as anybody waits. */
  async hang(): Promise<Response> {
    await new Promise<void>((resolve) => this.after(this.options.hangMs, resolve));
    return failed(504, "gateway timeout");
  }

  /** What is still to come of it without being asked: changes, and webhooks. */
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
