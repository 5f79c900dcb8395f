// The exchange rates that decisions use, and those that wait for an operator. Redis keeps each with
// the factors that Lua multiplies by, so Lua need not know how many digits a currency has.
import { minorDigits } from "../domain/currency.ts";
import { decimalOf } from "../domain/money.ts";
import type { WaitingRate } from "../domain/rate.ts";
import { HELD_RATES_KEY, RATES_KEY } from "./keys.ts";
import type { RedisStore } from "./redis.ts";

export interface HeldRate {
  readonly id: string;
  /** `EUR/USD`: one unit of the first costs `value` units of the second. */
  readonly pair: string;
  /** Decimal text. */
  readonly value: string;
  /** When the rate was valid, Unix ms. */
  readonly atMs: number;
}

export interface StoredRate extends HeldRate {
  /** It may be used until then, Unix ms. */
  readonly untilMs: number;
}

/** The result for a rate: core/lua/set_rates.lua. */
export type RateWord = "kept" | "back" | "older" | "held" | "waits" | "refused" | "unknown";

export type Settled = "done" | "already" | "not_waiting";

export interface RateBounds {
  readonly maxAgeMs: number;
  /** Percent. */
  readonly maxStep: number;
}

const KEYS = [RATES_KEY, HELD_RATES_KEY];
/** Redis does nothing else meanwhile. */
const RATES_PER_CALL = 500;

export class RateStore {
  constructor(
    private readonly redis: RedisStore,
    private readonly bounds: RateBounds,
  ) {}

  /**
   * Stores the rates that are newer than the stored ones and fit them. `last`: what to compare a
   * pair with of which Redis has no rate; undefined: not known, such pairs are answered `unknown`.
   */
  async put(
    rates: readonly HeldRate[],
    nowMs: number,
    last: ReadonlyMap<string, string> | undefined,
  ): Promise<RateWord[]> {
    const { maxAgeMs, maxStep } = this.bounds;
    const words: RateWord[] = [];
    for (let from = 0; from < rates.length; from += RATES_PER_CALL) {
      const args = rates
        .slice(from, from + RATES_PER_CALL)
        .flatMap(({ id, pair, value, atMs }) => [
          ...[pair, id, value, ...factors(pair, value), atMs, atMs + maxAgeMs],
          last ? (last.get(pair) ?? "") : "?",
        ]);
      const reply = await this.redis.call("set_rates", KEYS, [maxStep, Math.floor(nowMs), ...args]);
      words.push(...((reply as [string, string])[1].split(",") as RateWord[]));
    }
    return words;
  }

  /** An operator's verdict on a rate that waits with about this value. */
  async settle(verdict: "accept" | "refuse", pair: string, value: string): Promise<Settled> {
    const args = [verdict, pair, value, this.bounds.maxStep];
    return ((await this.redis.call("settle_rate", KEYS, args)) as [string, Settled])[1];
  }

  all(): Promise<StoredRate[]> {
    return allRates(this.redis);
  }

  waiting(): Promise<WaitingRate[]> {
    return waitingRates(this.redis);
  }
}

/** Every stored rate, including expired ones. */
export async function allRates(redis: RedisStore): Promise<StoredRate[]> {
  const held = Object.entries(await redis.run((client) => client.hgetall(RATES_KEY)));
  return held.map(([pair, text]) => {
    const [id = "", value = "", , , at = "", until = ""] = text.split(" ");
    return { id, pair, value, atMs: Number(at), untilMs: Number(until) };
  });
}

/** The rates that wait for an operator, and those that one has refused; by pair. */
export async function waitingRates(redis: RedisStore): Promise<WaitingRate[]> {
  const texts = await redis.run((client) => client.hgetall(HELD_RATES_KEY));
  const waiting = Object.entries(texts).map(([pair, text]): WaitingRate => {
    const [word, since, last = "", id = "", value = "", , , at] = text.split(" ");
    const state = word === "refused" ? "refused" : "held";
    return { pair, id, value, last, state, atMs: Number(at), sinceMs: Number(since) };
  });
  return waiting.toSorted((a, b) => a.pair.localeCompare(b.pair));
}

/** Minor units of the base × mantissa ÷ 10^scale = minor units of the quote. */
export function factors(pair: string, value: string): [mantissa: string, scale: number] {
  const [base = "", quote = ""] = pair.split("/");
  const { mantissa, digits } = decimalOf(value);
  const scale = digits + minorDigits(base) - minorDigits(quote);
  return scale < 0 ? [String(mantissa * 10n ** BigInt(-scale)), 0] : [String(mantissa), scale];
}
