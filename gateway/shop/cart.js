// The cart: what to buy, in which currency, for how much at most.
import { $, el, say, show } from "./dom.js";
import { ceiling, convert, currentRate, decimal, shown, typed } from "./money.js";
import { keep, recall } from "./store.js";

const MAX_LINES = 20;
const MAX_QTY = 99;

export class Cart {
  /** `shop`: what is for sale, its rates and the chosen currency. */
  constructor(shop, changed) {
    this.shop = shop;
    this.changed = changed;
    const kept = Object.entries(recall("cart") ?? {});
    this.qty = new Map(kept.filter(([, n]) => Number.isInteger(n) && n > 0 && n <= MAX_QTY));
    /** What the buyer typed as the most to pay; undefined: what the page proposes. */
    this.most = undefined;
  }

  /** Items that are for sale, with their number. */
  get lines() {
    const items = this.shop.sale?.items ?? [];
    return items
      .filter((item) => this.qty.has(item.sku) && !item.withdrawn)
      .map((item) => ({ item, qty: this.qty.get(item.sku) }));
  }

  get count() {
    return this.lines.reduce((sum, { qty }) => sum + qty, 0);
  }

  add(sku, units) {
    const item = this.shop.sale.items.find((of) => of.sku === sku);
    const most = item?.limitPerUser > 0 ? Math.min(item.limitPerUser, MAX_QTY) : MAX_QTY;
    const qty = Math.min((this.qty.get(sku) ?? 0) + units, most);
    if (qty > 0 && (this.qty.has(sku) || this.lines.length < MAX_LINES)) this.qty.set(sku, qty);
    else this.qty.delete(sku);
    this.most = undefined;
    this.save();
  }

  clear() {
    this.qty.clear();
    this.most = undefined;
    this.save();
  }

  save() {
    keep("cart", Object.fromEntries(this.qty));
    this.changed();
  }

  /** {minor, rate}: the total in the chosen currency; undefined while there is no rate. */
  get total() {
    const { sale, currency } = this.shop;
    const minor = this.lines.reduce((sum, { item, qty }) => sum + item.priceMinor * qty, 0);
    return this.shop.priced(minor, sale.currency, currency);
  }

  /** {maxTotal} or {wrong}: the most to pay in minor units, undefined without a limit. */
  get limit() {
    const { sale, currency, digits } = this.shop;
    if (currency === sale.currency) return {};
    const text = this.most ?? this.proposal;
    if (text.trim() === "") return {};
    const minor = typed(text, digits[currency]);
    const example = decimal(this.total?.minor ?? 100, digits[currency]);
    return minor === undefined ? { wrong: `An amount such as ${example}` } : { maxTotal: minor };
  }

  get proposal() {
    const { currency, digits } = this.shop;
    return this.total ? decimal(ceiling(this.total.minor), digits[currency]) : "";
  }

  /** The order as the SDK takes it; undefined if it cannot be placed as it stands. */
  get order() {
    const { sale, currency } = this.shop;
    const { maxTotal, wrong } = this.limit;
    const { open, ready } = this.shop;
    if (this.lines.length === 0 || wrong || !this.total || !open || !ready) return undefined;
    return {
      ...{ saleId: sale.id, currency, payment: $("#card").value },
      lines: this.lines.map(({ item, qty }) => ({ sku: item.sku, qty })),
      ...(maxTotal === undefined ? {} : { maxTotal }),
    };
  }

  render() {
    const { currency, digits, sale, stock } = this.shop;
    const { lines, total } = this;
    const foreign = currency !== sale.currency;
    show($("#lines"), [lines, currency, total?.minor, total?.rate, [...(stock ?? [])]], () =>
      lines.map((line) => this.row(line)),
    );
    $("#cart-empty").hidden = lines.length > 0;
    $("#checkout-rest").hidden = lines.length === 0;
    const price = total ? shown(total.minor, currency, digits[currency]) : "no exchange rate now";
    say($("#total"), foreign && total ? `≈ ${price}` : price);
    $("#indicative").hidden = !foreign;
    if (foreign && total)
      say(
        $("#indicative"),
        `Indicative, at ${total.rate.value} ${currency} for 1 ${sale.currency}. The rate is ` +
          "fixed when your order is decided, a moment after you send it.",
      );
    $("#most-field").hidden = !foreign;
    const most = $("#most");
    if (document.activeElement !== most && this.most === undefined) most.value = this.proposal;
    say($("#most-currency"), currency);
    const { wrong = "" } = this.limit;
    say($("#most-wrong"), wrong);
    most.setAttribute("aria-invalid", String(wrong !== ""));
    const amount = total && lines.length > 0 ? ` · ${foreign ? "≈ " : ""}${price}` : "";
    const verb = this.shop.ready ? `Place order${amount}` : "Reaching the shop…";
    say($("#buy"), this.shop.open ? verb : "The sale is not open");
    $("#buy").disabled = this.order === undefined;
    say($("#bar-text"), `${this.count} ${this.count === 1 ? "item" : "items"}${amount}`);
    $("#bar").hidden = lines.length === 0;
  }

  row({ item, qty }) {
    const { currency, sale, digits, stock } = this.shop;
    const price = this.shop.priced(item.priceMinor * qty, sale.currency, currency);
    const left = stock?.get(item.sku);
    const atMost = item.limitPerUser > 0 && qty >= item.limitPerUser;
    const note =
      left !== undefined && left < qty
        ? left === 0
          ? "sold out"
          : `only ${left} left`
        : atMost
          ? `${item.limitPerUser} a person`
          : "";
    const step = (units, name, sign, off) =>
      el(
        "button",
        {
          ...{ type: "button", class: "step", "data-key": `${units} ${item.sku}` },
          ...{ "aria-label": `${name} ${item.name}`, disabled: off },
          onclick: () => this.add(item.sku, units),
        },
        sign,
      );
    return el(
      "li",
      {},
      el("span", { class: "line-name" }, item.name, note ? el("small", {}, note) : ""),
      el(
        "span",
        { class: "stepper" },
        step(-1, qty === 1 ? "Remove" : "One less", "−", false),
        el("output", { "aria-label": `Number of ${item.name}` }, qty),
        step(1, "One more", "+", atMost || qty >= MAX_QTY),
      ),
      el(
        "span",
        { class: "line-price" },
        price ? shown(price.minor, currency, digits[currency]) : "–",
      ),
    );
  }
}

/** What the page knows of the sale, its stock and its rates. */
export class ShopState {
  sale;
  /** SKU → units that can be ordered; undefined: not known. */
  stock;
  /** When the stock was last heard of, by this page's monotonic clock. */
  stockAtMs = 0;
  /** The same, Unix ms. */
  stockSeenMs = 0;
  /** The shop knows this visitor, so orders can be placed. */
  ready = false;
  rates = [];
  digits = {};
  currency;

  constructor(now) {
    this.now = now;
  }

  get open() {
    if (!this.sale) return false;
    const now = this.now();
    return now >= Date.parse(this.sale.opensAt) && now < Date.parse(this.sale.closesAt);
  }

  /** Minor units in another currency, with the rate; undefined without one. */
  priced(minor, base, quote) {
    if (base === quote) return { minor };
    const rate = currentRate(this.rates, base, quote, this.now());
    if (!rate) return undefined;
    return { minor: convert(minor, rate.value, this.digits[base], this.digits[quote]), rate };
  }
}
