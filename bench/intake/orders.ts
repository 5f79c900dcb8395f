// Orders of the standard workload (design §10): 20,000 users, one to three lines, a tenth of the
// orders for items that last and the rest for sold-out items. Frames are built once; only id and
// user are rewritten for each order.
import type { Sale } from "../../core/domain/sale.ts";

export const BENCH_SALE = "bench";
export const USERS = 20_000;
/** One in this many orders finds stock. */
const RESERVED_ONE_IN = 10;
const SCARCE = Array.from({ length: 10 }, (_, i) => `scarce-${i}`);
const PLENTY = Array.from({ length: 10 }, (_, i) => `plenty-${i}`);
const HUGE_STOCK = 1_000_000_000;
const DAY_MS = 86_400_000;

export function benchSale(nowMs: number): Sale {
  const item = { category: "bench", priceMinor: 1_000, limitPerUser: 0 };
  const items = [
    ...SCARCE.map((sku) => ({ ...item, sku, name: sku, initial: 1 })),
    ...PLENTY.map((sku) => ({ ...item, sku, name: sku, initial: HUGE_STOCK })),
  ];
  return {
    id: BENCH_SALE,
    name: "Bench",
    currency: "EUR",
    opensAtMs: nowMs - 60_000,
    closesAtMs: nowMs + DAY_MS,
    items,
  };
}

/**
 * Bodies without id and user in the workload's mix: seven in ten have one line, two have two, one
 * has three.
 */
export function bodies(allReserved: boolean): string[] {
  return Array.from({ length: 100 }, (_, i) => {
    const skus = allReserved || i % RESERVED_ONE_IN === 0 ? PLENTY : SCARCE;
    const count = i % 10 < 7 ? 1 : i % 10 < 9 ? 2 : 3;
    const lines = Array.from(
      { length: count },
      (_, l) => `{"sku":"${skus[(i + l) % skus.length]}","qty":1}`,
    );
    return `"saleId":"${BENCH_SALE}","currency":"EUR","lines":[${lines.join(",")}]}`;
  });
}

const ID = "00000000-0000-7000-8000-000000000000";
/** Enough for USERS. */
const USER_DIGITS = 5;

/** A client's WebSocket frame with one order, and the positions of its id and user. */
export interface FrameTemplate {
  readonly bytes: Uint8Array;
  readonly idAt: number;
  readonly userAt: number;
  readonly userDigits: number;
}

/**
 * RFC 6455 §5.2: text, final, masked with zeros (which leaves the text unchanged), 16-bit length.
 */
export function frameTemplate(body: string, userDigits = USER_DIGITS): FrameTemplate {
  const user = `user-${"0".repeat(userDigits)}`;
  const text = `{"type":"order","ref":"0","order":{"id":"${ID}","user":"${user}",${body}}`;
  const header = Uint8Array.of(0x81, 0x80 | 126, text.length >> 8, text.length & 255, 0, 0, 0, 0);
  const bytes = new Uint8Array(header.length + text.length);
  bytes.set(header);
  bytes.set(new TextEncoder().encode(text), header.length);
  return {
    bytes,
    idAt: header.length + text.indexOf(ID),
    userAt: header.length + text.indexOf(user) + "user-".length,
    userDigits,
  };
}

const HEX = new TextEncoder().encode("0123456789abcdef");

/** Writes `digits` hexadecimal digits at `at`. */
export function writeHex(buffer: Uint8Array, at: number, value: number, digits: number): void {
  for (let i = at + digits - 1, rest = value; i >= at; i--) {
    buffer[i] = HEX[rest % 16] as number; // a cast: this runs for every order
    rest = Math.floor(rest / 16);
  }
}

export function writeDecimal(buffer: Uint8Array, at: number, value: number, digits: number): void {
  for (let i = at + digits - 1, rest = value; i >= at; i--) {
    buffer[i] = 0x30 + (rest % 10);
    rest = (rest / 10) | 0;
  }
}
