// Numbers, durations, money and times in the reader's locale. What is not known is "unknown".
export const UNKNOWN = "unknown";

const whole = new Intl.NumberFormat();
const short = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
const compact = new Intl.NumberFormat(undefined, {
  ...{ notation: "compact", maximumFractionDigits: 1 },
});
const shares = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const minute = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

const known = (n) => typeof n === "number" && Number.isFinite(n);

export const count = (n) => (known(n) ? whole.format(Math.round(n)) : UNKNOWN);

/** A rate or an axis: short where it is long, exact where it is small. */
export const brief = (n) =>
  known(n)
    ? (n >= 100_000 ? compact : n >= 10 || n === 0 ? whole : short).format(rounded(n))
    : UNKNOWN;
const rounded = (n) => (n >= 10 ? Math.round(n) : n);

export const share = (n) => (known(n) ? shares.format(n) : UNKNOWN);

const UNITS = [
  ...[
    ["day", 86_400_000],
    ["hour", 3_600_000],
    ["minute", 60_000],
    ["second", 1_000],
  ],
];
const unit = (name, digits = 0) =>
  new Intl.NumberFormat(undefined, {
    ...{ style: "unit", unit: name, unitDisplay: "short", maximumFractionDigits: digits },
  });

/** "12 ms", "1.2 sec", "4 min". */
export function duration(ms) {
  if (!known(ms)) return UNKNOWN;
  if (ms < 1_000) return unit("millisecond").format(Math.round(ms));
  const [name, size] = UNITS.find(([, least]) => ms >= least);
  const n = ms / size;
  return unit(name, n < 10 && name !== "minute" ? 1 : 0).format(n);
}

export const bytes = (n) => (known(n) ? unit("megabyte").format(Math.round(n / 2 ** 20)) : UNKNOWN);

const dateOf = (at) => new Date(at);
const isTime = (at) => at !== undefined && !Number.isNaN(dateOf(at).getTime());
export const timeOfDay = (at) => (isTime(at) ? clock.format(dateOf(at)) : UNKNOWN);
export const dateTime = (at) => (isTime(at) ? moment.format(dateOf(at)) : UNKNOWN);
const hour = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
export const hourOf = (at) => (isTime(at) ? hour.format(dateOf(at)) : UNKNOWN);
/** From one time to another, without saying the day twice. */
export const between = (from, to) =>
  isTime(from) && isTime(to) && dateOf(from) <= dateOf(to)
    ? minute.formatRange(dateOf(from), dateOf(to))
    : UNKNOWN;
export const dateMinute = (at) => (isTime(at) ? minute.format(dateOf(at)) : UNKNOWN);

/** An amount in minor units. */
export function money(minor, currency) {
  if (!known(minor) || !currency) return UNKNOWN;
  const format = new Intl.NumberFormat(undefined, { style: "currency", currency });
  return format.format(minor / 10 ** minorDigits(currency));
}

export function minorDigits(currency) {
  const format = new Intl.NumberFormat("en", { style: "currency", currency });
  return format.resolvedOptions().maximumFractionDigits;
}

export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;
