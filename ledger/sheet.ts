// What one transaction writes, collected from its entries (ledger/sheet-entry.ts): rows for each
// table, inserted 500 at a time.

import type { PaymentRequest } from "../core/domain/charge.ts";
import type { Entry, OrderStep } from "../core/domain/entry.ts";
import type { Row } from "../core/domain/row.ts";
import type { Traceparent } from "../core/domain/trace.ts";
import type { OrderEvent } from "./contract.ts";
import type { Value } from "./db.ts";
import { Fence } from "./fence.ts";
import type { Move } from "./moves.ts";
import type { Prices } from "./prices.ts";
import { mostRequests } from "./request-targets.ts";
import { append, EVENTS, FOLLOW_UPS } from "./sheet-rows.ts";

export type Account = "available" | "held" | "sold";

/** A change of an item's units. */
export type Change = Partial<Record<Account, number>>;

export interface Sheet {
  /** Time of recording, Unix ms. */
  readonly atMs: number;
  readonly prices: Prices;
  readonly fence: Fence;
  readonly entries: Value[];
  readonly messages: Value[];
  /** By bucket: rows that lie together in the tree are inserted together. */
  readonly orders: Map<number, Value[]>;
  readonly charges: Value[];
  readonly events: Value[];
  readonly movements: Value[];
  readonly postings: Value[];
  readonly followUps: Value[];
  readonly parts: Value[];
  /** Steps that change a part, applied after the parts are inserted. */
  readonly partSteps: OrderStep[];
  /** Sales of orders whose money has left at the provider, by `user id` (taken-back.ts). */
  takenFrom: ReadonlyMap<string, string>;
  /** By entry: rows that changed nothing in Redis but may be news to the ledger. */
  readonly late: Map<Entry, Row[]>;
  /** `region category` → service; read when the transaction has its first paid order. */
  routes?: ReadonlyMap<string, string>;
  /** Requests to payment workers and services as JSON, by `shard exchange routing-key`. */
  readonly requests: Map<string, string[]>;
  /** Orders whose state changes. */
  readonly moved: Move[];
  /** Change of units of an item's accounts, by `sale sku`. */
  readonly stock: Map<string, Change>;
}

export function emptySheet(prices: Prices, atMs: number): Sheet {
  return {
    ...{ prices, atMs, fence: new Fence(prices), late: new Map(), requests: new Map() },
    takenFrom: new Map(),
    ...{ entries: [], messages: [], charges: [], events: [], movements: [], postings: [] },
    ...{ followUps: [], parts: [], partSteps: [], moved: [], orders: new Map(), stock: new Map() },
  };
}

/** Asks the payment workers for a charge or a refund. */
export function ask(sheet: Sheet, shard: number, queue: string, request: PaymentRequest): void {
  send(sheet, shard, "", queue, request);
}

/** Adds a request to one of the messages that the transaction publishes. */
export function send(
  sheet: Sheet,
  shard: number,
  exchange: string,
  routingKey: string,
  request: object,
): void {
  const key = `${shard} ${exchange} ${routingKey}`;
  const list = sheet.requests.get(key);
  if (list) list.push(JSON.stringify(request));
  else sheet.requests.set(key, [JSON.stringify(request)]);
}

/** Turns the collected requests into follow-ups. */
export function addRequests(sheet: Sheet): void {
  for (const [key, requests] of sheet.requests) {
    const [shard = "", exchange = "", routingKey = ""] = key.split(" ");
    const most = mostRequests(exchange, routingKey);
    for (let from = 0; from < requests.length; from += most) {
      const part = requests.slice(from, from + most);
      followUp(sheet, Number(shard), exchange, routingKey, `[${part.join(",")}]`);
    }
  }
}

/** Adds a message to publish after the commit, not before `dueMs` (Redis's clock). */
export function followUp(
  sheet: Sheet,
  shard: number,
  exchange: string,
  routingKey: string,
  body: string,
  dueMs = 0,
): void {
  append(sheet.followUps, FOLLOW_UPS, {
    shard,
    exchange,
    routing_key: routingKey,
    body,
    done: 0,
    due_ms: dueMs,
  });
}

/** Adds an event of an order, as of the entry that caused it. `detail`: JSON text, or empty. */
export function addEvent(
  sheet: Sheet,
  { shard, n, atMs }: Entry,
  { user, id }: { readonly user: string; readonly id: string },
  event: OrderEvent["event"],
  detail = "",
): void {
  append(sheet.events, EVENTS, { usr: user, id, at_ms: atMs, event, detail, shard, n });
}

/** Rows of an entry that changed nothing in Redis but may be news to the ledger. */
export function lateRows(sheet: Sheet, entry: Entry): readonly Row[] {
  return sheet.late.get(entry) ?? [];
}

/** A request's trace, if it has one. */
export function traced(trace: Traceparent | undefined): { traceparent?: Traceparent } {
  return trace ? { traceparent: trace } : {};
}
