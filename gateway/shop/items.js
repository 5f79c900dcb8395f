// The items of the sale, each with its price in the chosen currency and what is left.
import { $, drawing, el, show } from "./dom.js";
import { shown } from "./money.js";

const FEW = 5;
const TINTS = 5;
const DRAWINGS = [
  [/lamp|light/i, "art-lamp"],
  [/radio|speaker|audio/i, "art-radio"],
  [/print|poster|art/i, "art-print"],
];

export function showItems(shop, cart) {
  const { sale, stock, currency } = shop;
  const items = sale.items.filter(({ withdrawn }) => !withdrawn);
  const facts = items.map((item) => {
    const price = shop.priced(item.priceMinor, sale.currency, currency);
    return { item, price, left: stock?.get(item.sku), inCart: cart.qty.get(item.sku) ?? 0 };
  });
  show($("#items"), [facts, currency, shop.open, shop.stale], () =>
    facts.map((fact, i) => card(fact, i, shop, cart)),
  );
}

function card({ item, price, left, inCart }, i, shop, cart) {
  const { sale, currency, digits } = shop;
  const soldOut = left === 0;
  const full = item.limitPerUser > 0 && inCart >= item.limitPerUser;
  const foreign = currency !== sale.currency;
  const own = shown(item.priceMinor, sale.currency, digits[sale.currency]);
  const label = soldOut
    ? "Sold out"
    : full
      ? "All you can have"
      : inCart > 0
        ? "Add one more"
        : "Add to cart";
  return el(
    "li",
    { class: `item tint-${i % TINTS}${soldOut ? " gone" : ""}` },
    el("div", { class: "art" }, drawing(drawingOf(item), "drawing")),
    el(
      "div",
      { class: "about" },
      el("h3", {}, item.name),
      el(
        "p",
        { class: "price" },
        el(
          "b",
          {},
          price ? `${foreign ? "≈ " : ""}${shown(price.minor, currency, digits[currency])}` : own,
        ),
        foreign && price ? el("small", {}, own) : "",
      ),
      stockLine(item, left, shop),
      el(
        "button",
        {
          ...{ type: "button", class: "add", "data-key": `add ${item.sku}` },
          disabled: soldOut || full || !shop.open,
          "aria-label": `${label}: ${item.name}`,
          onclick: () => cart.add(item.sku, 1),
        },
        label,
      ),
    ),
  );
}

function stockLine(item, left, { stale, stockSeenMs }) {
  const limit = item.limitPerUser > 0 ? `${item.limitPerUser} a person` : "";
  if (left === undefined)
    return el(
      "p",
      { class: "left" },
      el("span", {}, "We cannot see what is left right now"),
      limit,
    );
  const share = item.initial > 0 ? Math.min(1, left / item.initial) : 0;
  const bar = el("i", { class: "level" });
  bar.style.width = `${Math.round(100 * share)}%`;
  const units = `${left.toLocaleString()} left`;
  const now = left === 0 ? "None left" : left <= FEW ? `Only ${units}` : units;
  const words = stale ? `${units} at ${timeOf(stockSeenMs)}` : now;
  return el(
    "p",
    { class: `left${left > 0 && left <= FEW ? " few" : ""}${stale ? " stale" : ""}` },
    el("span", {}, words),
    el("span", {}, limit),
    el("span", { class: "levels", "aria-hidden": "true" }, bar),
  );
}

const timeOf = (ms) => new Date(ms).toLocaleTimeString(undefined, { timeStyle: "short" });

function drawingOf({ sku, name, category }) {
  const text = `${sku} ${name} ${category}`;
  return DRAWINGS.find(([pattern]) => pattern.test(text))?.[1] ?? "art-any";
}
