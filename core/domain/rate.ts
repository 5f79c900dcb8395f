// An exchange rate as it travels, and the conditions under which it may be used.
import { CURRENCIES } from "./currency.ts";

export interface Rate {
  /** Identifies this value at this time: 1 to 64 characters without spaces. */
  readonly id: string;
  /** `EUR/USD`: one unit of the base costs `value` units of the quote. */
  readonly pair: string;
  /** Decimal text, so no digit is lost: "1.0837". */
  readonly value: string;
  /** When it was valid at the source, Unix ms. */
  readonly atMs: number;
}

export const pairOf = (base: string, quote: string): string => `${base}/${quote}`;

const ID = /^[A-Za-z0-9._:-]{1,64}$/;
/** No sign, no exponent, no NaN. */
const VALUE = /^\d{1,9}(\.\d{1,12})?$/;
/** Significant digits that Lua and JSON hold exactly. */
const MAX_DIGITS = 15;
const MAX_AHEAD_MS = 60_000;

/** The rate, or a text that names the wrong field. */
export function readRate(value: unknown): Rate | string {
  if (typeof value !== "object" || value === null) return "not an object";
  const { id, pair, value: rate, atMs } = value as Record<string, unknown>;
  if (typeof id !== "string" || !ID.test(id)) return `id must match ${ID.source}`;
  const wrong = wrongPair(pair) ?? wrongValue(rate);
  if (wrong) return wrong;
  if (!Number.isSafeInteger(atMs) || (atMs as number) <= 0) return "atMs must be a time in Unix ms";
  return { id, pair: pair as string, value: rate as string, atMs: atMs as number };
}

export function wrongPair(pair: unknown): string | undefined {
  const [base = "", quote = "", more] = typeof pair === "string" ? pair.split("/") : [];
  return CURRENCIES.has(base) && CURRENCIES.has(quote) && base !== quote && more === undefined
    ? undefined
    : "pair must be two currencies, such as EUR/USD";
}

export function wrongValue(rate: unknown): string | undefined {
  if (typeof rate !== "string" || !VALUE.test(rate)) return `value must match ${VALUE.source}`;
  const digits = rate.replace(".", "").replace(/^0+/, "");
  if (digits === "") return "value must not be zero";
  return digits.length > MAX_DIGITS ? `value must have at most ${MAX_DIGITS} digits` : undefined;
}

/** A rate that is too far from the last one of its pair. */
export interface WaitingRate extends Rate {
  /** `held`: it waits for an operator. `refused`: an operator has refused it. */
  readonly state: "held" | "refused";
  /** The value it is too far from. */
  readonly last: string;
  /** Since when rates near this value wait, Unix ms. */
  readonly sinceMs: number;
}

/** Whether a rate is of an age at which it may be used. */
export function judgeAge(
  { atMs }: Rate,
  nowMs: number,
  maxAgeMs: number,
): "good" | "too_old" | "ahead" {
  if (atMs < nowMs - maxAgeMs) return "too_old";
  return atMs > nowMs + MAX_AHEAD_MS ? "ahead" : "good";
}

/** 1080 / 1.08 is 999.9999999999999: the last digit of a division decides nothing. */
const ROUNDING = 1e-9;

/** Whether a value is further from another than a step in percent allows; as in Lua. */
export function isTooFar(value: string, last: string, step: number): boolean {
  const change = Number(value) / Number(last);
  const most = (1 + step / 100) * (1 + ROUNDING);
  return change > most || change < 1 / most;
}

/**
 * What a pair should cost by other pairs: by its inverse, or through a currency in which both of
 * its own have a price. undefined: no other pair shows it.
 */
export function crossed(pair: string, values: ReadonlyMap<string, string>): string | undefined {
  const [base = "", quote = ""] = pair.split("/");
  const inverse = values.get(pairOf(quote, base));
  if (inverse !== undefined) return String(1 / Number(inverse));
  for (const [known, value] of values) {
    const [through = "", to] = known.split("/");
    const other = to === base ? values.get(pairOf(through, quote)) : undefined;
    if (other !== undefined) return String(Number(other) / Number(value));
  }
  return undefined;
}
