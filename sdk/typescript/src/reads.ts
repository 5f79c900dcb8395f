// What a shop's pages show: sales, stock, exchange rates, and the user's orders.
import { type Call, isObject, type Reply } from "./gateways.ts";
import type { OrderDetails } from "./order.ts";
import type { OrderState } from "./states.ts";

export interface SaleItem {
  readonly sku: string;
  readonly name: string;
  readonly category: string;
  /** In the sale's currency. */
  readonly priceMinor: number;
  /** Units one user may buy; 0: no limit. */
  readonly limitPerUser: number;
  readonly initial: number;
  /** New orders for it are refused. */
  readonly withdrawn?: boolean;
}

export interface Sale {
  readonly id: string;
  readonly name: string;
  readonly currency: string;
  /** RFC 3339. */
  readonly opensAt: string;
  readonly closesAt: string;
  readonly items: readonly SaleItem[];
}

export interface SalePage {
  readonly sales: readonly (Omit<Sale, "items"> & {
    readonly status: "upcoming" | "open" | "closed";
    /** How many. */
    readonly items: number;
  })[];
  readonly before?: string;
}

export interface SaleQuery {
  readonly status?: "upcoming" | "open" | "closed";
  readonly limit?: number;
  readonly before?: string;
}

export interface StockItem {
  readonly sku: string;
  readonly available: number;
  readonly [more: string]: unknown;
}

export interface Rate {
  /** `EUR/JPY`: one euro costs `value` yen. */
  readonly pair: string;
  /** Decimal text. */
  readonly value: string;
  /** RFC 3339. Orders are not decided at this rate after `until`. */
  readonly at: string;
  readonly until: string;
}

export interface Rates {
  readonly rates: readonly Rate[];
  /** Currency → digits of its minor unit: 2 for euros, 0 for yen. */
  readonly digits: Readonly<Record<string, number>>;
}

export interface OrderPage {
  readonly orders: readonly OrderDetails[];
  readonly before?: string;
}

export interface OrderQuery {
  readonly status?: OrderState;
  readonly saleId?: string;
  readonly limit?: number;
  readonly before?: string;
  /** Services only: whose. */
  readonly user?: string;
}

export const salePath = (saleId: string): string => `/v1/sales/${encodeURIComponent(saleId)}`;

/** A read that needs no token. */
export function publicRead(path: string, query: object = {}): Call {
  return { method: "GET", path, query: texts(query), anonymous: true };
}

export function texts(query: object): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(query).map(([name, value]) => [name, value?.toString() as string | undefined]),
  );
}

export const salesOf = ({ body }: Reply): SalePage | undefined => listIn(body, "sales");
export const saleOf = ({ body }: Reply): Sale | undefined => listIn(body, "items");
export const ratesOf = ({ body }: Reply): Rates | undefined => listIn(body, "rates");
export const ordersOf = ({ body }: Reply): OrderPage | undefined => listIn(body, "orders");
export const stockOf = ({ body }: Reply): readonly StockItem[] | undefined =>
  listIn<{ items: readonly StockItem[] }>(body, "items")?.items;

/** The body, if it has this list. */
function listIn<T>(body: unknown, list: string): T | undefined {
  return isObject(body) && Array.isArray(body[list]) ? (body as unknown as T) : undefined;
}
