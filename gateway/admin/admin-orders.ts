// /v1/admin/orders: any user's orders, by id alone, by user, state or sale; and one order's story.
import { isOrderState } from "../../core/domain/outcome.ts";
import { isName } from "../../core/domain/row-check.ts";
import { nameOfUser, USER_RULE } from "../../core/domain/user-name.ts";
import type { StoredOrder } from "../../ledger/contract.ts";
import type { OrderStory } from "../../ledger/order-search.ts";
import type { App, AppParts } from "../http/calls.ts";
import { problem, Refused } from "../http/problem.ts";
import { idOf, limitOf, queryOf, showOrder } from "../http/read-orders.ts";
import { rfc3339 } from "./sale-form.ts";

const PARAMETERS = ["id", "user", "status", "sale", "limit", "before"];

export function addAdminOrders(app: App, { options }: AppParts): void {
  const { stores, clock } = options;
  const { ledger } = stores;

  app.get("/v1/admin/orders", async (c) => {
    const query = queryOf(c.req.query(), PARAMETERS);
    const { id, before } = query;
    const user = query.user === undefined ? undefined : userOf(query.user);
    const limit = limitOf(query.limit);
    c.set("target", query.id ?? query.user ?? "");
    if (id !== undefined) {
      const found = await ledger.ordersWithId(idOf(id, "id", clock()));
      const orders = found.filter((order) => user === undefined || order.user === user);
      return c.json({ orders: orders.map((o) => showOrder(o)) });
    }
    const state = stateOf(query.status);
    const saleId = saleOf(query.sale);
    const cursor = before === undefined ? undefined : cursorOf(before, clock());
    const page =
      user === undefined
        ? await ledger.ordersOfAll({ limit, before: cursor, state, saleId })
        : await ledger.orderPage(user, {
            limit,
            ...(cursor === undefined ? {} : { before: cursor }),
            ...(state === undefined ? {} : { state }),
            ...(saleId === undefined ? {} : { saleId }),
          });
    const next = page.before === undefined ? {} : { before: page.before };
    return c.json({ orders: page.orders.map((o) => showOrder(o)), ...next });
  });

  app.get("/v1/admin/orders/:id", async (c) => {
    const id = idOf(c.req.param("id"), "id", clock());
    const { user } = queryOf(c.req.query(), ["user"]);
    const order = await theOne(await ledger.ordersWithId(id), user && userOf(user));
    const of = [order.user, id] as const;
    const [events, bill, story] = await Promise.all([
      ledger.events(...of),
      ledger.bill(...of),
      ledger.orderStory(...of),
    ]);
    return c.json({ ...showOrder(order, events, bill), ...(story ? showStory(story) : {}) });
  });
}

function theOne(found: readonly StoredOrder[], user: string | undefined): StoredOrder {
  const own = found.filter((order) => user === undefined || order.user === user);
  if (own.length > 1)
    throw new Refused(problem("missing_field", "user", "several users have an order with this id"));
  const [order] = own;
  if (!order) throw new Refused(problem("not_known_yet", "id"));
  return order;
}

function showStory({ entry, charges, parts, deliveries }: OrderStory) {
  return {
    ...{ entry, charges, parts },
    deliveries: deliveries.map(({ atMs, ...rest }) => ({ at: rfc3339(atMs), ...rest })),
  };
}

function userOf(text: string): string {
  const name = nameOfUser(text);
  if (name === undefined) throw new Refused(problem("out_of_range", "user", USER_RULE));
  return name;
}

function stateOf(status: string | undefined) {
  if (status === undefined) return undefined;
  if (!isOrderState(status) || status === "accepted")
    throw new Refused(problem("out_of_range", "status", "a state of a decided or parked order"));
  return status;
}

function saleOf(sale: string | undefined): string | undefined {
  if (sale !== undefined && !isName(sale))
    throw new Refused(problem("out_of_range", "sale", "a sale's id"));
  return sale;
}

/** An id, or one with a `~`: the page before did not reach the id itself. */
function cursorOf(before: string, nowMs: number): string {
  idOf(before.replace(/~$/, ""), "before", nowMs);
  return before;
}
