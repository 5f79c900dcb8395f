// One order with all that the ledger knows of it, as text. Pure.
import { minorDigits } from "../core/domain/currency.ts";
import { plain } from "../core/domain/plain.ts";
import { traceIdOf } from "../core/domain/trace.ts";
import { subjectOf } from "../core/domain/user-name.ts";
import { rfc3339 } from "../gateway/admin/sale-form.ts";
import type { Bill, OrderEvent, StoredOrder } from "../ledger/contract.ts";
import type { OrderStory } from "../ledger/order-story.ts";
import { table } from "./table.ts";

export interface OrderInFull {
  readonly order: StoredOrder;
  readonly events: readonly OrderEvent[];
  readonly bill: Bill | undefined;
  readonly story: OrderStory | undefined;
  readonly saleCurrency: string | undefined;
}

export function storyLines({ order, events, bill, story }: OrderInFull): string {
  const { acceptedAtMs, decidedAtMs, traceparent } = order;
  const facts: [string, string][] = [
    ["order", order.id],
    ["user", subjectOf(order.user)],
    ["sale", order.seq > 0 ? `${order.saleId}, number ${order.seq}` : order.saleId],
    ["status", order.state],
    ["items", order.lines.map(({ qty, sku }) => `${qty}×${sku}`).join(" ")],
    ...(bill ? [["amount", amountText(bill)] as [string, string]] : []),
    ["accepted", acceptedText(acceptedAtMs, story)],
    ["decided", decidedText(acceptedAtMs, decidedAtMs, story)],
    ...(traceparent === "" ? [] : [["trace", traceIdOf(traceparent)] as [string, string]]),
  ];
  const lines = facts.map(([name, value]) => `${name.padEnd(9)} ${plain(value)}\n`);
  const shown = events.map(({ atMs, event, detail }) => ({ at: rfc3339(atMs), event, detail }));
  return [
    lines.join(""),
    ...(shown.length > 0 ? [table(shown)] : []),
    ...(story && story.charges.length > 0 ? [table(story.charges.map(chargeRow))] : []),
    ...(story && story.parts.length > 0 ? [table(story.parts.map(partRow))] : []),
  ].join("\n");
}

/** `49.90 EUR` */
export function amountText({ amount, currency }: Pick<Bill, "amount" | "currency">): string {
  const digits = minorDigits(currency);
  const text = String(amount).padStart(digits + 1, "0");
  if (digits === 0) return `${text} ${currency}`;
  return `${text.slice(0, -digits)}.${text.slice(-digits)} ${currency}`;
}

function acceptedText(acceptedAtMs: number, story: OrderStory | undefined): string {
  return `${rfc3339(acceptedAtMs)}${story ? ` by ${story.gateway}` : ""}`;
}

function decidedText(
  acceptedAtMs: number,
  decidedAtMs: number | undefined,
  story: OrderStory | undefined,
): string {
  const where = story ? `, shard ${story.shard}, entry ${story.entry}` : "";
  if (decidedAtMs === undefined) return `not yet${where}`;
  return `${rfc3339(decidedAtMs)}, after ${decidedAtMs - acceptedAtMs} ms${where}`;
}

function chargeRow({ generation, attempt, amount, currency, status }: OrderStory["charges"][0]) {
  return {
    charge: `${generation}/${attempt}`,
    amount: amountText({ amount, currency }),
    status,
  };
}

function partRow({ generation, part, of, service, status, lines }: OrderStory["parts"][0]) {
  return {
    part: `${generation}/${part} of ${of}`,
    service: service === "" ? "none" : service,
    status,
    items: lines.map(({ qty, sku }) => `${qty}×${sku}`).join(" "),
  };
}
