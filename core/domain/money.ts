// Converts money between currencies: exactly, in whole minor units, rounded half up.
import {
  convert as converted,
  type DineroCurrency,
  dinero,
  halfUp,
  toSnapshot,
  transformScale,
} from "dinero.js/bigint";
import { minorDigits } from "./currency.ts";

/** For people: `49.90 EUR`. */
export function moneyText(amountMinor: number, currency: string): string {
  const digits = minorDigits(currency);
  if (digits === 0) return `${amountMinor} ${currency}`;
  const text = String(Math.abs(amountMinor)).padStart(digits + 1, "0");
  const sign = amountMinor < 0 ? "-" : "";
  return `${sign}${text.slice(0, -digits)}.${text.slice(-digits)} ${currency}`;
}

/** A decimal as a whole number and its digits after the point: "1.0837" is 10837 and 4. */
export interface Decimal {
  readonly mantissa: bigint;
  readonly digits: number;
}

export function decimalOf(text: string): Decimal {
  const [whole = "", fraction = ""] = text.split(".");
  return { mantissa: BigInt(whole + fraction), digits: fraction.length };
}

/**
 * Converts minor units of `from` (not negative) to minor units of `to`, at `rate` units of `to` for
 * one of `from`, as decimal text. Half a minor unit is rounded up.
 */
export function convert(amountMinor: number, rate: string, from: string, to: string): number {
  const { mantissa, digits } = decimalOf(rate);
  const target = currency(to);
  const price = dinero({ amount: BigInt(amountMinor), currency: currency(from) });
  const exact = converted(price, target, { [to]: { amount: mantissa, scale: BigInt(digits) } });
  return Number(toSnapshot(transformScale(exact, target.exponent, halfUp)).amount);
}

function currency(code: string): DineroCurrency<bigint> {
  return { code, base: 10n, exponent: BigInt(minorDigits(code)) };
}
