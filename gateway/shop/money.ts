// Money as the shop shows it: whole minor units, and the digits of each currency as the gateway
// knows them. What a browser takes for the digits of a currency need not be what is charged.

export interface ShownRate {
  readonly pair: string;
  readonly value: string;
  readonly at: string;
  readonly until: string;
}

/** The margin for a rate that moves until the order is decided. */
const MARGIN_PERCENT = 2n;

/** Minor units at `rate`, rounded half up, as they will be charged at that rate. */
export function convert(
  amountMinor: number,
  rate: string,
  fromDigits: number,
  toDigits: number,
): number {
  const [whole = "", fraction = ""] = rate.split(".");
  const product = BigInt(amountMinor) * BigInt(whole + fraction);
  const scale = fraction.length + fromDigits - toDigits;
  if (scale <= 0) return Number(product * 10n ** BigInt(-scale));
  const unit = 10n ** BigInt(scale);
  return Number((product + unit / 2n) / unit);
}

/** `12.34`: plain digits with a point, for calculation and for an input. */
export function decimal(amountMinor: number, digits: number): string {
  const text = String(amountMinor).padStart(digits + 1, "0");
  if (digits === 0) return text;
  return `${text.slice(0, -digits)}.${text.slice(-digits)}`;
}

/** With the currency's sign, in the reader's own form. */
export function shown(amountMinor: number, currency: string, digits: number): string {
  const form = new Intl.NumberFormat(undefined, {
    ...{ style: "currency", currency, currencyDisplay: "narrowSymbol" },
    ...{ minimumFractionDigits: digits, maximumFractionDigits: digits },
  });
  return form.format(decimal(amountMinor, digits) as unknown as number);
}

/** Minor units of what somebody typed, `12.34` or `12,34`; undefined if it is no amount. */
export function typed(text: string, digits: number): number | undefined {
  const [, whole = "", places = ""] = /^\s*(\d{1,12})(?:[.,](\d+))?\s*$/.exec(text) ?? [];
  if (whole === "" || places.length > digits) return undefined;
  const minor = Number(whole + places.padEnd(digits, "0"));
  return Number.isSafeInteger(minor) && minor > 0 ? minor : undefined;
}

/** A ceiling that leaves room for a rate that moves a little. */
export function ceiling(amountMinor: number): number {
  return Number((BigInt(amountMinor) * (100n + MARGIN_PERCENT) + 99n) / 100n);
}

/** The rate from one currency to another, if orders can be decided by it at this time. */
export function currentRate(
  rates: readonly ShownRate[],
  base: string,
  quote: string,
  nowMs: number,
): ShownRate | undefined {
  const found = rates.find(({ pair }) => pair === `${base}/${quote}`);
  return found && Date.parse(found.until) > nowMs ? found : undefined;
}

/** Currencies in which an order of this sale can be priced now, the sale's own first. */
export function currenciesFor(
  rates: readonly ShownRate[],
  base: string,
  nowMs: number,
): readonly string[] {
  const others = rates
    .filter(({ pair, until }) => pair.startsWith(`${base}/`) && Date.parse(until) > nowMs)
    .map(({ pair }) => pair.slice(base.length + 1));
  return [base, ...others.sort()];
}
