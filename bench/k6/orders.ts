// What the k6 scripts share: where to, as whom, and orders. `sluice bench k6` sets the environment.
import type { Options } from "k6/options";

declare const __ENV: Record<string, string>;

export const URL = __ENV.SLUICE_K6_URL ?? "http://127.0.0.1:8080";
/** A token with service scope: it names the user of each order. */
const TOKEN = __ENV.SLUICE_K6_TOKEN ?? "";
export const SALE = __ENV.SLUICE_K6_SALE ?? "bench";
export const SECONDS = Number(__ENV.SLUICE_K6_SECONDS ?? 30);
/** Requests a second at the start, or all the time. */
export const RATE = Number(__ENV.SLUICE_K6_RATE ?? 100);
/** Orders in one request: k6 itself offers some thousand requests a second, so a flood is made of batches. */
export const BATCH = Number(__ENV.SLUICE_K6_BATCH ?? 100);
const USERS = 20_000;
const SKUS = 10;

export const HEADERS = { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" };
export const SUMMARY: Options["summaryTrendStats"] = ["med", "p(95)", "p(99)", "max"];

export interface Order {
  readonly id: string;
  readonly user: string;
  readonly saleId: string;
  readonly currency: string;
  readonly lines: readonly { readonly sku: string; readonly qty: number }[];
}

/** One in ten for an item that does not run out. */
export function order(): Order {
  const scarce = Math.random() < 0.9;
  const sku = `${scarce ? "scarce" : "plenty"}-${Math.floor(Math.random() * SKUS)}`;
  return { id: uuidV7(), user: `user-${Math.floor(Math.random() * USERS)}`, saleId: SALE, currency: "EUR", lines: [{ sku, qty: 1 }] };
}

function uuidV7(): string {
  const time = Date.now().toString(16).padStart(12, "0");
  const hex = (digits: number) => Array.from({ length: digits }, () => Math.floor(Math.random() * 16).toString(16)).join("");
  return `${time.slice(0, 8)}-${time.slice(8)}-7${hex(3)}-a${hex(3)}-${hex(12)}`;
}
