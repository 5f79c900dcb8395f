// What the shop says about an order in each of its states. "Sold out" and its like are normal
// outcomes, told calmly; only what went wrong, or may have, is told as trouble.
import type { OrderState, WaitsFor } from "../../core/domain/outcome.ts";

export type Tone = "wait" | "good" | "calm" | "trouble";

export interface Words {
  readonly tone: Tone;
  readonly title: string;
  readonly text: string;
}

/** Before an order is known to have been accepted. */
export type Phase = "sending" | "again" | "checking" | "unsure" | "not_placed" | "refused";

export interface Facts {
  readonly waitsFor?: WaitsFor | undefined;
  readonly estimate?: { readonly position?: number; readonly seconds: number } | undefined;
  readonly events?: readonly { readonly event: string }[] | undefined;
}

const NOTHING_CHARGED = "Nothing was charged.";

const WAITING: Readonly<Record<WaitsFor, string>> = {
  number: "It waits for an earlier order of yours.",
  rate: "It waits a moment for an exchange rate.",
  number_or_rate: "It waits for an earlier order of yours, or for an exchange rate.",
  earlier_charge: "It is reserved for you, and is paid after an earlier order of yours.",
};

export function wordsFor(status: OrderState, facts: Facts = {}): Words {
  const { waitsFor, estimate, events = [] } = facts;
  const waiting = waitsFor === undefined ? undefined : WAITING[waitsFor];
  switch (status) {
    case "accepted":
      return wait("In line", `Your order is safe with us. ${placeIn(estimate)}`);
    case "parked":
      return wait("Waiting", `Your order is safe with us. ${waiting ?? ""}`.trim());
    case "reserved":
      return wait("Yours", waiting ?? "It is reserved for you, and is being paid now.");
    case "paid":
      return wait("Paid", "It is being packed.");
    case "dispatched":
      return { tone: "good", title: "On its way", text: "Everything has been dispatched." };
    case "sold_out":
      return calm("Sold out", `Others were faster this time. ${NOTHING_CHARGED}`);
    case "over_limit":
      return calm("One too many", `You have as many as one buyer may have. ${NOTHING_CHARGED}`);
    case "over_max_total":
      return calm("Above your maximum", `It would have cost more than that. ${NOTHING_CHARGED}`);
    case "sale_closed":
      return calm("The sale was closed", `The order came before or after it. ${NOTHING_CHARGED}`);
    case "unknown_item":
      return calm("No longer offered", `An item has been withdrawn. ${NOTHING_CHARGED}`);
    case "cancelled":
      return calm("Cancelled", refundIn(events));
    case "fx_unavailable":
      return trouble("No exchange rate", "Try again later, or in the sale's own currency.");
    case "superseded":
      return trouble("Replaced", "A later order of yours was decided first.");
    case "stale":
      return trouble("Too late", "It took too long to reach us. Please order again.");
    case "rejected":
      return trouble("Not accepted", "The order could not be read. Please order again.");
    case "payment_failed":
      return paymentFailed(events);
    case "expired":
      return trouble("Not paid in time", "The payment took too long; the items were released.");
  }
}

export function wordsBefore(phase: Phase, why = ""): Words {
  const reason = why === "" ? "" : ` (${why})`;
  switch (phase) {
    case "sending":
      return wait("Sending", "Your order is on its way to the shop.");
    case "again":
      return wait(
        "Still no answer",
        "We keep sending the same order. It has one number, so it can only count once.",
      );
    case "checking":
      return wait(
        "Picking up where you left off",
        "We send the order from before again. It has one number, so it can only count once.",
      );
    case "unsure":
      return trouble(
        "We cannot tell yet",
        `The order may have arrived${reason}. It is safe to send it again: it counts once.`,
        "",
      );
    case "not_placed":
      return trouble(
        "Not ordered",
        `The shop did not take the order${reason}. Nothing happened.`,
        "",
      );
    case "refused":
      return trouble("Not ordered", `The shop refused the order${reason}. Nothing happened.`, "");
  }
}

const EVENTS: Readonly<Record<string, string>> = {
  accepted: "Accepted",
  parked: "Waiting",
  reserved: "Reserved for you",
  paid: "Paid",
  dispatched: "Dispatched",
  charge_failed: "A charge failed; it is tried again",
  charge_unknown: "The bank has not answered yet",
  claimed: "A warehouse has it",
  done: "A parcel is packed",
  refund: "Refund started",
  refunded: "Money returned",
  refund_failed: "The refund did not work; we look into it",
  cancelled: "Cancelled",
  conflict: "Another order with the same number was ignored",
};

export function wordsOfEvent(event: string): string {
  const words = EVENTS[event] ?? event.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** The way of a good order; an order's place on it. */
export const STEPS = ["In line", "Yours", "Paid", "On its way"] as const;

/** −1: not on it, or no longer. */
export function stepOf(status: OrderState): number {
  const places: Partial<Record<OrderState, number>> = {
    ...{ accepted: 0, parked: 0, reserved: 1, paid: 2, dispatched: 3 },
  };
  return places[status] ?? -1;
}

function placeIn(estimate: Facts["estimate"]): string {
  if (!estimate) return "It is being decided.";
  const { position = 0, seconds } = estimate;
  if (position < 1) return "It is next.";
  const orders = position === 1 ? "1 order is" : `${position} orders are`;
  const time = seconds < 1 ? "less than a second" : `about ${Math.round(seconds)} s`;
  return `${orders} ahead of it: ${time}.`;
}

function refundIn(events: readonly { readonly event: string }[]): string {
  const has = (word: string): boolean => events.some(({ event }) => event === word);
  if (has("refunded")) return "Your money has been returned.";
  return has("paid") || has("refund") ? "Your money is on its way back." : NOTHING_CHARGED;
}

/** A charge without an answer may still have gone through. */
function paymentFailed(events: readonly { readonly event: string }[]): Words {
  const doubtful = events.some(({ event }) => /^charge_un/.test(event));
  const text = "The card did not pay, and the items were released.";
  return doubtful
    ? trouble("Payment failed", `${text} If your bank shows a charge, it will be returned.`, "")
    : trouble("Payment failed", text);
}

const wait = (title: string, text: string): Words => ({ tone: "wait", title, text });
const calm = (title: string, text: string): Words => ({ tone: "calm", title, text });
const trouble = (title: string, text: string, end = ` ${NOTHING_CHARGED}`): Words => ({
  ...{ tone: "trouble", title },
  text: `${text}${end}`,
});
