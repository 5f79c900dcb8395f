// The rates role. It loads its source repeatedly, publishes the rates to every region's feed, and
// answers requests for single pairs. A requested pair of two other currencies is derived through
// the base (crossed) and joins the feed.
import { Subscription } from "../../broker/subscriber.ts";
import { FX_RATES, FX_REQUESTS } from "../../broker/topology.ts";
import type { RegionLink } from "../../consumers/orders/relay.ts";
import { messageOf } from "../../core/domain/message-of.ts";
import { decimalOf } from "../../core/domain/money.ts";
import { pairOf, type Rate } from "../../core/domain/rate.ts";
import type { Runtime, Timer } from "../../core/runtime/runtime.ts";
import type { Quotes, RateSource } from "./source.ts";

export interface RateServiceOptions {
  readonly runtime: Runtime;
  readonly source: RateSource;
  readonly regions: readonly RegionLink[];
  readonly everyMs: number;
  readonly log: (event: string, detail: Record<string, unknown>) => void;
}

/** Crossed pairs in the feed; beyond it pairs are answered only on request. */
const MAX_CROSSED = 500;
const MAX_PAIRS_PER_REQUEST = 500;
const PREFETCH = 16;
const CROSS_DIGITS = 10;

export class RateService {
  private quotes: Quotes | undefined;
  private readonly crossed = new Set<string>();
  private readonly subscriptions: Subscription[] = [];
  private timer: Timer | undefined;
  private stopped = false;

  /** Pairs in the feed. */
  get pairs(): number {
    return (this.quotes?.rates.size ?? 0) + this.crossed.size;
  }

  /** Time of the latest rates, Unix ms; 0 before the first. */
  get lastMs(): number {
    return this.quotes?.atMs ?? 0;
  }

  constructor(private readonly options: RateServiceOptions) {}

  async start(): Promise<void> {
    await this.tick();
    for (const link of this.options.regions) {
      const subscription = new Subscription(link.consuming, {
        queue: FX_REQUESTS,
        prefetch: PREFETCH,
        independent: true,
        handler: ({ body, replyTo }, settle) => {
          this.answer(link, body, replyTo);
          settle("ack");
        },
      });
      this.subscriptions.push(subscription);
      if (link.consuming.up) await subscription.start();
      else void subscription.start();
    }
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.options.runtime.stopTimer(this.timer);
    await Promise.all(this.subscriptions.map((s) => s.close()));
  }

  private async tick(): Promise<void> {
    const { source, everyMs, log } = this.options;
    try {
      this.quotes = await source.load();
      this.publish(
        [...this.quotes.rates.keys()]
          .map((quote) => pairOf(this.quotes?.base ?? "", quote))
          .concat([...this.crossed]),
      );
    } catch (error) {
      log("no rates", { source: source.name, error: messageOf(error) });
    }
    if (!this.stopped)
      this.timer = this.options.runtime.startTimer(() => void this.tick(), everyMs);
  }

  private publish(pairs: readonly string[]): void {
    const body = Buffer.from(JSON.stringify(this.ratesOf(pairs)));
    // There may be no listener, and rates are published again, so a failure does not matter.
    for (const { publisher } of this.options.regions)
      void publisher.publish(FX_RATES, "", body, { type: "rates.v1" });
  }

  private answer({ publisher }: RegionLink, body: Buffer, replyTo: string): void {
    const pairs = readPairs(body);
    const rates = this.ratesOf(pairs);
    if (replyTo !== "" && rates.length > 0) publisher.push(replyTo, JSON.stringify(rates));
    for (const { pair } of rates)
      if (this.crossed.size < MAX_CROSSED && !pair.startsWith(`${this.quotes?.base}/`))
        this.crossed.add(pair);
  }

  private ratesOf(pairs: readonly string[]): Rate[] {
    const { quotes } = this;
    if (!quotes) return [];
    return pairs.flatMap((pair) => {
      const [base = "", quote = ""] = pair.split("/");
      const value = base === quotes.base ? quotes.rates.get(quote) : crossRate(quotes, base, quote);
      if (value === undefined) return [];
      const id = `${this.options.source.name}-${quotes.atMs.toString(36)}-${base}${quote}`;
      return [{ id, pair, value, atMs: quotes.atMs }];
    });
  }
}

/**
 * The price of one unit of a currency in another, through the source's base: ten significant
 * digits, rounded half up.
 */
export function crossRate({ base, rates }: Quotes, from: string, to: string): string | undefined {
  const [costOfFrom, costOfTo] = [rates.get(from), to === base ? "1" : rates.get(to)];
  if (costOfFrom === undefined || costOfTo === undefined || from === to) return undefined;
  const [a, b] = [decimalOf(costOfTo), decimalOf(costOfFrom)];
  const [top, bottom] = [
    a.mantissa * 10n ** BigInt(b.digits),
    b.mantissa * 10n ** BigInt(a.digits),
  ];
  // As many decimals as make ten digits in all, at most twelve.
  const whole = top / bottom;
  const before = whole > 0n ? String(whole).length : -leadingZeros(top, bottom);
  const digits = Math.max(0, Math.min(12, CROSS_DIGITS - before));
  const scaled = (2n * top * 10n ** BigInt(digits) + bottom) / (2n * bottom);
  if (scaled === 0n) return undefined;
  const text = String(scaled).padStart(digits + 1, "0");
  return digits === 0 ? text : `${text.slice(0, -digits)}.${text.slice(-digits)}`;
}

/** Zeros after the decimal point of a number below one. */
function leadingZeros(top: bigint, bottom: bigint): number {
  let zeros = 0;
  for (let n = top * 10n; n < bottom && zeros < 12; n *= 10n) zeros++;
  return zeros;
}

function readPairs(body: Buffer): string[] {
  try {
    const pairs: unknown = JSON.parse(body.toString());
    return Array.isArray(pairs)
      ? pairs.filter((pair) => typeof pair === "string").slice(0, MAX_PAIRS_PER_REQUEST)
      : [];
  } catch {
    return [];
  }
}
