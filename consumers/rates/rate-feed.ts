// Exchange rates as a worker receives them: the feed, and answers to its own requests, over one
// queue of its own in each region. Malformed or outdated rates are refused and logged. Those that
// jump wait for an operator: Redis judges that for all workers (core/lua/set_rates.lua).
import { Subscription } from "../../broker/subscriber.ts";
import { FX_RATES, FX_REQUESTS, ratesQueue } from "../../broker/topology.ts";
import { messageOf } from "../../core/domain/message-of.ts";
import { judgeAge, type Rate, readRate } from "../../core/domain/rate.ts";
import { ignore } from "../../core/runtime/ignored.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";
import type { RateWord } from "../../core/stores/rate-store.ts";
import type { RegionLink } from "../orders/relay.ts";

export interface RateFeedOptions {
  readonly runtime: Runtime;
  /** Names its queue; must be unique to the process. */
  readonly id: string;
  readonly regions: readonly RegionLink[];
  readonly maxAgeMs: number;
  readonly now: () => number;
  /** Stores sound rates. Returns the result of each. */
  readonly put: (rates: readonly Rate[]) => Promise<readonly RateWord[]>;
  /** Rates were stored that orders may wait for. */
  readonly kept: () => void;
  readonly log: (event: string, detail: Record<string, unknown>) => void;
}

/** The least time between two requests for the same pair. */
const ASK_EVERY_MS = 1_000;
const SAY_EVERY_MS = 60_000;
/** How many pairs are remembered; about 25,000 exist. */
const MAX_PAIRS = 30_000;
/** Ten times what a message with all of them takes. */
const MAX_BODY_BYTES = 32 * 2 ** 20;

export class RateFeed {
  private readonly askedAtMs = new Map<string, number>();
  private readonly saidAtMs = new Map<string, number>();
  private readonly subscriptions: Subscription[] = [];
  /** Rates accepted and refused so far. */
  readonly counts = { taken: 0, refused: 0 };

  constructor(private readonly options: RateFeedOptions) {}

  async start(): Promise<void> {
    const { regions, id } = this.options;
    for (const { consuming } of regions) {
      const subscription = new Subscription(consuming, {
        queue: ratesQueue(id),
        prefetch: 0,
        exclusive: true,
        bindTo: FX_RATES,
        noAck: true,
        handler: ({ body }) => void this.receive(body),
      });
      this.subscriptions.push(subscription);
      void ignore(subscription.start(), "subscription_open");
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.subscriptions.map((s) => s.close()));
  }

  /** Requests pairs that orders wait for; the answer arrives like the feed. */
  ask(pairs: readonly string[]): void {
    const nowMs = this.options.runtime.monotonicMs();
    const due = pairs.filter(
      (pair) => nowMs - (this.askedAtMs.get(pair) ?? Number.NEGATIVE_INFINITY) >= ASK_EVERY_MS,
    );
    const link = this.options.regions.find((r) => r.publisher.ready);
    if (due.length === 0 || !link) return;
    if (this.askedAtMs.size > MAX_PAIRS) this.askedAtMs.clear();
    for (const pair of due) this.askedAtMs.set(pair, nowMs);
    const body = Buffer.from(JSON.stringify(due));
    void link.publisher.publish("", FX_REQUESTS, body, {
      type: "rates.request.v1",
      replyTo: ratesQueue(this.options.id),
    });
  }

  /** A message of the feed, or an answer to a request. */
  async receive(body: Buffer): Promise<void> {
    const { now, maxAgeMs, put, kept, log } = this.options;
    const sound = ratesIn(body).flatMap((value) => {
      const rate = readRate(value);
      if (typeof rate === "string")
        return this.refuse(String((value as Rate | null)?.pair).slice(0, 16), rate, value);
      const verdict = judgeAge(rate, now(), maxAgeMs);
      return verdict === "good" ? [rate] : this.refuse(rate.pair, verdict, value);
    });
    if (sound.length === 0) return;
    try {
      const words = await put(sound);
      for (const [i, rate] of sound.entries()) this.became(rate, words[i]);
      // Older: another worker was first, and this one's orders may wait for it.
      if (words.some((word) => word === "kept" || word === "back" || word === "older")) kept();
    } catch (error) {
      // A store is away: the feed will repeat them.
      log("rates not stored", { error: messageOf(error) });
    }
  }

  private became(rate: Rate, word: RateWord | undefined): void {
    const { pair, value } = rate;
    switch (word) {
      case "kept":
        this.counts.taken++;
        return;
      case "back":
        this.counts.taken++;
        this.saidAtMs.delete(`${pair} ${HELD}`);
        this.options.log("rate back", { pair, value });
        return;
      case "held":
        this.counts.refused++;
        this.say("rate held", pair, HELD, rate);
        return;
      case "waits":
        this.counts.refused++;
        return;
      case "refused":
        this.refuse(pair, "refused by the operator", rate);
        return;
      case "older": // the feed repeats itself, and answers repeat it
      case "unknown":
      case undefined:
        return;
    }
  }

  private refuse(pair: string, why: string, value: unknown): never[] {
    this.counts.refused++;
    this.say("rate refused", pair, why, value);
    return [];
  }

  private say(event: string, pair: string, why: string, value: unknown): void {
    const nowMs = this.options.runtime.monotonicMs();
    const key = `${pair} ${why}`;
    if (this.saidAtMs.size > MAX_PAIRS) this.saidAtMs.clear();
    if (nowMs - (this.saidAtMs.get(key) ?? Number.NEGATIVE_INFINITY) < SAY_EVERY_MS) return;
    this.saidAtMs.set(key, nowMs);
    this.options.log(event, { pair, why, rate: JSON.stringify(value)?.slice(0, 200) });
  }
}

const HELD = "it is too far from the last one";

function ratesIn(body: Buffer): readonly unknown[] {
  if (body.length > MAX_BODY_BYTES) return [undefined];
  try {
    const rates: unknown = JSON.parse(body.toString());
    return Array.isArray(rates) ? rates.slice(0, MAX_PAIRS) : [rates];
  } catch {
    return [undefined];
  }
}
