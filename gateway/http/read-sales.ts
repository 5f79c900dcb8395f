// GET /v1/sales, one sale, its stock and one item's: public, since a shop's pages show them.
import type { Context } from "hono";
import type { Sale } from "../../core/domain/sale.ts";
import { ignore } from "../../core/runtime/ignored.ts";
import { rfc3339, showSale } from "../admin/sale-form.ts";
import type { KnownSale } from "../catalogue.ts";
import { type App, type AppParts, addressOf, type Env } from "./calls.ts";
import { problem, Refused } from "./problem.ts";
import { name, object, oneOf, optional, read, wholeText } from "./shape.ts";
import { answerWith, type TaggedText, tagged } from "./tagged-text.ts";

export const SALE_STATUSES = ["upcoming", "open", "closed"] as const;
export type SaleStatus = (typeof SALE_STATUSES)[number];

const DEFAULT_PAGE = 50;
const MAX_PAGE = 100;
export const SALES_QUERY = object({
  limit: optional(wholeText(1, MAX_PAGE, `Sales per page; default ${DEFAULT_PAGE}`)),
  before: optional(name("The `before` of the previous page")),
  status: optional(oneOf(SALE_STATUSES, { description: "Only sales of this status" })),
});

export function addSaleReads(app: App, parts: AppParts): void {
  const { clock } = parts.options;
  const { catalogue } = parts.reads;
  const known = async (saleId: string): Promise<KnownSale> => {
    const sale =
      catalogue.get(saleId) ??
      ((await catalogue.refreshSoon()) ? catalogue.get(saleId) : undefined);
    if (!sale) throw new Refused(problem("not_found", "sale"));
    return sale;
  };

  const send = (c: Context<Env>, text: TaggedText): Response => sendPublic(parts, c, text);

  app.get("/v1/sales", (c) => {
    const query = read(SALES_QUERY, c.req.query());
    const { limit = DEFAULT_PAGE, status } = query;
    const nowMs = clock();
    const sales = catalogue
      .all()
      .filter((sale) => status === undefined || statusOf(sale, nowMs) === status)
      .sort(newestFirst);
    const from = query.before === undefined ? 0 : placeAfter(sales, catalogue.get(query.before));
    const page = sales.slice(from, from + limit);
    const before = from + limit < sales.length ? { before: page.at(-1)?.id } : {};
    const shown = page.map((sale) => listed(sale, nowMs));
    return send(c, tagged({ sales: shown, ...before }));
  });

  // A sale of ten thousand items is written once for each of its prices.
  const texts = new WeakMap<KnownSale, { readonly text: TaggedText; readonly untilMs: number }>();
  app.get("/v1/sales/:sale", async (c) => {
    const found = await known(c.req.param("sale"));
    const nowMs = clock();
    let written = texts.get(found);
    if (!written || nowMs >= written.untilMs) {
      const text = tagged(showSale(found.sale, nowMs));
      written = { text, untilMs: nextPriceMs(found.sale, nowMs) };
      texts.set(found, written);
    }
    return send(c, written.text);
  });

  app.get("/v1/sales/:sale/stock", async (c) => {
    const { sale } = await known(c.req.param("sale"));
    const text = present(await ignore(parts.reads.stock.textOf(sale.id), "stock_look"));
    return send(c, text);
  });

  app.get("/v1/sales/:sale/stock/:sku", async (c) => {
    const { sale, initial } = await known(c.req.param("sale"));
    if (!initial.has(c.req.param("sku"))) throw new Refused(problem("not_found", "sku"));
    const stock = present(await ignore(parts.reads.stock.of(sale.id), "stock_look"));
    const item = stock.find((s) => s.sku === c.req.param("sku"));
    if (!item) throw new Refused(problem("unavailable", "sku", "not in Redis yet"));
    return c.json({ saleId: sale.id, ...item });
  });
}

/** Sends a text that many get, if the caller's address may have it. */
export function sendPublic(parts: AppParts, c: Context<Env>, text: TaggedText): Response {
  return answerWith(text, c.req.header("if-none-match"), (bytes) =>
    parts.reads.bytes.take(addressOf(parts, c), bytes),
  );
}

/** When a price of the sale changes next, Unix ms. */
function nextPriceMs({ items }: Sale, nowMs: number): number {
  const coming = items.flatMap(({ prices = [] }) => prices.map(({ fromMs }) => fromMs));
  return coming.reduce(
    (next, fromMs) => (fromMs > nowMs ? Math.min(next, fromMs) : next),
    Number.POSITIVE_INFINITY,
  );
}

function statusOf({ opensAtMs, closesAtMs }: Sale, nowMs: number): SaleStatus {
  if (nowMs < opensAtMs) return "upcoming";
  return nowMs < closesAtMs ? "open" : "closed";
}

/** By opening; sales that open together, by id. */
function newestFirst(a: Sale, b: Sale): number {
  return b.opensAtMs - a.opensAtMs || (a.id < b.id ? 1 : -1);
}

/** Where the sales behind this one start: it may not be among them any more. */
function placeAfter(sales: readonly Sale[], last: KnownSale | undefined): number {
  if (!last) throw new Refused(problem("not_found", "before"));
  const place = sales.findIndex((sale) => newestFirst(last.sale, sale) < 0 && sale !== last.sale);
  return place < 0 ? sales.length : place;
}

function listed(sale: Sale, nowMs: number): Record<string, unknown> {
  const { id, name, currency, opensAtMs, closesAtMs, items } = sale;
  return {
    ...{ id, name, currency, status: statusOf(sale, nowMs), items: items.length },
    ...{ opensAt: rfc3339(opensAtMs), closesAt: rfc3339(closesAtMs) },
  };
}

function present<T>(found: T | undefined): T {
  if (found === undefined)
    throw new Refused(
      problem("unavailable", "stock", "Redis is away or does not have the sale yet"),
    );
  return found;
}
