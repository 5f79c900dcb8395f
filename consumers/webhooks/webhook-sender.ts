// Sends webhooks: holds leases on a share of the endpoints, and runs a sender for each. Senders use
// the ledger's clock: one whose own is days ahead would give up at once what others have tried, and
// leave its own tries due in days.
import { messageOf } from "../../core/domain/message-of.ts";
import { Histogram } from "../../core/metrics/histogram.ts";
import { ignore } from "../../core/runtime/ignored.ts";
import { KeptConnections } from "../../core/runtime/kept-connections.ts";
import type { Timer } from "../../core/runtime/runtime.ts";
import type { Ledger } from "../../ledger/contract.ts";
import type { Delivery, EndpointLease } from "../../ledger/webhook-contract.ts";
import { type DeliveryOptions, deliver } from "./delivery.ts";
import { EndpointSender } from "./endpoint-sender.ts";
import type { SenderTimes } from "./round-outcome.ts";

export interface WebhookSenderOptions extends Omit<DeliveryOptions, "now"> {
  /** Unique to the process. */
  readonly id: string;
  readonly ledger: Pick<Ledger, "feed" | "webhooks">;
  readonly leaseMs: number;
  readonly times: SenderTimes;
  readonly log: (event: string, detail: Record<string, unknown>) => void;
}

/** How often an idle endpoint is checked. */
const IDLE_MS = 200;
const BEATS_PER_LEASE = 3;

interface Running {
  readonly sender: EndpointSender;
  readonly ended: Promise<void>;
}

export class WebhookSender {
  readonly counts: Record<Delivery["outcome"], number> = { delivered: 0, failed: 0, given_up: 0 };
  readonly took = new Histogram();
  /** Endpoints of all senders, at the last beat; undefined: not read yet. */
  paused: number | undefined;
  ledgerUp = true;
  private readonly running = new Map<string, Running>();
  private timer: Timer | undefined;
  private beating: Promise<void> = Promise.resolve();
  /** When the last beat that succeeded began, monotonic ms. */
  private beatAtMs = Number.NEGATIVE_INFINITY;
  /** How far the ledger's clock is ahead of the monotonic one, ms. */
  private aheadMs = 0;
  private stopped = false;

  constructor(private readonly options: WebhookSenderOptions) {}

  get endpoints(): number {
    return this.running.size;
  }

  get held(): number {
    return [...this.running.values()].reduce((sum, { sender }) => sum + sender.held, 0);
  }

  async start(): Promise<void> {
    await this.beatSafely();
    this.plan();
  }

  /** Requests in flight may end; then the leases go to others at once. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.options.runtime.stopTimer(this.timer);
    await this.beating;
    await this.release([...this.running.values()]);
    await ignore(this.options.ledger.webhooks.release(this.options.id, [], true), "release");
  }

  private plan(): void {
    if (this.stopped) return;
    const { runtime, leaseMs } = this.options;
    this.timer = runtime.startTimer(() => {
      this.beating = this.beatSafely().then(() => this.plan());
    }, leaseMs / BEATS_PER_LEASE);
  }

  private async beatSafely(): Promise<void> {
    try {
      await this.beat();
      this.ledgerUp = true;
    } catch (error) {
      this.ledgerUp = false;
      this.options.log("webhook leases not renewed", { error: messageOf(error) });
    }
  }

  private async beat(): Promise<void> {
    const { id, ledger, leaseMs, runtime } = this.options;
    const { webhooks } = ledger;
    const startedMs = runtime.monotonicMs();
    const leases = [...this.running.values()].map(({ sender }) => sender.lease);
    const endpoints = await webhooks.list();
    this.paused = endpoints.filter(({ paused }) => paused !== undefined).length;
    // Without endpoints a sender writes nothing.
    if (leases.length === 0 && this.paused === endpoints.length) return;
    this.aheadMs = (await webhooks.nowMs()) - runtime.monotonicMs();
    const kept = new Set(
      (await webhooks.beat(id, leaseMs, leases)).map(({ endpoint }) => endpoint),
    );
    this.beatAtMs = startedMs;
    for (const { endpoint } of leases) {
      if (kept.has(endpoint)) continue;
      this.running.get(endpoint)?.sender.stop();
      this.running.delete(endpoint);
    }
    const extra = this.running.size - (await webhooks.share());
    if (extra > 0) await this.release([...this.running.values()].slice(0, extra));
    for (const lease of await webhooks.claim(id, leaseMs, this.running.size)) this.begin(lease);
  }

  private begin(lease: EndpointLease): void {
    const { runtime, ledger, times, leaseMs, log } = this.options;
    const now = () => Math.round(runtime.monotonicMs() + this.aheadMs);
    const kept = new KeptConnections(runtime);
    const sender = new EndpointSender({
      ...{ runtime, now, ledger, lease, times, log },
      holds: () => runtime.monotonicMs() - this.beatAtMs < leaseMs,
      count: (outcome) => {
        this.counts[outcome]++;
      },
      send: async (event, stopped) => {
        const options = { ...this.options, now, keepalive: kept.usable };
        const answer = await deliver(options, lease, event, stopped);
        if (answer.status === 0) kept.unanswered();
        else kept.answered();
        this.took.observe(answer.tookMs / 1_000);
        return answer;
      },
    });
    const running = { sender, ended: this.run(sender) };
    this.running.set(lease.endpoint, running);
  }

  /**
   * After an error of the ledger it is not known what was written: the lease is given up, and its
   * next holder reads where to continue.
   */
  private async run(sender: EndpointSender): Promise<void> {
    const { runtime, log, ledger, id } = this.options;
    const { endpoint } = sender.lease;
    try {
      for (;;) {
        const round = await sender.round();
        if (round === "lost" || round === "paused" || sender.ending) break;
        await runtime.sleep(round === "idle" ? IDLE_MS : 0);
        if (sender.ending) break;
      }
    } catch (error) {
      log("webhooks not sent", { endpoint, error: messageOf(error) });
      await ignore(ledger.webhooks.release(id, [sender.lease], false), "release");
    }
    if (this.running.get(endpoint)?.sender === sender) this.running.delete(endpoint);
  }

  private async release(all: readonly Running[]): Promise<void> {
    const { id, ledger } = this.options;
    for (const { sender } of all) sender.quiet();
    await Promise.all(all.map(({ ended }) => ended));
    const leases = all.map(({ sender }) => sender.lease);
    await ignore(ledger.webhooks.release(id, leases, false), "release");
    for (const { endpoint } of leases) this.running.delete(endpoint);
  }
}
