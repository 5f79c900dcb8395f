// Shared by the k6 scripts: address, token and orders. `sluice bench k6` sets the environment.
import type { Options } from "k6/options";

declare const __ENV: Record<string, string>;

export const URL = __ENV.SLUICE_K6_URL ?? "http://127.0.0.1:8080";
/** A token with service scope, which may name the user of each order. */
const TOKEN = __ENV.SLUICE_K6_TOKEN ?? "";
export const SALE = __ENV.SLUICE_K6_SALE ?? "bench";
export const SECONDS = Number(__ENV.SLUICE_K6_SECONDS ?? 30);
/** Requests per second, initially or throughout. */
export const RATE = Number(__ENV.SLUICE_K6_RATE ?? 100);
/**
 * Orders per request. k6 manages some thousand requests per second, so a flood is made of batches.
 */
export const BATCH = Number(__ENV.SLUICE_K6_BATCH ?? 100);
/** Units of the one item of the sale that sells out. */
export const UNITS = Number(__ENV.SLUICE_K6_UNITS ?? 100);
const USERS = 20_000;
const SKUS = 10;

export const HEADERS = { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" };
export const SUMMARY: Options["summaryTrendStats"] = ["med", "p(95)", "p(99)", "max"];

/**
 * Ids of one instance of a script: the time, a random middle, and a counter. Random digits for each
 * order would cost k6 more than everything else.
 */
let serial = Math.floor(Math.random() * 0x1000000);
const hex = (number: number, digits: number) => number.toString(16).padStart(digits, "0");

/**
 * An order as JSON text; one in ten for an item that lasts. k6 interprets JavaScript slowly:
 * building text takes half of what an object does.
 */
export function order(): string {
  const lines = `[{"sku":"${itemOf()}","qty":1}]`;
  return (
    `{"id":"${orderId()}","user":"${userOf()}","saleId":"${SALE}","currency":"EUR",` +
    `"lines":${lines}}`
  );
}

/** One in ten lasts. */
export function itemOf(): string {
  const scarce = Math.random() < 0.9;
  return `${scarce ? "scarce" : "plenty"}-${Math.floor(Math.random() * SKUS)}`;
}

export const userOf = (): string => `user-${Math.floor(Math.random() * USERS)}`;

/** A UUIDv7. */
export function orderId(): string {
  const time = hex(Date.now(), 12);
  const random = hex(Math.floor(Math.random() * 0x100000000), 8);
  serial = (serial + 1) % 0x1000000;
  return (
    `${time.slice(0, 8)}-${time.slice(8)}-7${random.slice(0, 3)}-a${random.slice(3, 6)}-` +
    `${random.slice(6)}0000${hex(serial, 6)}`
  );
}
