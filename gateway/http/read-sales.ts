// GET /v1/sales/:sale, its stock, and one item's: public, since a shop's pages show them.

import type { Context } from "hono";
import { ignore } from "../../core/runtime/ignored.ts";
import { showSale } from "../admin/sale-form.ts";
import type { KnownSale } from "../catalogue.ts";
import type { App, AppParts, Env } from "./calls.ts";
import { problem, Refused } from "./problem.ts";
import { type StockText, textOf } from "./stock-reader.ts";

type Call = Context<Env>;

export function addSaleReads(app: App, parts: AppParts): void {
  const known = async (saleId: string): Promise<KnownSale> => {
    const { catalogue } = parts.reads;
    const sale =
      catalogue.get(saleId) ??
      ((await catalogue.refreshSoon()) ? catalogue.get(saleId) : undefined);
    if (!sale) throw new Refused(problem("not_found", "sale"));
    return sale;
  };

  /** Sends a text that was made once, if the caller's address may have it. */
  const send = (c: Call, { bytes, etag }: StockText): Response => {
    const headers = { "content-type": "application/json", "cache-control": "no-cache", etag };
    if (c.req.header("if-none-match") === etag) return new Response(null, { status: 304, headers });
    const address = parts.access.addresses.of(c.env?.peer ?? "", c.req.header("x-forwarded-for"));
    parts.reads.bytes.take(address, bytes.byteLength);
    return new Response(bytes, { headers });
  };

  const shown = new WeakMap<KnownSale, StockText>();
  app.get("/v1/sales/:sale", async (c) => {
    const sale = await known(c.req.param("sale"));
    const text = shown.get(sale) ?? textOf(JSON.stringify(showSale(sale.sale)));
    shown.set(sale, text);
    return send(c, text);
  });

  app.get("/v1/sales/:sale/stock", async (c) => {
    const { sale } = await known(c.req.param("sale"));
    return send(c, present(await ignore(parts.reads.stock.textOf(sale.id), "stock_look")));
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
