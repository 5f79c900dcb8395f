// The standard workload as objects. User and lines of an order follow from its serial number, which
// is part of its id, so that the check knows what each order was.
import { at } from "../../core/domain/at.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { benchSale, bodies, USERS } from "../intake/orders.ts";
import type { Item, Line, Order } from "./peer.ts";

const LINES: readonly (readonly Line[])[] = bodies(false).map(
  (body) => JSON.parse(`{${body}`).lines,
);
const USER_NAMES = Array.from({ length: USERS }, (_, i) => `user-${String(i).padStart(5, "0")}`);
const SERIAL_DIGITS = 8;

export const ITEMS: readonly Item[] = benchSale(0).items.map(({ sku, initial }) => ({
  sku,
  units: initial,
}));

export class Workload {
  /** Orders made so far. */
  made = 0;

  /** The next orders, stamped with the current time. */
  next(count: number): Order[] {
    const prefix = prefixAt(realRuntime.wallMs());
    const orders = new Array<Order>(count);
    for (let i = 0; i < count; i++) orders[i] = orderOf(prefix, this.made++);
    return orders;
  }
}

/** User and lines of the order with this id, or undefined if this workload has not made it. */
export function madeAs(id: string, made: number): Omit<Order, "id"> | undefined {
  const serial = Number.parseInt(id.slice(-SERIAL_DIGITS), 16);
  return serial < made ? orderOf("", serial) : undefined;
}

function orderOf(prefix: string, serial: number): Order {
  const mixed = Math.imul(serial + 1, 2_654_435_761) >>> 0;
  return {
    user: at(USER_NAMES, (mixed >>> 7) % USERS),
    id: prefix + serial.toString(16).padStart(SERIAL_DIGITS, "0"),
    lines: at(LINES, serial % LINES.length),
  };
}

/** A UUID of version 7 without its last eight digits. */
function prefixAt(wallMs: number): string {
  const time = wallMs.toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-0000`;
}
