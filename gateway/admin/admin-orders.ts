// /v1/admin/orders: any user's orders, by id alone, by user, state or sale; and one order's story.
import { UUID_V7 } from "../../core/domain/order-id.ts";
import type { StoredOrder } from "../../ledger/contract.ts";
import type { OrderStory } from "../../ledger/order-search.ts";
import type { App, AppParts } from "../http/calls.ts";
import { problem, Refused } from "../http/problem.ts";
import {
  ONE_ORDER,
  ORDER_LIMIT,
  ORDER_STATUS,
  ORDERS_A_PAGE,
  SALE_ID,
  showOrder,
  showOrders,
} from "../http/read-orders.ts";
import { matching, object, optional, orderId, read, user } from "../http/shape.ts";
import { rfc3339 } from "./sale-form.ts";

/** An id, with a `~` if the page before did not reach that id itself. */
const CURSOR = new RegExp(UUID_V7.source.replace(/\$$/, "~?$"));
export const ORDERS_QUERY = object({
  id: optional(orderId("The order's id alone")),
  user: optional(user("Only orders of this user.")),
  status: optional(ORDER_STATUS),
  saleId: SALE_ID,
  limit: ORDER_LIMIT,
  before: optional(matching(CURSOR, "the `before` of a page", "The `before` of the previous page")),
});
export const STORY_QUERY = object({ user: optional(user("Whose order it is.")) });

export function addAdminOrders(app: App, { options }: AppParts): void {
  const { ledger } = options.stores;

  app.get("/v1/admin/orders", async (c) => {
    const query = read(ORDERS_QUERY, c.req.query());
    const { id, user, status: state, saleId, before, limit = ORDERS_A_PAGE } = query;
    c.set("target", id ?? c.req.query("user") ?? "");
    if (id !== undefined) {
      const found = await ledger.ordersWithId(id);
      const orders = found.filter((order) => user === undefined || order.user === user);
      return c.json({ orders: await showOrders(ledger, orders) });
    }
    const page =
      user === undefined
        ? await ledger.ordersOfAll({ limit, before, state, saleId })
        : await ledger.orderPage(user, {
            limit,
            ...(before === undefined ? {} : { before }),
            ...(state === undefined ? {} : { state }),
            ...(saleId === undefined ? {} : { saleId }),
          });
    const next = page.before === undefined ? {} : { before: page.before };
    return c.json({ orders: await showOrders(ledger, page.orders), ...next });
  });

  app.get("/v1/admin/orders/:id", async (c) => {
    const { id } = read(ONE_ORDER, c.req.param());
    const { user } = read(STORY_QUERY, c.req.query());
    const order = theOne(await ledger.ordersWithId(id), user);
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
