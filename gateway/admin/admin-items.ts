// /v1/admin/sales/:sale/items: operators add items, take units away, change prices and limits, and
// withdraw items. Each change has a reason.
import type { Context } from "hono";
import { MAX_MONEY_MINOR } from "../../core/domain/order.ts";
import { MAX_UNITS_PER_ITEM } from "../../core/domain/sale.ts";
import type { ItemOperation } from "../../ledger/contract.ts";
import { type App, type AppParts, type Env, jsonOf } from "../http/calls.ts";
import { changesOf, refOf } from "./changes.ts";
import { Fields } from "./fields.ts";
import { readItemWith } from "./sale-form.ts";

const MAX_BODY_BYTES = 4_096;
/**
 * A price holds from then on, unless told otherwise: every gateway shows it and Redis has it before
 * the first order that pays it.
 */
const PRICE_LEAD_MS = 5_000;
const ITEM = "/v1/admin/sales/:sale/items/:sku";

export function addAdminItems(app: App, parts: AppParts): void {
  const { runtime, clock } = parts.options;
  const { answer } = changesOf(parts);
  const body = (c: Context<Env>) => jsonOf(c.req.raw, MAX_BODY_BYTES);
  const named = (c: Context<Env>, fields: Fields) => ({
    ref: refOf(c) ?? runtime.uuid(),
    saleId: c.req.param("sale") ?? "",
    reason: fields.text("reason"),
  });

  app.post("/v1/admin/sales/:sale/items", async (c) => {
    const [item, fields] = readItemWith(await body(c), ["reason"]);
    c.set("target", item.sku);
    return answer(c, { kind: "add", ...named(c, fields), item }, true);
  });

  /** `read` gives what the change has beside the item and its reason. */
  const change = (
    verb: ItemOperation["kind"],
    known: readonly string[],
    read: (fields: Fields) => object,
  ) =>
    app.post(`${ITEM}/${verb}`, async (c) => {
      const fields = Fields.of(await body(c), [...known, "reason"]);
      const sku = c.req.param("sku") ?? "";
      c.set("target", sku.slice(0, 64));
      const operation = { kind: verb, ...named(c, fields), sku, ...read(fields) };
      return answer(c, operation as ItemOperation, false);
    });

  change("correct", ["units"], (fields) => ({
    units: fields.whole("units", 1, MAX_UNITS_PER_ITEM),
  }));
  change("limit", ["limitPerUser"], (fields) => ({
    limitPerUser: fields.whole("limitPerUser", 0, MAX_UNITS_PER_ITEM),
  }));
  change("price", ["priceMinor", "from"], (fields) => {
    const nowMs = clock();
    const fromMs = fields.has("from") ? fields.time("from") : Math.round(nowMs + PRICE_LEAD_MS);
    if (fromMs < nowMs)
      fields.refuse("out_of_range", "from", "not in the past: accepted orders keep their price");
    return { priceMinor: fields.whole("priceMinor", 0, MAX_MONEY_MINOR), fromMs };
  });
  change("withdraw", [], () => ({}));
  change("offer", [], () => ({}));
}
