// /v1/admin/sales: operators create, open, close and restock sales. Each change goes to the ledger,
// then to Redis; each call is audited.
import type { Context } from "hono";
import { MAX_UNITS_PER_ITEM, type Sale } from "../../core/domain/sale.ts";
import type { SaleOperation } from "../../ledger/contract.ts";
import { type App, type AppParts, type Env, jsonOf } from "../http/calls.ts";
import { problem, Refused } from "../http/problem.ts";
import { list, name, object, optional, type Read, read, time, whole } from "../http/shape.ts";
import { Audit } from "./audit.ts";
import { changesOf, refOf } from "./changes.ts";
import { onRecord } from "./on-record.ts";
import { NEW_SALE, readSale, saleOf, showSale } from "./sale-form.ts";

/** Sales per import. */
const MAX_IMPORT = 100;

export const SALE_IMPORT = object({ sales: list(NEW_SALE, 1, MAX_IMPORT) });
export const RESTOCK = object({ sku: name("The item"), units: whole(1, MAX_UNITS_PER_ITEM) });
export const MOVES = {
  open: object({
    at: optional(time("Default: now")),
    closesAt: optional(time("After `at`; default: as before")),
  }),
  close: object({ at: optional(time("Default: now")) }),
} as const;

export function addAdmin(app: App, parts: AppParts): void {
  const { options, limits } = parts;
  const { stores, clock } = options;
  const { ledger } = stores;
  app.use("/v1/admin/*", onRecord(parts, new Audit(ledger, clock, options.runtime.monotonicMs)));

  const { operate, answer } = changesOf(parts);
  const body = (c: Context<Env>) => jsonOf(c.req.raw, limits.adminBodyBytes);

  app.get("/v1/admin/sales", async (c) => {
    const sales = await ledger.sales();
    return c.json({
      sales: await Promise.all(
        sales.map(async (s) => ({ ...showSale(s, clock()), stock: await ledger.stock(s.id) })),
      ),
    });
  });

  app.post("/v1/admin/sales", async (c) =>
    answer(c, creation(readSale(await body(c)), refOf(c)), true),
  );

  app.post("/v1/admin/sales/import", async (c) => {
    // All are parsed before the first is created: a mistake in the last one changes nothing.
    const sales = read(SALE_IMPORT, await body(c)).sales.map((s, i) => saleOf(s, `sales[${i}].`));
    const results = [];
    for (const sale of sales)
      results.push({ saleId: sale.id, ...(await operate(c, creation(sale))) });
    return c.json({ results });
  });

  app.post("/v1/admin/sales/:sale/restock", async (c) => {
    const { sku, units } = read(RESTOCK, await body(c));
    return answer(
      c,
      {
        kind: "restock",
        ref: refOf(c) ?? options.runtime.uuid(),
        saleId: c.req.param("sale"),
        sku,
        units,
      },
      false,
    );
  });

  for (const kind of ["open", "close"] as const) {
    app.post(`/v1/admin/sales/:sale/${kind}`, async (c) => {
      const moved = { saleId: c.req.param("sale"), ...(await momentsOf(c, kind, clock)) };
      return answer(c, { kind, ref: refOf(c) ?? options.runtime.uuid(), ...moved }, false);
    });
  }
}

/** A sale is created once under its name, so the name serves as its reference. */
function creation(sale: Sale, ref = `create ${sale.id}`): SaleOperation {
  return { kind: "create", ref, sale };
}

/** `{"at": …}` or, without it, now. One that opens may name its end too. */
async function momentsOf(
  c: Context<Env>,
  kind: "open" | "close",
  clock: () => number,
): Promise<{ readonly atMs: number; readonly closesAtMs?: number }> {
  if (!c.req.raw.body) return { atMs: clock() };
  const moved: Read<typeof MOVES.open> = read(MOVES[kind], await jsonOf(c.req.raw, 1024));
  const { at: atMs = clock(), closesAt: closesAtMs } = moved;
  if (closesAtMs === undefined) return { atMs };
  if (closesAtMs <= atMs)
    throw new Refused(problem("out_of_range", "closesAt", "after the sale opens"));
  return { atMs, closesAtMs };
}
