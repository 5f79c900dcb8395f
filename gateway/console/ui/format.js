// Numbers, money and times in the reader's locale; words and units in the page's language, so that
// no line mixes two. What is not known is "unknown".
import { DIGITS } from "../digits.js";

export const UNKNOWN = "unknown";

const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
const compact = new Intl.NumberFormat(undefined, {
  ...{ notation: "compact", maximumFractionDigits: 1 },
});
const shares = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const minute = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const inZone = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
const zoneName = new Intl.DateTimeFormat("en", { timeZoneName: "shortOffset" });

const known = (n) => typeof n === "number" && Number.isFinite(n);

export const count = (n) => (known(n) ? whole.format(Math.round(n)) : UNKNOWN);

/** A rate or an axis: short where it is long, exact where it is small; little is not nothing. */
export function brief(n) {
  if (!known(n)) return UNKNOWN;
  if (n > 0 && n < 0.05) return `<${short.format(0.1)}`;
  if (n >= 100_000) return compact.format(n);
  return n >= 10 || n === 0 ? whole.format(Math.round(n)) : short.format(n);
}

export const share = (n) => (known(n) ? shares.format(n) : UNKNOWN);

const UNITS = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["min", 60_000],
  ["s", 1_000],
];

/** "12 ms", "1.2 s", "4 min". */
export function duration(ms) {
  if (!known(ms)) return UNKNOWN;
  if (ms < 1_000) return `${whole.format(Math.round(ms))}\u00a0ms`;
  const [name, size] = UNITS.find(([, least]) => ms >= least);
  const n = ms / size;
  return `${(n < 10 && name !== "min" ? short : whole).format(n)}\u00a0${name}`;
}

export const bytes = (n) =>
  known(n) ? `${whole.format(Math.round(n / 2 ** 20))}\u00a0MB` : UNKNOWN;

/** A text from right to left keeps its own order within one from left to right, and the reverse. */
const apart = (text) => (/[\u0590-\u08ff]/.test(text) ? `\u2068${text}\u2069` : text);
const dateOf = (at) => new Date(at);
const isTime = (at) => at !== undefined && !Number.isNaN(dateOf(at).getTime());
export const timeOfDay = (at) => (isTime(at) ? apart(clock.format(dateOf(at))) : UNKNOWN);
export const dateTime = (at) => (isTime(at) ? apart(moment.format(dateOf(at))) : UNKNOWN);
const parts = {
  ...{ year: "numeric", month: "short", day: "numeric", hour: "numeric", minute: "2-digit" },
  timeZoneName: "short",
};
const zoned = new Intl.DateTimeFormat(undefined, parts);
/** With the zone's name: for times that are decided on. */
export const dateZone = (at) => (isTime(at) ? apart(zoned.format(dateOf(at))) : UNKNOWN);
/** In full, with the time zone. */
export const fullTime = (at) => (isTime(at) ? apart(inZone.format(dateOf(at))) : UNKNOWN);
/** The zone that all times are written in, such as "GMT+1". */
export const zone = () =>
  zoneName.formatToParts().find(({ type }) => type === "timeZoneName")?.value ?? "your zone";
const hour = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
export const hourOf = (at) => (isTime(at) ? apart(hour.format(dateOf(at))) : UNKNOWN);
/** From one time to another, without saying the day twice. */
export const between = (from, to) =>
  isTime(from) && isTime(to) && dateOf(from) <= dateOf(to)
    ? apart(minute.formatRange(dateOf(from), dateOf(to)))
    : UNKNOWN;
export const dateMinute = (at) => (isTime(at) ? apart(minute.format(dateOf(at))) : UNKNOWN);

/** An amount in minor units, with as many digits as the gateway charges by. */
export function money(minor, currency) {
  const digits = DIGITS[currency];
  if (!known(minor) || !currency) return UNKNOWN;
  if (digits === undefined) return `${count(minor)} minor units of ${currency}`;
  const format = new Intl.NumberFormat(undefined, {
    ...{ style: "currency", currency },
    ...{ minimumFractionDigits: digits, maximumFractionDigits: digits },
  });
  return apart(format.format(decimal(minor, digits)));
}

/** "49.00": digits as they are, since a division would round amounts that are very large. */
export function decimal(minor, digits) {
  const text = String(Math.abs(minor)).padStart(digits + 1, "0");
  const whole = text.slice(0, text.length - digits);
  return `${minor < 0 ? "-" : ""}${whole}${digits > 0 ? `.${text.slice(-digits)}` : ""}`;
}

export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

/** `eu`, `eu and us`, `eu, us and ap`. */
export function list(names) {
  const last = names.at(-1) ?? "";
  return names.length < 2 ? last : `${names.slice(0, -1).join(", ")} and ${last}`;
}
