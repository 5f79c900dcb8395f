// /v1/admin/sales: operators create, open, close and restock sales. Each change goes to the ledger,
// then to Redis; each call is audited.
import type { Context } from "hono";
import { messageOf } from "../../core/domain/message-of.ts";
import { MAX_UNITS_PER_ITEM, type Sale } from "../../core/domain/sale.ts";
import type { OperationResult, SaleOperation } from "../../ledger/contract.ts";
import { type App, type AppParts, type Env, jsonOf } from "../http/calls.ts";
import { type Problem, problem, Refused } from "../http/problem.ts";
import { Audit } from "./audit.ts";
import { Fields } from "./fields.ts";
import { onRecord, refHeader } from "./on-record.ts";
import { readSale, showSale } from "./sale-form.ts";

/** Sales per import. */
const MAX_IMPORT = 100;

export function addAdmin(app: App, parts: AppParts): void {
  const { options, limits, log } = parts;
  const { catalogue } = parts.reads;
  const { stores, clock } = options;
  const { ledger } = stores;
  app.use("/v1/admin/*", onRecord(parts, new Audit(ledger, clock, options.runtime.monotonicMs)));

  /**
   * `applied`: whether Redis has the change already. The ledger has it in any case, and makes sure
   * that Redis gets it.
   */
  const operate = async (
    c: Context<Env>,
    operation: SaleOperation,
  ): Promise<{ result: OperationResult; applied: boolean }> => {
    c.set(
      "target",
      c.get("target") === undefined
        ? saleOf(operation)
        : `${c.get("target")} ${saleOf(operation)}`.slice(0, 1_000),
    );
    const result = await ledger.operate(operation, c.get("principal").user);
    if (result !== "done" && result !== "repeated") return { result, applied: false };
    const applied = await options.stores.applyOperation(operation).then(
      () => true,
      (error) => {
        log("operation not yet in Redis", { ref: operation.ref, error: messageOf(error) });
        return false;
      },
    );
    parts.unitsBack();
    await catalogue.refresh();
    return { result, applied };
  };

  const answer = async (
    c: Context<Env>,
    operation: SaleOperation,
    created: boolean,
  ): Promise<Response> => {
    const { result, applied } = await operate(c, operation);
    const refusal = refusalOf(result);
    if (refusal) throw new Refused(refusal);
    return c.json(
      { saleId: saleOf(operation), ref: operation.ref, result, applied },
      created && result === "done" ? 201 : 200,
    );
  };

  const body = (c: Context<Env>) => jsonOf(c.req.raw, limits.adminBodyBytes);

  app.get("/v1/admin/sales", async (c) => {
    const sales = await ledger.sales();
    return c.json({
      sales: await Promise.all(
        sales.map(async (s) => ({ ...showSale(s), stock: await ledger.stock(s.id) })),
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

/** The caller's reference, which makes repeating a change harmless. */
function refOf(c: Context<Env>): string | undefined {
  const ref = refHeader(c);
  if (ref !== undefined && !/^[\x21-\x7e]{1,128}$/.test(ref))
    throw new Refused(problem("out_of_range", "Idempotency-Key", "1 to 128 printable characters"));
  return ref;
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

function saleOf(operation: SaleOperation): string {
  return operation.kind === "create" ? operation.sale.id : operation.saleId;
}

function refusalOf(result: OperationResult): Problem | undefined {
  switch (result) {
    case "done":
    case "repeated":
      return undefined;
    case "ref_conflict":
      return problem("conflict", "Idempotency-Key", "used for another change");
    case "sale_retired":
      return problem("conflict", "sale", "it has ended and been retired");
    case "bad_window":
      return problem(
        "conflict",
        "sale",
        "it would close before it opens: open it with a closesAt later than at, or close it later",
      );
    case "sale_exists":
      return problem("conflict", "id", "a sale with this name exists");
    case "unknown_sale":
      return problem("not_found", "sale");
    case "unknown_item":
      return problem("unknown_item", "sku");
  }
}
