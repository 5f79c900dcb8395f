// GET /v1/orders and /v1/orders/:id: a user's own orders, from the ledger; undecided ones from this
// gateway's memory.

import { eventDetail } from "../../core/domain/event-detail.ts";
import { OPEN_STATES, TERMINAL_STATES, type WaitsFor } from "../../core/domain/outcome.ts";
import { shardOf } from "../../core/domain/shard.ts";
import { traceIdOf } from "../../core/domain/trace.ts";
import { subjectOf } from "../../core/domain/user-name.ts";
import type { Bill, Ledger, OrderEvent, StoredOrder } from "../../ledger/contract.ts";
import type { Principal } from "../access/auth.ts";
import { may } from "../access/rights.ts";
import { rfc3339 } from "../admin/sale-form.ts";
import { type App, type AppParts, principalOf } from "./calls.ts";
import { problem, Refused } from "./problem.ts";
import { name, object, oneOf, optional, orderId, read, user, wholeText } from "./shape.ts";

export const ORDERS_A_PAGE = 50;
/** Each order may lie in a message of its own, of up to 300 kB. */
const MAX_PAGE = 100;

const STATES = [...OPEN_STATES, ...TERMINAL_STATES].filter((state) => state !== "accepted");
export const ORDER_STATUS = oneOf(STATES, {
  rule: "a state of a decided or parked order",
  description: "Only orders of this status",
});
export const ORDER_LIMIT = optional(
  wholeText(1, MAX_PAGE, `Orders per page at most; default ${ORDERS_A_PAGE}`),
);
export const SALE_ID = optional(name("Only orders of this sale"));
/** Of a call about one order. */
export const FOR_USER_MEMBERS = { user: optional(user("The buyer; with a scope only.")) };
export const ORDER_LIST_QUERY = object({
  limit: ORDER_LIMIT,
  before: optional(orderId("The `before` of the previous page")),
  status: optional(ORDER_STATUS),
  saleId: SALE_ID,
  ...FOR_USER_MEMBERS,
});
export const FOR_USER = object(FOR_USER_MEMBERS);
export const ONE_ORDER = object({ id: orderId("The order's id") });

export function addOrderReads(app: App, parts: AppParts): void {
  const { stores, server } = parts.options;
  const { ledger } = stores;
  const { shards } = server;

  app.get("/v1/orders", async (c) => {
    const principal = await principalOf(parts, c.req.header("authorization"));
    parts.reads.allowance.take(principal, "list");
    const query = read(ORDER_LIST_QUERY, c.req.query());
    const { user, status: state, limit = ORDERS_A_PAGE, ...more } = query;
    const page = { limit, ...more, ...(state === undefined ? {} : { state }) };
    const { orders, before } = await ledger.orderPage(whose(principal, user), page);
    return c.json({ orders: await showOrders(ledger, orders), ...(before ? { before } : {}) });
  });

  app.get("/v1/orders/:id", async (c) => {
    const principal = await principalOf(parts, c.req.header("authorization"));
    parts.reads.allowance.take(principal, "order");
    const user = whose(principal, read(FOR_USER, c.req.query()).user);
    const { id } = read(ONE_ORDER, c.req.param());
    // Checked first: an outcome is pushed only once the ledger has it, so an order forgotten here
    // since then is found there.
    const shard = shardOf(user, shards);
    const ahead = parts.orders.undecided.ahead(shard, user, id);
    const order = await ledger.order(user, id);
    if (order) {
      const bill = await ledger.bill(user, id);
      const waitsFor = waitOf(order, bill, parts.reads.catalogue.get(order.saleId)?.sale.currency);
      return c.json({ ...showOrder(order, await ledger.events(user, id), bill), ...waitsFor });
    }
    if (ahead !== undefined)
      return c.json({
        id,
        user: subjectOf(user),
        status: "accepted",
        estimate: parts.orders.admission.estimateBehind(shard, ahead),
      });
    throw new Refused(problem("not_known_yet", "id"));
  });
}

/** The token's subject, or the user a service or an operator asks for. */
export function whose(principal: Principal, user = principal.user): string {
  if (user !== principal.user && !may(principal, "read_for"))
    throw new Refused(problem("forbidden", "user", "another user's orders"));
  return user;
}

/** What keeps the order from its next state, as far as can be known without other orders. */
export function waitOf(
  { state, seq, currency }: StoredOrder,
  bill: Bill | undefined,
  saleCurrency: string | undefined,
): { waitsFor?: WaitsFor } {
  if (state === "reserved" && bill?.waits) return { waitsFor: "earlier_charge" };
  if (state !== "parked") return {};
  if (seq === 0) return { waitsFor: "rate" };
  return { waitsFor: currency === saleCurrency ? "number" : "number_or_rate" };
}

/** As in the stream of an order's events. */
function showEvent({ atMs, event, detail: text }: OrderEvent) {
  const detail = eventDetail(event, text);
  return { at: rfc3339(atMs), event, ...(typeof detail === "object" ? { detail } : {}) };
}

/** An order as all interfaces show it. Its payment token is never shown. */
export function showOrder(
  order: StoredOrder,
  events?: readonly OrderEvent[],
  bill?: Bill,
): Record<string, unknown> {
  return {
    id: order.id,
    user: subjectOf(order.user),
    saleId: order.saleId,
    ...(order.seq > 0 ? { seq: order.seq } : {}),
    status: order.state,
    currency: order.currency,
    lines: order.lines,
    ...(order.metadata === "" ? {} : { metadata: JSON.parse(order.metadata) as unknown }),
    ...(order.maxTotal === 0 ? {} : { maxTotal: order.maxTotal }),
    ...(bill ? { amount: bill.amount, ...(bill.rate ? { rate: bill.rate } : {}) } : {}),
    ...(order.traceparent === "" ? {} : { traceId: traceIdOf(order.traceparent) }),
    acceptedAt: rfc3339(order.acceptedAtMs),
    ...(order.decidedAtMs === undefined ? {} : { decidedAt: rfc3339(order.decidedAtMs) }),
    ...(events ? { events: eventsOf(order, events).map(showEvent) } : {}),
  };
}

/** A page of orders, with what each costs. */
export async function showOrders(
  ledger: Pick<Ledger, "bills">,
  orders: readonly StoredOrder[],
): Promise<Record<string, unknown>[]> {
  const bills = await ledger.bills(orders.map(({ user, id }) => ({ user, id })));
  return orders.map((order, i) => showOrder(order, undefined, bills[i]));
}

/** Begins with the decision, as the stream of the order's events does. */
export function eventsOf(
  { first }: StoredOrder,
  events: readonly OrderEvent[],
): readonly OrderEvent[] {
  return [{ atMs: first.atMs, event: first.state, detail: "" }, ...events];
}
