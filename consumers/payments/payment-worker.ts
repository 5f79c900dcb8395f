// A payment worker: competes with others for charges and refunds, asks the provider, and sends what it says back to the order's shard. It
// keeps nothing itself: a request is acknowledged only once the broker has the answer, so another worker asks again, with the same key,
// for whatever this one did not finish.
import { type Delivery, type Disposition, Subscription } from "../../broker/subscriber.ts";
import { PAYMENTS, PAYMENTS_DEAD, RETRIES } from "../../broker/topology.ts";
import {
  answerRowText,
  chargeKey,
  type PaymentRequest,
  type RefundRequest,
} from "../../core/domain/charge.ts";
import { traceIdOf } from "../../core/domain/trace.ts";
import type { SpanRecorder } from "../../core/spans.ts";
import { Competing } from "../competing.ts";
import type { Governing } from "../governor/governing.ts";
import type { RegionLink } from "../relay.ts";
import { Answers } from "./answers.ts";
import { Breaker } from "./breaker.ts";
import { charge } from "./charger.ts";
import type { PaymentProvider } from "./provider.ts";

export interface PaymentWorkerOptions {
  readonly regions: readonly RegionLink[];
  readonly provider: PaymentProvider;
  readonly shards: number;
  /** A charge that stays unknown for longer is given up; a capture that shows up later goes back. */
  readonly unknownMaxMs: number;
  readonly spans?: SpanRecorder | undefined;
  readonly governing?: Governing | undefined;
  readonly log: (event: string, detail: Record<string, unknown>) => void;
  /** Messages in hand at once, per region. */
  readonly prefetch?: number;
}

/** Messages; each holds up to 20 requests and takes as long as its slowest: so many that a few slow answers in each do not hold up the rest. */
const PREFETCH = 64;
const FAILURES_TO_PAUSE = 20;
const PAUSE_MS = 1_000;
const MAX_PAUSE_MS = 15_000;
/** Look-ups of a charge that is pending or unknown, then it goes back into a queue and is asked for again later. */
const LOOK_UP_AFTER_MS = [200, 400, 800, 1_600, 3_200];
const LATER_MS = 5_000;
const ASK_AGAIN_MS = 2_000;

export class PaymentWorker {
  private readonly competing: Competing;
  private readonly answers: Answers;
  private readonly breaker: Breaker;
  private stopped = false;
  private underWay = 0;
  /** Answers sent to the shards, by word. */
  readonly counts: Record<string, number> = {};

  constructor(private readonly options: PaymentWorkerOptions) {
    this.answers = new Answers(options.regions, options.shards);
    const { regions, governing } = options;
    this.competing = new Competing({
      regions,
      governing,
      subscribe: (link) => this.subscribe(link),
      idle: () => this.underWay === 0,
    });
    this.breaker = new Breaker({
      failures: FAILURES_TO_PAUSE,
      pauseMs: PAUSE_MS,
      maxPauseMs: MAX_PAUSE_MS,
      now: () => performance.now(),
      onChange: (state, why) => options.log("provider breaker", { state, why }),
    });
  }

  start(): Promise<void> {
    return this.competing.start();
  }

  /** Requests in hand. */
  get load(): number {
    return this.underWay;
  }

  get breakerState(): string {
    return this.breaker.state;
  }

  /** Quiet, then stop: what is in hand is finished if it is soon; the rest stays with the broker. */
  async stop(graceMs = 5_000): Promise<void> {
    await this.competing.quiet(graceMs);
    this.stopped = true;
    this.answers.stop();
    await this.competing.close();
  }

  private subscribe(link: RegionLink): Subscription {
    return new Subscription(link.connection, {
      queue: PAYMENTS,
      prefetch: this.options.prefetch ?? PREFETCH,
      independent: true,
      dead: { publisher: link.publisher, queue: PAYMENTS_DEAD },
      handler: (delivery, settle) =>
        void this.competing.work(() => this.accept(link, delivery, settle)),
    });
  }

  private async accept(
    link: RegionLink,
    delivery: Delivery,
    settle: (disposition: Disposition) => void,
  ): Promise<void> {
    const requests = readRequests(delivery.body);
    if (!requests) return settle({ kind: "dead", reason: "not a list of payment requests" });
    // Not all done: not acknowledged, and all are asked for again, with the same keys, when this worker goes.
    const done = await Promise.all(requests.map((request) => this.one(link, request)));
    if (done.every(Boolean) && !this.stopped) settle("ack");
  }

  private async one(link: RegionLink, request: PaymentRequest): Promise<boolean> {
    this.underWay++;
    try {
      while (!this.stopped) {
        try {
          return request.kind === "refund"
            ? await this.refund(request)
            : await this.charge(link, request);
        } catch (error) {
          // Asked again, with the same key: left alone it would hold its message, and its user's lane, for as long as this worker lives.
          this.options.log("payment failed to be asked for", {
            key: chargeKey(request),
            ...(request.traceparent ? { traceId: traceIdOf(request.traceparent) } : {}),
            error: (error as Error).message,
          });
          await Bun.sleep(ASK_AGAIN_MS);
        }
      }
      return false;
    } finally {
      this.underWay--;
    }
  }

  private async charge(
    link: RegionLink,
    request: PaymentRequest & { kind: "charge" },
  ): Promise<boolean> {
    const startMs = Date.now();
    if (request.amount === 0) {
      await this.answer(request, startMs, "captured", "nothing to pay");
      return true;
    }
    const result = await charge(request, {
      provider: this.options.provider,
      breaker: this.breaker,
      sleep: (ms) => Bun.sleep(ms),
      lookUpAfterMs: LOOK_UP_AFTER_MS,
      stopped: () => this.stopped,
    });
    switch (result.word) {
      case "stopped":
        return false;
      case "later": {
        const since = request.unknownSinceMs ?? Date.now();
        if (Date.now() - since >= this.options.unknownMaxMs) {
          await this.answer(request, startMs, "unknown", "unknown for too long");
          return true;
        }
        return this.putOff(link, { ...request, unknownSinceMs: since });
      }
      case "captured":
      case "failed":
        await this.answer(request, startMs, result.word, result.detail);
        return true;
    }
  }

  private async refund(request: RefundRequest): Promise<boolean> {
    const startMs = Date.now();
    while (!this.stopped) {
      const answer = await this.options.provider.refund(request);
      if (answer.kind === "refunded") {
        await this.answer(request, startMs, "refunded", "");
        return true;
      }
      await Bun.sleep(ASK_AGAIN_MS);
    }
    return false;
  }

  /** A charge that stays unknown makes room for others, and is asked for again with the same key. */
  private async putOff(link: RegionLink, request: PaymentRequest): Promise<boolean> {
    const body = Buffer.from(JSON.stringify([request]));
    while (!this.stopped) {
      if (
        (await link.publisher.publish("", RETRIES[0], body, { expiration: LATER_MS })) ===
        "confirmed"
      )
        return true;
      await Bun.sleep(ASK_AGAIN_MS);
    }
    return false;
  }

  private answer(
    request: PaymentRequest,
    startMs: number,
    word: "captured" | "failed" | "unknown" | "refunded",
    detail: string,
  ): Promise<void> {
    this.counts[word] = (this.counts[word] ?? 0) + 1;
    this.trace(request, startMs, word, detail);
    return this.answers.send(request.user, answerRowText(request, word, detail, Date.now()));
  }

  private trace(request: PaymentRequest, startMs: number, word: string, detail: string): void {
    const { kind: name, traceparent, user, id, generation, attempt } = request;
    if (!traceparent) return;
    const attributes = {
      "sluice.user": user,
      "sluice.order": id,
      "sluice.generation": generation,
      "sluice.attempt": attempt,
      "sluice.outcome": word,
    };
    const failed = word === "failed" || word === "unknown" ? { failed: detail } : {};
    this.options.spans?.record({
      name,
      traceparent,
      startMs,
      endMs: Date.now(),
      attributes,
      ...failed,
    });
  }
}

/** undefined: nothing of ours. */
function readRequests(body: Buffer): readonly PaymentRequest[] | undefined {
  try {
    const requests = JSON.parse(body.toString()) as PaymentRequest[];
    return Array.isArray(requests) && requests.every(isRequest) ? requests : undefined;
  } catch {
    return undefined;
  }
}

function isRequest(request: PaymentRequest): boolean {
  const { user, id, generation, attempt } = request;
  const named =
    typeof user === "string" && typeof id === "string" && generation >= 1 && attempt >= 1;
  if (!named || request.kind === "refund") return named;
  return (
    request.kind === "charge" &&
    Number.isSafeInteger(request.amount) &&
    typeof request.currency === "string"
  );
}
