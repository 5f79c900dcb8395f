// Exchange rates as a worker receives them: the feed, and answers to its own requests, over one
// queue of its own in each region. Malformed or outdated rates are refused and logged. So are jumps
// by a factor of a thousand, until they have lasted (rivals.ts).
import { Subscription } from "../../broker/subscriber.ts";
import { FX_RATES, FX_REQUESTS, ratesQueue } from "../../broker/topology.ts";
import { messageOf } from "../../core/domain/message-of.ts";
import { judgeRate, type Rate, readRate } from "../../core/domain/rate.ts";
import { ignore } from "../../core/runtime/ignored.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";
import type { RegionLink } from "../orders/relay.ts";
import { RivalRates } from "./rivals.ts";

export interface RateFeedOptions {
  readonly runtime: Runtime;
  /** Names its queue; must be unique to the process. */
  readonly id: string;
  readonly regions: readonly RegionLink[];
  readonly maxAgeMs: number;
  readonly now: () => number;
  /** Stores accepted rates. */
  readonly put: (rates: readonly Rate[]) => Promise<unknown>;
  /** The rates stored before this process started. */
  readonly held: () => Promise<readonly Rate[]>;
  readonly log: (event: string, detail: Record<string, unknown>) => void;
}

/** The least time between two requests for the same pair. */
const ASK_EVERY_MS = 1_000;
const SAY_EVERY_MS = 60_000;
/** How many pairs are remembered; about 25,000 exist. */
const MAX_PAIRS = 30_000;

export class RateFeed {
  private readonly last = new Map<string, Rate>();
  private readonly rivals: RivalRates;
  private readonly askedAtMs = new Map<string, number>();
  private readonly saidAtMs = new Map<string, number>();
  private readonly subscriptions: Subscription[] = [];
  /** Rates accepted and refused so far. */
  readonly counts = { taken: 0, refused: 0 };

  constructor(private readonly options: RateFeedOptions) {
    this.rivals = new RivalRates(options.runtime);
  }

  async start(): Promise<void> {
    const { regions, id, held } = this.options;
    for (const rate of (await ignore(held(), "rates_held")) ?? []) this.last.set(rate.pair, rate);
    for (const { consuming } of regions) {
      const subscription = new Subscription(consuming, {
        queue: ratesQueue(id),
        prefetch: 0,
        exclusive: true,
        bindTo: FX_RATES,
        noAck: true,
        handler: ({ body }) => void this.heard(body),
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
  async heard(body: Buffer): Promise<void> {
    const { now, maxAgeMs, put, log } = this.options;
    const good = ratesIn(body).filter((value) => {
      const rate = readRate(value);
      if (typeof rate === "string")
        return this.refuse(String((value as Rate | null)?.pair).slice(0, 16), rate, value);
      const verdict = judgeRate(rate, this.last.get(rate.pair), now(), maxAgeMs);
      // The feed repeats itself, and an answer may arrive after the feed has had the same rate.
      if (verdict === "older") return false;
      const believed = verdict === "good" || (verdict === "jump" && this.rivals.wins(rate));
      if (!believed) return this.refuse(rate.pair, verdict, value);
      this.rivals.forget(rate.pair);
      if (this.last.size > MAX_PAIRS) this.last.clear();
      this.last.set(rate.pair, rate);
      return true;
    }) as Rate[];
    this.counts.taken += good.length;
    try {
      if (good.length > 0) await put(good);
    } catch (error) {
      // Redis is away: the feed will repeat them.
      for (const { pair } of good) this.last.delete(pair);
      log("rates not stored", { error: messageOf(error) });
    }
  }

  private refuse(pair: string, why: string, value: unknown): false {
    this.counts.refused++;
    const nowMs = this.options.runtime.monotonicMs();
    const key = `${pair} ${why}`;
    if (this.saidAtMs.size > MAX_PAIRS) this.saidAtMs.clear();
    if (nowMs - (this.saidAtMs.get(key) ?? Number.NEGATIVE_INFINITY) >= SAY_EVERY_MS) {
      this.saidAtMs.set(key, nowMs);
      this.options.log("rate refused", { pair, why, rate: JSON.stringify(value)?.slice(0, 200) });
    }
    return false;
  }
}

function ratesIn(body: Buffer): readonly unknown[] {
  try {
    const rates: unknown = JSON.parse(body.toString());
    return Array.isArray(rates) ? rates : [rates];
  } catch {
    return [undefined];
  }
}
