// The exchange rates that decisions use. Redis keeps each with the factors that Lua multiplies by,
// so Lua need not know how many digits a currency has.
import { minorDigits } from "../domain/currency.ts";
import { decimalOf } from "../domain/money.ts";
import { RATES_KEY } from "./keys.ts";
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

export class RateStore {
  constructor(
    private readonly redis: RedisStore,
    private readonly maxAgeMs: number,
  ) {}

  /** Stores the rates that are newer than the stored ones. Returns how many were. */
  async put(rates: readonly HeldRate[]): Promise<number> {
    if (rates.length === 0) return 0;
    const args = rates.flatMap(({ id, pair, value, atMs }) => [
      pair,
      id,
      value,
      ...factors(pair, value),
      atMs,
      atMs + this.maxAgeMs,
    ]);
    return Number(((await this.redis.call("set_rates", [RATES_KEY], args)) as [string, string])[1]);
  }

  /** Every stored rate, including expired ones. */
  async all(): Promise<(HeldRate & { readonly untilMs: number })[]> {
    const held = Object.entries(await this.redis.run((client) => client.hgetall(RATES_KEY)));
    return held.map(([pair, text]) => {
      const [id = "", value = "", , , at = "", until = ""] = text.split(" ");
      return { id, pair, value, atMs: Number(at), untilMs: Number(until) };
    });
  }
}

/** Minor units of the base × mantissa ÷ 10^scale = minor units of the quote. */
export function factors(pair: string, value: string): [mantissa: string, scale: number] {
  const [base = "", quote = ""] = pair.split("/");
  const { mantissa, digits } = decimalOf(value);
  const scale = digits + minorDigits(base) - minorDigits(quote);
  return scale < 0 ? [String(mantissa * 10n ** BigInt(-scale)), 0] : [String(mantissa), scale];
}
