// GET /v1/orders and /v1/orders/:id: a user's own orders, from the ledger; undecided ones from this
// gateway's memory.

import { judgeOrderId } from "../../core/domain/order-id.ts";
import { isOrderState, type WaitsFor } from "../../core/domain/outcome.ts";
import { isName } from "../../core/domain/row-check.ts";
import { shardOf } from "../../core/domain/shard.ts";
import { traceIdOf } from "../../core/domain/trace.ts";
import { nameOfUser, subjectOf, USER_RULE } from "../../core/domain/user-name.ts";
import type { Bill, OrderEvent, PageRequest, StoredOrder } from "../../ledger/contract.ts";
import type { Principal } from "../access/auth.ts";
import { may } from "../access/rights.ts";
import { rfc3339 } from "../admin/sale-form.ts";
import { type App, type AppParts, principalOf } from "./calls.ts";
import { Problem, problem, Refused } from "./problem.ts";

const DEFAULT_PAGE = 50;
/** Each order may lie in a message of its own, of up to 300 kB. */
const MAX_PAGE = 100;

const LIST_PARAMETERS = ["limit", "before", "user", "status", "saleId"];

export function addOrderReads(app: App, parts: AppParts): void {
  const { stores, server, clock } = parts.options;
  const { ledger } = stores;
  const { shards } = server;

  app.get("/v1/orders", async (c) => {
    const principal = await principalOf(parts, c.req.header("authorization"));
    parts.reads.allowance.take(principal, "list");
    const { user, limit, ...filter } = queryOf(c.req.query(), LIST_PARAMETERS);
    const page = { limit: limitOf(limit), ...filterOf(filter, clock()) };
    const { orders, before } = await ledger.orderPage(whose(principal, user), page);
    return c.json({ orders: orders.map((o) => showOrder(o)), ...(before ? { before } : {}) });
  });

  app.get("/v1/orders/:id", async (c) => {
    const principal = await principalOf(parts, c.req.header("authorization"));
    parts.reads.allowance.take(principal, "order");
    const user = whose(principal, queryOf(c.req.query(), ["user"]).user);
    const id = idOf(c.req.param("id"), "id", clock());
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
export function whose(principal: Principal, user: string | undefined): string {
  if (user === undefined) return principal.user;
  const name = nameOfUser(user);
  if (name === principal.user) return name;
  if (!may(principal, "read_for"))
    throw new Refused(problem("forbidden", "user", "another user's orders"));
  if (name === undefined) throw new Refused(problem("out_of_range", "user", USER_RULE));
  return name;
}

export function queryOf(
  query: Record<string, string>,
  known: readonly string[],
): Record<string, string | undefined> {
  for (const name of Object.keys(query))
    if (!known.includes(name)) throw new Refused(new Problem("unknown_field", name.slice(0, 64)));
  return query;
}

export function limitOf(limit: string | undefined): number {
  if (limit === undefined) return DEFAULT_PAGE;
  const number = /^\d{1,4}$/.test(limit) ? Number(limit) : 0;
  if (number < 1 || number > MAX_PAGE)
    throw new Refused(problem("out_of_range", "limit", `1 to ${MAX_PAGE}`));
  return number;
}

/** Which of a user's orders are listed. */
function filterOf(
  { before, status, saleId }: Record<string, string | undefined>,
  nowMs: number,
): Omit<PageRequest, "limit"> {
  if (status !== undefined && (!isOrderState(status) || status === "accepted"))
    throw new Refused(problem("out_of_range", "status", "a state of a decided or parked order"));
  if (saleId !== undefined && !isName(saleId))
    throw new Refused(problem("out_of_range", "saleId", "a sale's id"));
  return {
    ...(before === undefined ? {} : { before: idOf(before, "before", nowMs) }),
    ...(status === undefined ? {} : { state: status }),
    ...(saleId === undefined ? {} : { saleId }),
  };
}

/** An id of any age: only its format matters here. */
export function idOf(id: string, field: string, nowMs: number): string {
  if (judgeOrderId(id, nowMs) === "malformed")
    throw new Refused(problem("out_of_range", field, "a UUIDv7 in lower case"));
  return id;
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
    ...(events ? { events: events.map((e) => ({ at: rfc3339(e.atMs), event: e.event })) } : {}),
  };
}
