// What a change of a sale did, or why it was refused, in the operator's own words: over HTTP the
// call names sale and item, here only these lines do. Pure.
import { countWords } from "../../core/domain/finding-words.ts";
import { moneyText } from "../../core/domain/money.ts";
import type { Sale } from "../../core/domain/sale.ts";
import { refusalOf, SOLD, saleOf } from "../../gateway/admin/changes.ts";
import { rfc3339 } from "../../gateway/admin/sale-form.ts";
import type { OperationResult, SaleOperation } from "../../ledger/contract.ts";

/** More items than this are not listed. */
const LISTED = 12;

/** `sale`: as it was read after the change. */
export function doneWords(operation: SaleOperation, sale: Sale | undefined): string {
  return `${subjectOf(operation)}: ${deedOf(operation, sale)}`;
}

function subjectOf(operation: SaleOperation): string {
  const saleId = saleOf(operation);
  if (operation.kind === "add") return `${saleId} ${operation.item.sku}`;
  return "sku" in operation ? `${saleId} ${operation.sku}` : saleId;
}

function deedOf(operation: SaleOperation, sale: Sale | undefined): string {
  switch (operation.kind) {
    case "create":
      return `created, items: ${operation.sale.items.length}`;
    case "retire":
      return "retired";
    case "open":
      return `opens at ${rfc3339(operation.atMs)}${until(sale)}`;
    case "close":
      return `closes at ${rfc3339(operation.atMs)}`;
    case "restock":
      return `units added: ${operation.units}`;
    case "correct":
      return `units taken away: ${operation.units}`;
    case "add":
      return `added, units: ${operation.item.initial}`;
    case "price":
      return `costs ${amountOf(operation.priceMinor, sale)} from ${rfc3339(operation.fromMs)} on`;
    case "limit":
      return operation.limitPerUser === 0
        ? "has no limit per user any more"
        : `limit per user: ${operation.limitPerUser}`;
    case "withdraw":
      return "withdrawn, nobody can order it any more";
    case "offer":
      return "can be ordered again";
  }
}

function until(sale: Sale | undefined): string {
  return sale ? `, closes at ${rfc3339(sale.closesAtMs)}` : "";
}

function amountOf(minor: number, sale: Sale | undefined): string {
  return sale ? moneyText(minor, sale.currency) : countWords(minor, "minor unit");
}

/** `named`: the operator gave the reference. `sale`: as the ledger has it. */
export function refusedWords(
  operation: SaleOperation,
  result: OperationResult,
  { sale, named }: { readonly sale: Sale | undefined; readonly named: boolean },
): string {
  const saleId = saleOf(operation);
  switch (result) {
    case "unknown_sale":
      return `there is no sale '${saleId}'; 'sluice sales' lists them`;
    case "unknown_item":
      return `sale '${saleId}' has no item${itemOf(operation)}${listed(sale)}`;
    case "sale_exists":
      return `there is a sale '${saleId}' already`;
    case "ref_conflict":
      return operation.kind === "create" && !named
        ? `there is a sale '${saleId}' already, which was created with other content`
        : `--ref '${operation.ref}' was used for another change`;
    case "bad_window":
      return (
        `${subjectOf(operation)}: it would close before it opens; ` +
        "give --closes-at, later than it opens"
      );
    case "not_enough":
      return `${subjectOf(operation)}: ${SOLD.detail}`;
    default: {
      const { detail, code } = refusalOf(result) ?? {};
      return `${subjectOf(operation)}: ${detail ?? code ?? result}`;
    }
  }
}

function itemOf(operation: SaleOperation): string {
  return "sku" in operation ? ` '${operation.sku}'` : "";
}

function listed(sale: Sale | undefined): string {
  if (!sale) return "";
  const skus = sale.items.slice(0, LISTED).map(({ sku }) => sku);
  return `; it has ${skus.join(", ")}${sale.items.length > LISTED ? ", …" : ""}`;
}
