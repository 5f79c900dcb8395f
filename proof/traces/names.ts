// The specification's names for entries and orders, and those that the real stores know them by.
import { GENESIS } from "../../core/domain/entry.ts";
import { type OrderRow, orderRow } from "../../core/domain/row.ts";
import { SALE_ID, SKU, type Stores } from "./stores.ts";
import type { SpecRow } from "./world-state.ts";

const PREFIX = "entry-";

/** What the real stores' names are in the specification. */
export interface Known {
  /** An entry, by its id. */
  entry(id: string | undefined): string;
  /** An order, by `user id`. */
  order(name: string): string;
  epoch(real: string | number | undefined): string;
}

export class Names implements Known {
  /** As they were sent first; a copy is the same row. */
  private readonly rows = new Map<string, OrderRow>();
  /** `user id` → the specification's name. */
  private readonly orders = new Map<string, string>();

  constructor(private readonly stores: Pick<Stores, "orderId" | "scheduler">) {}

  entryId(id: number): string {
    return id === 0 ? GENESIS : `${PREFIX}${id}`;
  }

  entry(id: string | undefined): string {
    return id === GENESIS ? "0" : (id ?? "").slice(PREFIX.length);
  }

  /** By `user id`. */
  order(name: string): string {
    return this.orders.get(name) ?? name;
  }

  epoch(real: string | number | undefined): string {
    return `${real}`;
  }

  rowOf({ order, user, seq, qty }: Pick<SpecRow, "order" | "user" | "seq" | "qty">): OrderRow {
    const known = this.rows.get(order);
    if (known) return known;
    const id = this.stores.orderId();
    const placed = {
      ...{ user, id, saleId: SALE_ID, seq, currency: "EUR", payment: "tok", metadata: "" },
      ...{ maxTotal: 0, lines: [{ sku: SKU, qty }] },
    };
    const row = orderRow(placed, Math.floor(this.stores.scheduler.nowMs()));
    this.rows.set(order, row);
    this.orders.set(`${user} ${id}`, order);
    return row;
  }
}
