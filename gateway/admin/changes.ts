// What every change of a sale does: the ledger first, then Redis, then the answer.
import type { Context } from "hono";
import { messageOf } from "../../core/domain/message-of.ts";
import { unroutedOf, unroutedText } from "../../core/domain/routing.ts";
import type { OperationResult, SaleOperation } from "../../ledger/contract.ts";
import type { AppParts, Env } from "../http/calls.ts";
import { type Problem, problem, Refused } from "../http/problem.ts";
import { refHeader } from "./on-record.ts";

/**
 * `applied`: whether Redis has the change already. The ledger has it in any case, and makes sure
 * that Redis gets it.
 */
export interface Changed {
  readonly result: OperationResult;
  readonly applied: boolean;
}

export function changesOf(parts: AppParts) {
  const { options, log } = parts;
  const { ledger, applyOperation } = options.stores;

  const operate = async (c: Context<Env>, operation: SaleOperation): Promise<Changed> => {
    const target = c.get("target");
    const sale = saleOf(operation);
    c.set("target", target === undefined ? sale : `${target} ${sale}`.slice(0, 1_000));
    const result = await ledger.operate(operation, c.get("principal").user);
    if (result !== "done" && result !== "repeated") return { result, applied: false };
    const applied = await applyOperation(operation).then(
      () => true,
      (error) => {
        log("operation not yet in Redis", { ref: operation.ref, error: messageOf(error) });
        return false;
      },
    );
    parts.unitsBack();
    await parts.reads.catalogue.refresh();
    return { result, applied };
  };

  /** What the operator should know before the sale opens. */
  const warningsOf = async (operation: SaleOperation): Promise<{ warnings?: string[] }> => {
    if (!SELLS.has(operation.kind)) return {};
    const sale = parts.reads.catalogue.get(saleOf(operation))?.sale;
    const unrouted = unroutedOf(sale ? [sale] : [], await ledger.routes(), options.clock());
    return unrouted.length > 0 ? { warnings: unrouted.map(unroutedText) } : {};
  };

  const answer = async (
    c: Context<Env>,
    operation: SaleOperation,
    created: boolean,
  ): Promise<Response> => {
    const { result, applied } = await operate(c, operation);
    const refusal = refusalOf(result);
    if (refusal) throw new Refused(refusal);
    const warnings = await warningsOf(operation);
    const said = { saleId: saleOf(operation), ref: operation.ref, result, applied, ...warnings };
    if (operation.kind !== "correct") return c.json(said, created && result === "done" ? 201 : 200);
    const outcome = await ledger.correction(operation.ref);
    if (outcome === "refused") throw new Refused(SOLD);
    // 202: Redis could not be asked yet; repeat the call to learn how it ended.
    return c.json(said, outcome === "done" ? 200 : 202);
  };
  return { operate, answer };
}

/** Changes after which something may be sold that was not before. */
export const SELLS: ReadonlySet<string> = new Set(["create", "open", "add", "offer"]);

export const SOLD = problem(
  "conflict",
  "units",
  "fewer units are free: the others are held or sold",
);

/** The caller's reference, which makes repeating a change harmless. */
export function refOf(c: Context<Env>): string | undefined {
  const ref = refHeader(c);
  if (ref !== undefined && !/^[\x21-\x7e]{1,128}$/.test(ref))
    throw new Refused(problem("out_of_range", "Idempotency-Key", "1 to 128 printable characters"));
  return ref;
}

export function saleOf(operation: SaleOperation): string {
  return operation.kind === "create" ? operation.sale.id : operation.saleId;
}

/** undefined: it was done. */
export function refusalOf(result: OperationResult): Problem | undefined {
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
    case "item_exists":
      return problem("conflict", "sku", "the sale has this item; offer it again if withdrawn");
    case "too_many_items":
      return problem("conflict", "sale", "it has as many items as a sale may have");
    case "too_many_prices":
      return problem("conflict", "sku", "its price has changed as often as an item's may");
    case "not_enough":
      return SOLD;
    case "correcting":
      return problem("conflict", "sku", "an earlier correction of it has not ended yet");
    case "not_counted":
      return problem(
        "conflict",
        "limitPerUser",
        "the item was created without a limit, so its users' units were not counted",
      );
    case "unknown_sale":
      return problem("not_found", "sale");
    case "unknown_item":
      return problem("unknown_item", "sku");
  }
}
