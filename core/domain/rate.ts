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
/** A change by this factor at once is a mistake: swapped currencies, or a lost decimal point. */
const MAX_JUMP = 1_000;
/** 1080 / 1.08 is 999.9999999999999: a division must not let a lost point pass. */
const ROUNDING = 1e-9;

/** The rate, or a text that names the wrong field. */
export function readRate(value: unknown): Rate | string {
  if (typeof value !== "object" || value === null) return "not an object";
  const { id, pair, value: rate, atMs } = value as Record<string, unknown>;
  if (typeof id !== "string" || !ID.test(id)) return `id must match ${ID.source}`;
  const [base = "", quote = "", more] = typeof pair === "string" ? pair.split("/") : [];
  if (!CURRENCIES.has(base) || !CURRENCIES.has(quote) || base === quote || more !== undefined)
    return "pair must be two currencies, such as EUR/USD";
  const wrong = wrongValue(rate);
  if (wrong) return wrong;
  if (!Number.isSafeInteger(atMs) || (atMs as number) <= 0) return "atMs must be a time in Unix ms";
  return { id, pair: pair as string, value: rate as string, atMs: atMs as number };
}

export function wrongValue(rate: unknown): string | undefined {
  if (typeof rate !== "string" || !VALUE.test(rate)) return `value must match ${VALUE.source}`;
  const digits = rate.replace(".", "").replace(/^0+/, "");
  if (digits === "") return "value must not be zero";
  return digits.length > MAX_DIGITS ? `value must have at most ${MAX_DIGITS} digits` : undefined;
}

export type RateVerdict = "good" | "too_old" | "ahead" | "older" | "jump";

/** Whether a sound rate may replace the last one of its pair. */
export function judgeRate(
  rate: Rate,
  last: Rate | undefined,
  nowMs: number,
  maxAgeMs: number,
): RateVerdict {
  if (rate.atMs < nowMs - maxAgeMs) return "too_old";
  if (rate.atMs > nowMs + MAX_AHEAD_MS) return "ahead";
  if (!last) return "good";
  if (rate.atMs <= last.atMs) return "older";
  const change = Number(rate.value) / Number(last.value);
  const most = MAX_JUMP * (1 - ROUNDING);
  return change >= most || change <= 1 / most ? "jump" : "good";
}
