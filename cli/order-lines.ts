// One order with all that the ledger knows of it, as text. Pure.
import { eventDetailText } from "../core/domain/event-detail.ts";
import { moneyText } from "../core/domain/money.ts";
import { plain } from "../core/domain/plain.ts";
import { traceIdOf } from "../core/domain/trace.ts";
import { subjectOf } from "../core/domain/user-name.ts";
import { rfc3339 } from "../gateway/admin/sale-form.ts";
import { eventsOf } from "../gateway/http/read-orders.ts";
import type { Bill, OrderEvent, StoredOrder } from "../ledger/contract.ts";
import type { OrderStory } from "../ledger/order-search.ts";
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
    ["accepted", rfc3339(acceptedAtMs)],
    ["decided", decidedText(acceptedAtMs, decidedAtMs, story)],
    ...(traceparent === "" ? [] : [["trace", traceIdOf(traceparent)] as [string, string]]),
  ];
  const lines = facts.map(([name, value]) => `${name.padEnd(9)} ${plain(value)}\n`);
  const shown = eventsOf(order, events).map(({ atMs, event, detail: text }) => {
    const detail = eventDetailText(event, text);
    return { at: rfc3339(atMs), event, detail };
  });
  return [
    lines.join(""),
    ...(shown.length > 0 ? [table(shown)] : []),
    ...(story && story.charges.length > 0 ? [table(story.charges.map(chargeRow))] : []),
    ...(story && story.parts.length > 0 ? [table(story.parts.map(partRow))] : []),
    ...(story?.parts.some(({ status }) => status === "claimed") ? [givenUpLine(order.user)] : []),
    ...(story && story.deliveries.length > 0 ? [table(story.deliveries.map(deliveryRow))] : []),
  ].join("\n");
}

/** `49.90 EUR` */
export function amountText({ amount, currency }: Pick<Bill, "amount" | "currency">): string {
  return moneyText(amount, currency);
}

function decidedText(
  acceptedAtMs: number,
  decidedAtMs: number | undefined,
  story: OrderStory | undefined,
): string {
  const where = story ? `, shard ${story.entry.shard}, entry ${story.entry.n}` : "";
  if (decidedAtMs === undefined) return `not yet${where}`;
  return `${rfc3339(decidedAtMs)}, after ${decidedAtMs - acceptedAtMs} ms${where}`;
}

function chargeRow({ generation, attempt, status, detail, ...bill }: OrderStory["charges"][0]) {
  return { charge: `${generation}/${attempt}`, amount: amountText(bill), status, detail };
}

function partRow({ generation, part, routingKey, service, status }: OrderStory["parts"][0]) {
  const by = service === "" ? "none" : service;
  return { part: `${generation}/${part}`, for: routingKey, service: by, status };
}

/** The ledger does not have what a service gave up: only the broker does. */
function givenUpLine(user: string): string {
  const name = plain(subjectOf(user));
  return `a claimed part may have been given up: 'sluice dead --user ${name}' shows it, and why\n`;
}

function deliveryRow({ atMs, endpoint, type, outcome, tries }: OrderStory["deliveries"][0]) {
  return { at: rfc3339(atMs), webhook: endpoint, type, outcome, try: tries };
}
