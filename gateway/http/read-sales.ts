// GET /v1/sales/:sale, its stock, and one item's: public, since a shop's pages show them.
import { ignore } from "../../core/runtime/ignored.ts";
import { showSale } from "../admin/sale-form.ts";
import type { KnownSale } from "../catalogue.ts";
import type { App, AppParts } from "./calls.ts";
import { problem, Refused } from "./problem.ts";

export function addSaleReads(app: App, parts: AppParts): void {
  const known = async (saleId: string): Promise<KnownSale> => {
    const { catalogue } = parts.reads;
    const sale =
      catalogue.get(saleId) ??
      ((await catalogue.refreshSoon()) ? catalogue.get(saleId) : undefined);
    if (!sale) throw new Refused(problem("not_found", "sale"));
    return sale;
  };

  app.get("/v1/sales/:sale", async (c) =>
    c.json(showSale((await known(c.req.param("sale"))).sale, parts.options.clock())),
  );

  app.get("/v1/sales/:sale/stock", async (c) => {
    const { sale } = await known(c.req.param("sale"));
    const { json, etag } = present(await ignore(parts.reads.stock.textOf(sale.id), "stock_look"));
    const headers = { "content-type": "application/json", "cache-control": "no-cache", etag };
    return c.req.header("if-none-match") === etag
      ? new Response(null, { status: 304, headers })
      : new Response(json, { headers });
  });

  app.get("/v1/sales/:sale/stock/:sku", async (c) => {
    const { sale, skus } = await known(c.req.param("sale"));
    if (!skus.has(c.req.param("sku"))) throw new Refused(problem("not_found", "sku"));
    const stock = present(await ignore(parts.reads.stock.of(sale.id), "stock_look"));
    const item = stock.find((s) => s.sku === c.req.param("sku"));
    if (!item) throw new Refused(problem("unavailable", "sku", "not in Redis yet"));
    c.header("cache-control", "no-store");
    return c.json({ saleId: sale.id, ...item });
  });
}

function present<T>(found: T | undefined): T {
  if (found === undefined)
    throw new Refused(
      problem("unavailable", "stock", "Redis is away or does not have the sale yet"),
    );
  return found;
}
