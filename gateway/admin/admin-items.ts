// /v1/admin/sales/:sale/items: operators add items, take units away, change prices and limits, and
// withdraw items. Each change has a reason.
import type { Context } from "hono";
import { MAX_UNITS_PER_ITEM } from "../../core/domain/sale.ts";
import type { ItemOperation } from "../../ledger/contract.ts";
import { type App, type AppParts, type Env, jsonOf } from "../http/calls.ts";
import { problem, Refused } from "../http/problem.ts";
import { object, optional, type Read, read, type Shape, time, whole } from "../http/shape.ts";
import { changesOf, refOf } from "./changes.ts";
import { ITEM_MEMBERS, itemOf, LIMIT, PRICE, REASON, WHY } from "./sale-form.ts";

const MAX_BODY_BYTES = 4_096;
/**
 * A price holds from then on, unless told otherwise: every gateway shows it and Redis has it before
 * the first order that pays it.
 */
const PRICE_LEAD_MS = 5_000;
const ITEM = "/v1/admin/sales/:sale/items/:sku";

export const ITEM_BODIES = {
  add: object({ ...ITEM_MEMBERS, reason: WHY }),
  correct: object({ units: whole(1, MAX_UNITS_PER_ITEM), reason: WHY }),
  limit: object({ limitPerUser: LIMIT, reason: WHY }),
  price: object({
    priceMinor: PRICE,
    from: optional(time("For orders accepted from then on; default: in five seconds")),
    reason: WHY,
  }),
  withdraw: REASON,
  offer: REASON,
} as const;

export function addAdminItems(app: App, parts: AppParts): void {
  const { runtime, clock } = parts.options;
  const { answer } = changesOf(parts);
  const bodyOf = async <S extends Shape>(c: Context<Env>, shape: S): Promise<Read<S>> =>
    read(shape, await jsonOf(c.req.raw, MAX_BODY_BYTES));
  const named = (c: Context<Env>) => ({
    ref: refOf(c) ?? runtime.uuid(),
    saleId: c.req.param("sale") ?? "",
  });

  app.post("/v1/admin/sales/:sale/items", async (c) => {
    const { reason, ...item } = await bodyOf(c, ITEM_BODIES.add);
    c.set("target", item.sku);
    return answer(c, { kind: "add", ...named(c), reason, item: itemOf(item) }, true);
  });

  /** `made` turns what was read into what the change has beside the item. */
  const change = <S extends Shape<{ readonly reason: string }>>(
    verb: ItemOperation["kind"],
    shape: S,
    made: (said: Read<S>) => object = (said) => said,
  ) =>
    app.post(`${ITEM}/${verb}`, async (c) => {
      const said = await bodyOf(c, shape);
      const sku = c.req.param("sku") ?? "";
      c.set("target", sku.slice(0, 64));
      const operation = { kind: verb, ...named(c), sku, ...made(said) };
      return answer(c, operation as ItemOperation, false);
    });

  change("correct", ITEM_BODIES.correct);
  change("limit", ITEM_BODIES.limit);
  change("withdraw", ITEM_BODIES.withdraw);
  change("offer", ITEM_BODIES.offer);
  change("price", ITEM_BODIES.price, ({ from, ...said }) => {
    const nowMs = clock();
    const fromMs = from ?? Math.round(nowMs + PRICE_LEAD_MS);
    if (fromMs < nowMs) throw new Refused(IN_THE_PAST);
    return { ...said, fromMs };
  });
}

const IN_THE_PAST = problem(
  "out_of_range",
  "from",
  "not in the past: accepted orders keep their price",
);
