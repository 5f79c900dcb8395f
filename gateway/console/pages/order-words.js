// States and events of orders, in words.
import { html } from "../ui/html.js";
import { State } from "../ui/parts.js";

const LEVELS = {
  ...{ accepted: "notice", parked: "notice", reserved: "notice", paid: "ok", dispatched: "ok" },
  ...{ payment_failed: "warning", rejected: "trouble", fx_unavailable: "warning" },
  ...{ sold_out: "notice", over_limit: "notice", over_max_total: "notice", sale_closed: "notice" },
  ...{ unknown_item: "notice", superseded: "notice", stale: "notice" },
  ...{ cancelled: "notice", expired: "notice" },
};

/** The states that can be searched for. */
export const STATES = [
  ...["parked", "reserved", "paid", "dispatched", "sold_out", "over_limit", "over_max_total"],
  ...["sale_closed", "unknown_item", "fx_unavailable", "superseded", "stale", "rejected"],
  ...["cancelled", "payment_failed", "expired"],
];

export const OrderState = ({ state }) =>
  html`<${State} level=${LEVELS[state] ?? "unknown"}>${state.replaceAll("_", " ")}</${State}>`;

const EVENTS = {
  accepted: "accepted by a gateway",
  parked: "waits for an earlier number or a rate",
  decided: "a worker has decided it",
  reserved: "its units are held",
  paid: "the charge is captured",
  dispatched: "every part is done",
  sold_out: "refused: sold out",
  over_limit: "refused: more than the limit per user",
  over_max_total: "refused: more than the customer's maximum",
  sale_closed: "refused: the sale was not open",
  unknown_item: "refused: the sale has no such item",
  fx_unavailable: "refused: no exchange rate came in time",
  superseded: "refused: its number had passed",
  stale: "refused: older than what is remembered",
  rejected: "it could not be decided",
  cancelled: "cancelled by the customer",
  payment_failed: "the last charge failed; its units are free again",
  expired: "the hold ran out; its units are free again",
  conflict: "the same id was sent with another body",
  charge_failed: "the provider refused it",
  charge_unknown: "the provider's answer is not known",
  claimed: "a service works on a part",
  done: "a service has done a part",
  refund: "a refund is due",
  refunded: "the refund is done",
  refund_failed: "the provider refused the refund",
  redriven: "an operator retried it",
};

/** `detail`: a charge's or refund's attempt and the provider's reason, or a part's service. */
export function eventWords(event, detail = {}) {
  const words = EVENTS[event] ?? event.replaceAll("_", " ");
  const { attempt, detail: reason, service, part, parts } = detail;
  const of = [
    ...(attempt ? [`attempt ${attempt}`] : []),
    ...(service ? [`part ${part} of ${parts}, ${service}`] : []),
    ...(reason ? [reason] : []),
  ];
  return of.length === 0 ? words : `${words} (${of.join(": ")})`;
}

export const linesOf = ({ lines }) => lines.map(({ sku, qty }) => `${qty} × ${sku}`).join(", ");
