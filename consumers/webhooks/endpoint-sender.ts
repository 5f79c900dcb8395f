// Delivers the events of one endpoint, round by round, while this process holds its lease.
//
//   1. An event is sent only after the earlier ones of its order were received or given up. One
//      that fails holds the later events of its order back, and of no other.
//   2. The position moves past an event only once it was received, is held, or is not wanted. All
//      that a round changes is written in one transaction, fenced by the lease. So a sender that is
//      killed loses nothing: the next one sends again what was not written, under the same ids.
//   3. While the receiver fails for several orders in succession, one event at a time is tried.
//   4. With MAX_HELD events held, nothing further is read.
import { at } from "../../core/domain/at.ts";
import type { FeedEvent } from "../../core/domain/feed-event.ts";
import type { FeedPosition } from "../../core/domain/feed-position.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";
import type { Ledger } from "../../ledger/contract.ts";
import { type Delivery, type EndpointLease, MAX_HELD } from "../../ledger/webhook-contract.ts";
import type { Answer } from "./delivery.ts";
import { HeldEvents, lineOf, waiting } from "./held-events.ts";
import { RoundOutcome, type SenderTimes, type Try, waitFor } from "./round-outcome.ts";

export interface EndpointSenderOptions {
  readonly runtime: Runtime;
  /** The ledger's clock, Unix ms. */
  readonly now: () => number;
  readonly ledger: Pick<Ledger, "feed" | "webhooks">;
  readonly lease: EndpointLease;
  readonly times: SenderTimes;
  readonly send: (event: FeedEvent, stopped: AbortSignal) => Promise<Answer>;
  /** Whether the lease is still good, by this process's monotonic clock. */
  readonly holds: () => boolean;
  readonly count: (outcome: Delivery["outcome"]) => void;
  readonly log: (event: string, detail: Record<string, unknown>) => void;
}

/** Events read at once. */
const PAGE = 100;
/** Requests to one endpoint in flight. */
const AT_ONCE = 16;
/** After failures of this many orders in succession the receiver itself counts as failing (3). */
const FAILING_ORDERS = 5;
/** How often an idle sender looks for redeliveries. */
const REREAD_MS = 1_000;

/** `idle`: nothing to do now. `lost`: the lease is. `paused`: the endpoint is. */
export type Round = "busy" | "idle" | "lost" | "paused";

export class EndpointSender {
  private readonly stopped = new AbortController();
  private heldEvents = new HeldEvents([]);
  private readAtMs = Number.NEGATIVE_INFINITY;
  private position: FeedPosition;
  private readonly failedOrders = new Set<string>();
  private failingSinceMs: number;
  /** The next try while the receiver is failing, by the ledger's clock. */
  private probeAtMs = 0;
  private stopping = false;

  constructor(private readonly options: EndpointSenderOptions) {
    this.position = options.lease.position;
    this.failingSinceMs = options.lease.failingSinceMs;
  }

  get held(): number {
    return this.heldEvents.size;
  }

  get lease(): EndpointLease {
    return this.options.lease;
  }

  get ending(): boolean {
    return this.stopping;
  }

  /** Begins no further request; the round under way records what was received. */
  quiet(): void {
    this.stopping = true;
  }

  /** Ends requests in flight. */
  stop(): void {
    this.stopping = true;
    this.stopped.abort();
  }

  /** Sends what is due and a page of new events, and records the results. */
  async round(): Promise<Round> {
    const { runtime, ledger } = this.options;
    if (!this.options.holds()) return "idle";
    if (runtime.monotonicMs() - this.readAtMs > REREAD_MS) await this.readHeld();
    const retries = this.retriesAt(this.options.now());
    const page =
      this.heldEvents.size >= MAX_HELD ? undefined : await ledger.feed(this.position, PAGE); // 4
    if (page === "gone") return this.pausedFor(await this.lostPlace());
    const after = page?.after ?? this.position;
    if (retries.length === 0 && after.check === this.position.check) return "idle";
    const outcome = new RoundOutcome(this.options.times);
    const wanted = (page?.events ?? []).filter(({ type }) => this.wants(type));
    await this.sendAll(retries, wanted, outcome);
    return this.write(outcome, after);
  }

  private wants(type: FeedEvent["type"]): boolean {
    const { types } = this.lease;
    return types.length === 0 || types.includes(type);
  }

  private get failing(): boolean {
    return this.failedOrders.size >= FAILING_ORDERS;
  }

  private retriesAt(nowMs: number): Try[] {
    if (this.failing && nowMs < this.probeAtMs) return [];
    const due = this.heldEvents.due(nowMs).slice(0, this.failing ? 1 : PAGE); // 3
    return due.map((held) => ({ event: held.event, held }));
  }

  private async sendAll(
    retries: readonly Try[],
    wanted: readonly FeedEvent[],
    outcome: RoundOutcome,
  ): Promise<void> {
    const nowMs = this.options.now();
    const probing = this.failing;
    const lines = Map.groupBy(wanted, lineOf);
    const jobs: (() => Promise<unknown>)[] = retries.map((one) => () => this.try(one, outcome));
    for (const line of lines.values()) {
      // Events behind a held one wait too, even if this round delivers it (1).
      if (probing || this.heldEvents.blocks(at(line, 0)))
        outcome.add.push(...line.map((event) => waiting(event, nowMs)));
      else jobs.push(() => this.sendLine(line, outcome));
    }
    const next = jobs.values();
    const lane = async () => {
      for (const job of next) await job();
    };
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, jobs.length) }, lane));
  }

  /** New events of one order, one after the other; those behind a failed one are held (1). */
  private async sendLine(line: readonly FeedEvent[], outcome: RoundOutcome): Promise<void> {
    for (let i = 0; i < line.length; i++) {
      const result = this.failing ? "untried" : await this.try({ event: at(line, i) }, outcome);
      if (result === "delivered") continue;
      const rest = line.slice(result === "untried" ? i : i + 1);
      const nowMs = this.options.now();
      outcome.add.push(...rest.map((event) => waiting(event, nowMs)));
      return;
    }
  }

  /** `untried`: this sender may send no more, or was stopped before there was an answer. */
  private async try(one: Try, outcome: RoundOutcome): Promise<Delivery["outcome"] | "untried"> {
    if (this.stopping || !this.options.holds()) return "untried";
    const answer = await this.options.send(one.event, this.stopped.signal);
    if (!answer.received && this.stopped.signal.aborted) return "untried";
    const nowMs = this.options.now();
    const result = outcome.note(one, answer, nowMs);
    this.options.count(result);
    if (answer.received) this.failedOrders.clear();
    else {
      this.failedOrders.add(lineOf(one.event));
      this.probeAtMs = nowMs + waitFor(this.options.times, this.failingSinceMs || nowMs, nowMs);
    }
    return result;
  }

  /** One transaction for the whole round (2). */
  private async write(outcome: RoundOutcome, position: FeedPosition): Promise<Round> {
    const { ledger, now, times } = this.options;
    const nowMs = now();
    const { add, retry, drop, log, lastError, succeededMs } = outcome;
    if (succeededMs > 0) this.failingSinceMs = 0;
    else if (lastError !== "") this.failingSinceMs ||= nowMs;
    const { failingSinceMs } = this;
    const pause = pauseReason(outcome, failingSinceMs, nowMs, times);
    const health = { failingSinceMs, lastError, succeededMs, pause };
    const progress = { position, add, retry, drop, log, ...health };
    if (!(await ledger.webhooks.advance(this.lease, progress))) return "lost";
    this.position = position;
    if (pause !== undefined) return this.pausedFor(pause);
    if (outcome.heldChanged) await this.readHeld();
    return "busy";
  }

  private async readHeld(): Promise<void> {
    const { ledger, runtime } = this.options;
    this.heldEvents = new HeldEvents(await ledger.webhooks.held(this.lease.endpoint));
    this.readAtMs = runtime.monotonicMs();
  }

  /** The ledger has gone back: only people can find out which events the receiver has. */
  private async lostPlace(): Promise<string> {
    const why = "the ledger no longer has its position: remove it, and add it again";
    await this.options.ledger.webhooks.pause(this.lease.endpoint, "sluice", why);
    return why;
  }

  private pausedFor(why: string): Round {
    const { endpoint, url } = this.lease;
    this.options.log("webhook endpoint paused", { endpoint, url, why });
    return "paused";
  }
}

function pauseReason(
  { gone, lastError }: RoundOutcome,
  failingSinceMs: number,
  nowMs: number,
  { pauseAfterMs }: SenderTimes,
): string | undefined {
  if (gone) return "the receiver answered 410: it wants no more events";
  if (failingSinceMs === 0 || lastError === "" || nowMs - failingSinceMs < pauseAfterMs)
    return undefined;
  return `no delivery succeeded since ${new Date(failingSinceMs).toISOString()}: ${lastError}`;
}
