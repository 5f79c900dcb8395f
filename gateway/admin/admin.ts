// /v1/admin/sales: operators create, open, close and restock sales. Each change goes to the ledger,
// then to Redis; each call is audited.
import type { Context } from "hono";
import { MAX_UNITS_PER_ITEM, type Sale } from "../../core/domain/sale.ts";
import type { SaleOperation } from "../../ledger/contract.ts";
import { type App, type AppParts, type Env, jsonOf } from "../http/calls.ts";
import { Audit } from "./audit.ts";
import { changesOf, refOf } from "./changes.ts";
import { Fields } from "./fields.ts";
import { onRecord } from "./on-record.ts";
import { readSale, showSale } from "./sale-form.ts";

/** Sales per import. */
const MAX_IMPORT = 100;

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
    const list = Fields.of(await body(c), ["sales"]).list("sales", 1, MAX_IMPORT);
    // All are parsed before the first is created: a mistake in the last one changes nothing.
    const sales = list.map((sale, i) => readSale(sale, `sales[${i}].`));
    const results = [];
    for (const sale of sales)
      results.push({ saleId: sale.id, ...(await operate(c, creation(sale))) });
    return c.json({ results });
  });

  app.post("/v1/admin/sales/:sale/restock", async (c) => {
    const fields = Fields.of(await body(c), ["sku", "units"]);
    const [sku, units] = [fields.name("sku"), fields.whole("units", 1, MAX_UNITS_PER_ITEM)];
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
  const known = kind === "open" ? ["at", "closesAt"] : ["at"];
  const fields = Fields.of(await jsonOf(c.req.raw, 1024), known);
  const atMs = fields.has("at") ? fields.time("at") : clock();
  if (!fields.has("closesAt")) return { atMs };
  const closesAtMs = fields.time("closesAt");
  if (closesAtMs <= atMs) fields.refuse("out_of_range", "closesAt", "after the sale opens");
  return { atMs, closesAtMs };
}
