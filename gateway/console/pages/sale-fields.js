// What forms of sales share: amounts, times, references.
import { DIGITS } from "../digits.js";
import { decimal } from "../ui/format.js";

/** "49.00" → 4900, exactly; undefined: no amount of this currency. A comma is taken as a point. */
export function minorIn(text, currency) {
  const digits = DIGITS[currency];
  const [, whole, rest = ""] = /^\s*(\d{1,12})(?:[.,](\d+))?\s*$/.exec(String(text)) ?? [];
  if (digits === undefined || whole === undefined || rest.length > digits) return undefined;
  return Number(whole + rest.padEnd(digits, "0"));
}

export const majorOf = (minor, currency) => decimal(minor, DIGITS[currency]);

/** For an input of the type datetime-local, in the reader's time. */
export function localOf(at) {
  const date = new Date(at);
  const two = (n) => String(n).padStart(2, "0");
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join("-");
  return `${day}T${[date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":")}`;
}

export const isoOf = (local) => new Date(local).toISOString();

/** Not `crypto.randomUUID`, which browsers have only on secure origins. */
export function newRef() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `console-${[...bytes].map((b) => b.toString(16).padStart(2, "0")).join("")}`;
}
