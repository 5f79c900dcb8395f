// The two lists of an entry as JSON text, in the outbox and in the ledger: released orders and
// steps.
//
//   released  [{"gateway", "state", "orders": a message of the one order}, …]
//   steps     [{"what", "user", "id", …}, …], with lines as two lists, "sku" and "qty"
//
// In entries of format 0 both are arrays read by position; they can still be read.
import type { OrderStep, Released, Step } from "./entry.ts";
import { messageText, placedAt, readColumns } from "./message.ts";
import type { Line } from "./order.ts";
import { placed0 } from "./rows-v0.ts";

type StepText = Omit<OrderStep, "lines"> & {
  readonly sku?: readonly string[];
  readonly qty?: readonly number[];
};

/** Throws NoMessage or SyntaxError for any other text. */
export function readReleased(text: string): Released[] {
  return text === "[]" ? [] : listIn(text).map(releasedOf);
}

/** Throws SyntaxError for any other text. */
export function readSteps(text: string): Step[] {
  return text === "[]" ? [] : listIn(text).map(stepOf);
}

/** The same text as core/lua writes. */
export function releasedText(released: readonly Released[]): string {
  return JSON.stringify(
    released.map(({ gateway, state, ...placed }) => ({
      gateway,
      state,
      orders: JSON.parse(messageText([{ kind: "order", ...placed }])) as unknown,
    })),
  );
}

/** The same text as core/lua writes. */
export function stepsText(steps: readonly Step[]): string {
  return JSON.stringify(
    steps.map((step) => {
      if (!("lines" in step)) return step;
      const { lines, ...rest } = step;
      return { ...rest, sku: lines.map(({ sku }) => sku), qty: lines.map(({ qty }) => qty) };
    }),
  );
}

function releasedOf(value: unknown): Released {
  if (Array.isArray(value)) {
    const [gateway, row, state] = value as [string, unknown[], Released["state"]];
    return { gateway, state, ...placed0(row) };
  }
  const { gateway, state, orders } = value as Released & { readonly orders: unknown };
  return { gateway, state, ...placedAt(readColumns(orders), 0) };
}

function stepOf(value: unknown): Step {
  if (Array.isArray(value)) return step0(value as never);
  const { sku, qty, ...step } = value as StepText;
  if (sku === undefined) return step as unknown as Step;
  return { ...step, lines: sku.map((name, i) => ({ sku: name, qty: qty?.[i] ?? 0 })) };
}

/** A step of format 0. */
function step0(step: readonly [what: Step["what"], ...string[]]): Step {
  const [what, user = "", second = "", third, fourth = "", fifth = ""] = step;
  switch (what) {
    case "wait":
      return { what, user, id: second };
    case "rate_wait":
      return { what, user, id: second, pair: third ?? "" };
    case "passed":
      return { what, user, saleId: second, next: Number(third) };
    case "rate":
      return { what, user, id: second, rateId: third ?? "", value: fourth, base: fifth };
    default:
      return orderStep0(step as never);
  }
}

function orderStep0(step: readonly unknown[]): OrderStep {
  const [what, user, id, generation, attempt, gateway, saleId, flat, detail] = step;
  const lines: Line[] = [];
  const list = Array.isArray(flat) ? (flat as (string | number)[]) : [];
  for (let i = 0; i + 1 < list.length; i += 2)
    lines.push({ sku: String(list[i]), qty: Number(list[i + 1]) });
  return { what, user, id, generation, attempt, gateway, saleId, lines, detail } as OrderStep;
}

function listIn(text: string): unknown[] {
  const list: unknown = JSON.parse(text);
  if (!Array.isArray(list)) throw new SyntaxError("not a list");
  return list;
}
