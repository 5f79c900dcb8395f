// The visitor's orders: where each stands, what happened to it, and what can be done.
import { $, el, show } from "./dom.js";
import { shown } from "./money.js";
import { STEPS, stepOf, wordsBefore, wordsFor, wordsOfEvent } from "./words.js";

/** An order can be cancelled for this long after it was accepted. */
const CANCEL_MS = 120_000;
/** An order in doubt may be given up after this: no gateway takes it any more. */
const FORGETTABLE_MS = 900_000;
const CANCELLABLE = new Set(["accepted", "parked", "reserved", "paid"]);

export function showOrders(ordering, shop) {
  const orders = [...ordering.orders.values()];
  $("#orders").hidden = orders.length === 0;
  const states = orders.map(({ wake, ...order }) => order);
  show($("#order-list"), states, () => orders.map((order) => card(order, ordering, shop)));
  tick(shop);
}

/** The seconds that are left to cancel, without redrawing anything. */
export function tick(shop) {
  for (const button of document.querySelectorAll("[data-until]")) {
    const leftMs = Number(button.dataset.until) - shop.now();
    if (leftMs <= 0) button.closest(".undo").remove();
    else button.querySelector("time").textContent = clock(leftMs);
  }
}

function card(order, ordering, shop) {
  const { draft, phase, details, why } = order;
  const placed = phase === "placed";
  const words = placed ? wordsFor(details.status, details) : wordsBefore(phase, why);
  return el(
    "li",
    {
      class: `order ${words.tone}`,
      "data-id": draft.id,
      "data-status": placed ? details.status : phase,
    },
    el(
      "header",
      {},
      el("h3", { tabindex: "-1" }, order.names.join(", ")),
      el("p", { class: "amount" }, amountOf(order, shop)),
    ),
    el("p", { class: "verdict" }, el("b", {}, words.title), el("span", {}, words.text)),
    order.lost === undefined ? "" : el("p", { class: "note" }, lostWords(order)),
    placed ? steps(details.status) : "",
    order.cancelSaid ? el("p", { class: "note" }, order.cancelSaid) : "",
    actions(order, ordering, shop),
    history(order),
  );
}

const lostWords = ({ lost }) =>
  `No news since ${timeOf(lost)}. Your order is safe; this page keeps asking.`;

function steps(status) {
  const at = stepOf(status);
  if (at < 0) return "";
  const names = STEPS.map((name, i) =>
    el(
      "li",
      {
        class: i < at ? "done" : i === at ? "now" : "",
        "aria-current": i === at ? "step" : undefined,
      },
      name,
    ),
  );
  return el("ol", { class: "steps", "aria-label": "How far it is" }, ...names);
}

function actions(order, ordering, shop) {
  const { draft, phase, details, cancelling, over } = order;
  const button = (name, act, more = {}, ...rest) =>
    el(
      "button",
      { type: "button", "data-key": `${name} ${draft.id}`, onclick: act, ...more },
      name,
      ...rest,
    );
  const until = cancelUntil(order);
  const quiet = { class: "quiet" };
  const remove = () => button("Remove from this list", () => ordering.dismiss(order), quiet);
  if (phase === "unsure" || phase === "not_placed") {
    const old = phase === "not_placed" || shop.now() - madeAtMs(draft.id) > FORGETTABLE_MS;
    const again = button("Send it again", () => ordering.send(order));
    return el("p", { class: "undo" }, again, old ? remove() : "");
  }
  if (phase === "placed" && CANCELLABLE.has(details.status) && until > shop.now())
    return el(
      "p",
      { class: "undo" },
      button(
        cancelling ? "Cancelling" : "Cancel",
        () => ordering.cancel(order),
        { "data-until": until, disabled: cancelling },
        " ",
        el("time", {}, clock(until - shop.now())),
      ),
    );
  return over ? el("p", { class: "undo" }, remove()) : "";
}

function history({ draft, details }) {
  const events = details?.events ?? [];
  const { maxTotal } = draft;
  return el(
    "details",
    { "data-key": `history ${draft.id}` },
    el("summary", {}, "Details"),
    el(
      "ol",
      { class: "events" },
      ...(details?.acceptedAt ? [moment(details.acceptedAt, "Accepted")] : []),
      ...events.map(({ at, event }) => moment(at, wordsOfEvent(event))),
    ),
    el("p", { class: "number" }, "Order ", el("code", {}, draft.id)),
    maxTotal === undefined ? "" : el("p", { class: "number" }, "With a maximum price"),
  );
}

const moment = (at, words) =>
  el("li", {}, el("time", { datetime: at }, timeOf(Date.parse(at))), words);

/** What it costs, once that is fixed; before, the most it may cost. */
function amountOf({ draft, details, over }, { digits }) {
  const { currency, maxTotal } = draft;
  const known = digits[currency];
  if (known === undefined) return currency;
  if (details?.amount !== undefined) return shown(details.amount, currency, known);
  if (over) return "";
  return maxTotal === undefined ? "" : `at most ${shown(maxTotal, currency, known)}`;
}

/** Before the shop has told when it accepted the order, its id tells when it was made. */
function cancelUntil({ draft, details }) {
  const { acceptedAt } = details ?? {};
  return (acceptedAt ? Date.parse(acceptedAt) : madeAtMs(draft.id)) + CANCEL_MS;
}

/** The time in an order's id. */
const madeAtMs = (id) => Number.parseInt(id.replace("-", "").slice(0, 12), 16);

function clock(ms) {
  const seconds = Math.ceil(ms / 1_000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

const timeOf = (ms) => new Date(ms).toLocaleTimeString(undefined, { timeStyle: "medium" });
