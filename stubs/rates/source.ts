// Sources of exchange rates: a file, an HTTP address, or a random walk for demos. Implement
// RateSource to add your own.
import { readFileSync, statSync } from "node:fs";
import { CURRENCIES } from "../../core/domain/currency.ts";
import { maskedUrl } from "../../core/domain/masked.ts";
import { messageOf } from "../../core/domain/message-of.ts";
import { wrongValue } from "../../core/domain/rate.ts";
import { prng } from "../../core/runtime/prng.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";
import { SettingError } from "../../core/settings/settings.ts";
import { EUR_RATES } from "./table.ts";

export interface Quotes {
  readonly base: string;
  /** Unix ms. */
  readonly atMs: number;
  /** Currency → its units for one unit of the base, as decimal text. */
  readonly rates: ReadonlyMap<string, string>;
}

export interface RateSource {
  /** Prefix of its rates' ids. */
  readonly name: string;
  /** Rejects with a message that names the problem. */
  load(): Promise<Quotes>;
}

const HTTP_TIMEOUT_MS = 5_000;
/** A hundred times what all currencies take. */
const MAX_BODY_BYTES = 1_000_000;
/**
 * Step of the walk, and how far it may move from its start: a walk that begins again must not jump
 * (SLUICE_RATE_MAX_STEP).
 */
const STEP = 0.001;
const RANGE = 0.04;
const DIGITS = 6;

/** `file:PATH`, `http://…`, `https://…`, `walk` or `walk:SEED`. */
export function openSource(runtime: Runtime, text: string): RateSource {
  if (text.startsWith("file:")) return fileSource(runtime, text.slice("file:".length));
  if (/^https?:\/\//.test(text)) return httpSource(runtime, text);
  const walk = /^walk(?::(\d{1,9}))?$/.exec(text);
  if (walk) return walkSource(runtime, Number(walk[1] ?? 1));
  throw new SettingError(
    `SLUICE_RATES_SOURCE must be file:PATH, an http(s) URL, walk or walk:SEED, not ` +
      `'${maskedUrl(text)}'`,
  );
}

function fileSource(runtime: Runtime, path: string): RateSource {
  return {
    name: "file",
    load: async () => readQuotes(contentOf(path), path, runtime.wallMs()),
  };
}

function contentOf(path: string): string {
  const { size } = statSync(path);
  if (size > MAX_BODY_BYTES)
    throw new Error(`${path} has ${size} bytes, at most ${MAX_BODY_BYTES}`);
  return readFileSync(path, "utf8");
}

/** Stops reading at the limit: a source that never ends must not fill the memory. */
async function bodyOf(response: Response, shown: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    // Leaving the loop ends the response.
    if (bytes > MAX_BODY_BYTES)
      throw new Error(`${shown} answered more than ${MAX_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function httpSource(runtime: Runtime, url: string): RateSource {
  const shown = maskedUrl(url);
  const load = async () => {
    const response = await fetch(url, { signal: runtime.abortAfter(HTTP_TIMEOUT_MS) });
    if (!response.ok) throw new Error(`${shown} answered ${response.status}`);
    return readQuotes(await bodyOf(response, shown), shown, runtime.wallMs());
  };
  return { name: "http", load };
}

function walkSource(runtime: Runtime, seed: number): RateSource {
  const random = prng(seed);
  const now = new Map(EUR_RATES.map(([currency, rate]) => [currency, { start: rate, rate }]));
  const load = async () => {
    const rates = new Map<string, string>();
    for (const [currency, at] of now) {
      const next = at.rate * (1 + (random() * 2 - 1) * STEP);
      at.rate = Math.min(at.start * (1 + RANGE), Math.max(at.start * (1 - RANGE), next));
      rates.set(currency, decimal(at.rate));
    }
    return { base: "EUR", atMs: runtime.wallMs(), rates };
  };
  return { name: "walk", load };
}

/** Six significant digits, without an exponent. */
function decimal(rate: number): string {
  const digits = Math.max(0, DIGITS - 1 - Math.floor(Math.log10(rate)));
  return rate.toFixed(Math.min(12, digits));
}

/**
 * `{"base": "EUR", "at": "2027-01-31T10:00:00Z", "rates": {"USD": "1.0837", …}}`. Rates may also be
 * numbers, and `at` may be left out.
 */
export function readQuotes(text: string, where: string, nowMs: number): Quotes {
  const refuse = (what: string): never => {
    throw new Error(`${where}: ${what}`);
  };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    refuse(`not JSON (${messageOf(error)})`);
  }
  const { base, at, rates } = (value ?? {}) as Record<string, unknown>;
  if (typeof base !== "string" || !CURRENCIES.has(base))
    refuse("'base' must be an ISO 4217 currency");
  const atMs = at === undefined ? nowMs : Date.parse(String(at));
  if (Number.isNaN(atMs)) refuse("'at' must be an RFC 3339 time");
  if (typeof rates !== "object" || rates === null)
    refuse("'rates' must be an object of currency → rate");
  const read = new Map<string, string>();
  for (const [currency, rate] of Object.entries(rates as object)) {
    if (!CURRENCIES.has(currency)) refuse(`'rates.${currency}' is not an ISO 4217 currency`);
    const decimalText =
      typeof rate === "number" && rate > 0 && Number.isFinite(rate) ? decimalOfNumber(rate) : rate;
    const wrong = wrongValue(decimalText);
    if (wrong) refuse(`'rates.${currency}': ${wrong}`);
    if (currency !== base) read.set(currency, decimalText as string);
  }
  return { base: base as string, atMs, rates: read };
}

/** JSON numbers may have an exponent. */
function decimalOfNumber(rate: number): string {
  return /e/.test(String(rate)) ? rate.toFixed(12) : String(rate);
}
