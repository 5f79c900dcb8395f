// A payment worker: competes for payment requests, asks the provider, and sends the answers to the
// order's shard. It stores nothing itself.
//
//  1. A message is acknowledged only once the broker has the answers to all its requests. Another
//     worker repeats unfinished requests, with the same keys.
//  2. Nothing is retried while its message waits: an indefinite result is answered `later`, and the
//     ledger asks again at its due time.
//  3. A malformed request is dead-lettered alone, with its order's name.
//  4. While the provider fails for everyone, the breaker is open and nothing is consumed.
//  5. The requests of a message that went back to the queue start no more calls.
import { type Delivery, type Disposition, Subscription } from "../../broker/subscriber.ts";
import { ORDERS_EXCHANGE, PAYMENTS, PAYMENTS_DEAD } from "../../broker/topology.ts";
import {
  type AnswerWord,
  chargeKey,
  type PaymentRequest,
  putOffText,
  readPaymentRequest,
} from "../../core/domain/charge.ts";
import { messageOf } from "../../core/domain/message-of.ts";
import { answerRow } from "../../core/domain/row.ts";
import { shardOf } from "../../core/domain/shard.ts";
import { traceIdOf } from "../../core/domain/trace.ts";
import type { SpanRecorder } from "../../core/metrics/spans.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";
import { Competing } from "../governor/competing.ts";
import type { Governing } from "../governor/governing.ts";
import type { RegionLink } from "../orders/relay.ts";
import { RowLanes } from "../orders/row-lanes.ts";
import { deadLetterRequest } from "./bad-request.ts";
import { Breaker } from "./breaker.ts";
import { Gate } from "./gate.ts";
import type { PaymentProvider } from "./provider.ts";
import { ProviderHealth } from "./provider-health.ts";
import { chargeTurn, type Later, lookUpTurn, refundTurn, type Turn } from "./turn.ts";

export interface PaymentWorkerOptions {
  readonly runtime: Runtime;
  readonly id: string;
  readonly regions: readonly RegionLink[];
  readonly provider: PaymentProvider;
  readonly shards: number;
  /** A charge unknown for longer is given up: its order fails, and it is only looked up. */
  readonly unknownMaxMs: number;
  /** An obligation unknown for longer is left to an operator. */
  readonly settleMaxMs: number;
  readonly spans?: SpanRecorder | undefined;
  readonly governing?: Governing | undefined;
  readonly log: (event: string, detail: Record<string, unknown>) => void;
}

/**
 * In messages; each holds up to 100 requests and takes as long as its slowest call. Small ones must
 * keep a slow provider busy; of full ones, more would wait here while another worker is idle.
 */
const PREFETCH = 16;
/**
 * Requests at the provider at once. Bun has as many connections: further calls would wait in it,
 * and use up their time there.
 */
const CALLS_AT_ONCE = 256;
const FAILURES_TO_PAUSE = 20;
const PAUSE_MS = 1_000;
const MAX_PAUSE_MS = 15_000;

/** A message while this worker has it. */
interface Held {
  readonly link: RegionLink;
  /** Whether calls may still start for it. */
  readonly live: () => boolean;
  /** Its first request has its turn. */
  readonly begun: () => void;
}

export class PaymentWorker {
  private readonly competing: Competing;
  private readonly lanes: RowLanes;
  private readonly breaker: Breaker;
  /** Failures that the breaker does not open for yet. */
  readonly health: ProviderHealth;
  private readonly gate = new Gate(CALLS_AT_ONCE);
  private stopped = false;
  private underWay = 0;
  /** Answers sent to the shards, by word. */
  readonly counts: Record<string, number> = {};

  constructor(private readonly options: PaymentWorkerOptions) {
    const { runtime, id, regions, shards, governing } = options;
    this.lanes = new RowLanes({ runtime, id, regions, shards, exchange: ORDERS_EXCHANGE });
    this.breaker = new Breaker({
      failures: FAILURES_TO_PAUSE,
      pauseMs: PAUSE_MS,
      maxPauseMs: MAX_PAUSE_MS,
      now: runtime.monotonicMs,
      onChange: (state, why) => options.log("provider breaker", { state, why }),
    });
    this.health = new ProviderHealth(runtime, options.log);
    this.competing = new Competing({
      runtime,
      regions,
      governing,
      subscribe: (link) => this.subscribe(link),
      idle: () => this.underWay === 0,
      paused: () => this.breaker.pausing, // 4
    });
  }

  start(): Promise<void> {
    return this.competing.start();
  }

  /** Requests in flight. */
  get load(): number {
    return this.underWay;
  }

  get breakerState(): string {
    return this.breaker.state;
  }

  /** Quiet, then stop: requests in flight may finish within `graceMs`; the rest stay queued. */
  async stop(graceMs = 5_000): Promise<void> {
    await this.competing.quiet(graceMs);
    this.stopped = true;
    this.gate.sweep();
    await this.lanes.stop();
    await this.competing.close();
  }

  private subscribe(link: RegionLink): Subscription {
    return new Subscription(link.consuming, {
      queue: PAYMENTS,
      prefetch: PREFETCH,
      independent: true,
      dead: { publisher: link.publisher, queue: PAYMENTS_DEAD },
      onLost: () => this.gate.sweep(), // 5
      handler: (delivery, settle, current) => {
        const live = () => current() && !this.stopped;
        void this.competing.work((begun) => this.accept({ link, live, begun }, delivery, settle));
      },
    });
  }

  private async accept(
    held: Held,
    delivery: Delivery,
    settle: (disposition: Disposition) => void,
  ): Promise<void> {
    const requests = readList(delivery.body);
    if (!requests) return settle({ kind: "dead", reason: "not a list of payment requests" });
    const done = await Promise.all(requests.map((request) => this.one(held, request)));
    held.begun(); // none of its requests may have had a turn
    if (!held.live()) return;
    if (done.every(Boolean))
      settle("ack"); // 1
    // Back to the queue: all its requests are repeated, with the same keys.
    else this.competing.recycle();
  }

  /** Whether the broker has every answer to this request. */
  private async one(held: Held, value: unknown): Promise<boolean> {
    this.underWay++;
    try {
      const request = readPaymentRequest(value);
      if (!request) return await deadLetterRequest(held.link.publisher, value); // 3
      return await this.settle(held, request);
    } catch (error) {
      const request = readPaymentRequest(value);
      const key = request ? chargeKey(request) : "";
      const trace = request?.traceparent ? { traceId: traceIdOf(request.traceparent) } : {};
      this.options.log("payment request not settled", { key, ...trace, error: messageOf(error) });
      return false;
    } finally {
      this.underWay--;
    }
  }

  private async settle(held: Held, request: PaymentRequest): Promise<boolean> {
    const startMs = this.options.runtime.wallMs();
    const turn = await this.turn(held, request);
    if (!turn) return false;
    if (turn.word === "later")
      await this.putOff(request, startMs, turn); // 2
    else await this.answer(request, startMs, turn.word, turn.detail);
    if ("gone" in turn && turn.gone) await this.answer(request, startMs, turn.gone, "looked up");
    return true;
  }

  /** undefined: the provider may not be called now. */
  private async turn(held: Held, request: PaymentRequest): Promise<Turn | undefined> {
    if (request.amount === 0 && request.kind !== "lookup") {
      held.begun();
      return NOTHING_TO_PAY[request.kind];
    }
    return this.gate.pass(held.live, () => this.askIfAllowed(held, request));
  }

  private async askIfAllowed(held: Held, request: PaymentRequest): Promise<Turn | undefined> {
    held.begun();
    if (!(await this.allowed(held))) return undefined;
    const turn = await this.ask(request);
    if (turn.word === "later" && !turn.served) {
      this.health.failed(turn.why);
      this.breaker.failed(turn.why);
    } else {
      this.health.succeeded();
      this.breaker.succeeded();
    }
    return turn;
  }

  private ask(request: PaymentRequest): Promise<Turn> {
    const { provider } = this.options;
    switch (request.kind) {
      case "charge":
        return chargeTurn(request, provider);
      case "lookup":
        return lookUpTurn(request, provider);
      case "refund":
        return refundTurn(request, provider);
    }
  }

  /** Waits for the breaker's probe to finish, but no longer. */
  private async allowed({ live }: Held): Promise<boolean> {
    while (live()) {
      const waitMs = this.breaker.waitMs();
      if (waitMs === 0) return true;
      if (this.breaker.pausing) return false; // 4
      await this.options.runtime.sleep(waitMs);
    }
    return false;
  }

  /** Asks again later, unless the result has been unknown for too long. */
  private putOff(request: PaymentRequest, startMs: number, turn: Later): Promise<void> {
    const { unknownMaxMs, settleMaxMs } = this.options;
    const inVainMs = this.inVainMs(request);
    const { why, waitMs } = turn;
    if (request.kind === "charge" && inVainMs >= unknownMaxMs)
      return this.answer(request, startMs, "unknown", `unknown for too long: ${why}`);
    if (request.kind !== "charge" && inVainMs >= settleMaxMs) {
      // After this long, a provider with no trace of a charge has never received it.
      if (turn.none) return this.answer(request, startMs, "failed", why);
      return this.answer(request, startMs, "unresolved", `unknown for too long: ${why}`);
    }
    const detail = putOffText({ request: request.request ?? 1, waitMs, why });
    return this.answer(request, startMs, "later", detail);
  }

  /**
   * How long its result has been unknown. The ledger knows by Redis's clock; this machine's may
   * have jumped, and only counts for requests that do not say it.
   */
  private inVainMs({ waitedMs, sinceMs }: PaymentRequest): number {
    if (waitedMs !== undefined) return waitedMs;
    return sinceMs === undefined ? 0 : this.options.runtime.wallMs() - sinceMs;
  }

  private answer(
    request: PaymentRequest,
    startMs: number,
    word: AnswerWord,
    detail: string,
  ): Promise<void> {
    this.counts[word] = (this.counts[word] ?? 0) + 1;
    if (word !== "later") this.trace(request, startMs, word, detail);
    const row = answerRow(request, word, detail, this.options.runtime.wallMs());
    return this.lanes.send(shardOf(request.user, this.options.shards), row);
  }

  private trace(request: PaymentRequest, startMs: number, word: AnswerWord, detail: string): void {
    const { kind: name, traceparent, user, id, generation, attempt } = request;
    if (!traceparent) return;
    const attributes = {
      "sluice.user": user,
      "sluice.order": id,
      "sluice.generation": generation,
      "sluice.attempt": attempt,
      "sluice.outcome": word,
    };
    const failed = FAILED.has(word) ? { failed: detail } : {};
    const endMs = this.options.runtime.wallMs();
    this.options.spans?.record({ name, traceparent, startMs, endMs, attributes, ...failed });
  }
}

const FAILED: ReadonlySet<AnswerWord> = new Set([
  "failed",
  "unknown",
  "refund_failed",
  "unresolved",
]);

const NOTHING_TO_PAY = {
  charge: { word: "captured", detail: "nothing to pay" },
  refund: { word: "refunded", detail: "nothing to pay" },
} as const;

/** undefined: not a message of ours. */
function readList(body: Buffer): readonly unknown[] | undefined {
  try {
    const list: unknown = JSON.parse(body.toString());
    return Array.isArray(list) && list.length > 0 ? list : undefined;
  } catch {
    return undefined;
  }
}
