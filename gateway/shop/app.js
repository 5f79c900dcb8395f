// The shop: shows the sale and its live stock, and wires the cart to the orders.
import { Cart, ShopState } from "./cart.js";
import { $, el, say, show } from "./dom.js";
import { showItems } from "./items.js";
import { currenciesFor } from "./money.js";
import { Ordering } from "./ordering.js";
import { showOrders, tick } from "./orders.js";
import { Sluice } from "./sluice.js";
import { keep, keeps, recall } from "./store.js";

const STOCK_EVERY_MS = 10_000;
const RATES_EVERY_MS = 15_000;
const SALE_EVERY_MS = 15_000;
const READ_MS = 8_000;
const FIRST_RATES_MS = 3_000;
const TOKEN_MS = 8_000;
/** Stock that is older than this is shown as old. */
const STALE_MS = 25_000;
const TOKEN_LEFT_MS = 30_000;
const AGAIN_MS = 2_000;
const NEWS_MS = 6_000;
const MAX_NEWS = 3;
/** Preferred where there is a rate; the rest follows by its code. */
const FIRST_CURRENCIES = ["EUR", "USD", "GBP", "JPY", "CHF"];

let visit = recall("visit");
let asked = false;
let live;
let drawsSoon = false;
const sluice = new Sluice({ gateways: location.origin, token });
const shop = new ShopState(() => sluice.now());
const cart = new Cart(shop, changed);
const ordering = new Ordering({ sluice, connection: () => live, changed, announce });

/** The SDK asks for the first token, and again when a gateway no longer accepts the last. */
async function token() {
  const good = visit && Date.parse(visit.expiresAt) > sluice.now() + TOKEN_LEFT_MS;
  if (good && !asked) {
    asked = true;
    return visit.token;
  }
  asked = true;
  const headers = visit ? { authorization: `Bearer ${visit.token}` } : {};
  const signal = AbortSignal.timeout(TOKEN_MS);
  const answer = await fetch("/shop/token", { method: "POST", headers, signal });
  if (!answer.ok) throw new Error(`no token: HTTP ${answer.status}`);
  const given = await answer.json();
  // Another tab may have come first: both are one visitor.
  visit = visit ? given : (recall("visit") ?? given);
  keep("visit", visit);
  // The shop knows the last one no more, so the orders shown are not this visitor's.
  if (ordering.user && ordering.user !== visit.user) location.reload();
  return visit.token;
}

/** The shop answers, and has nothing to sell. */
const NO_SALE = new Error("there is no sale");

/** `error` undefined: all is well. */
function tellOf(error) {
  $("#no-sale").hidden = error !== NO_SALE;
  $("#trouble").hidden = error === undefined || error === NO_SALE;
}

/** Repeats a piece of work until it succeeds once; the page says so meanwhile. */
async function untilDone(work) {
  for (;;) {
    try {
      await work();
      return tellOf();
    } catch (error) {
      tellOf(error);
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }
}

/** Repeats it for as long as the page is open; one that fails is repeated as well. */
function every(ms, work) {
  const again = async () => {
    await work().catch(() => undefined); // what is known stays, and grows old
    setTimeout(again, document.hidden ? 4 * ms : ms);
  };
  setTimeout(again, ms);
}

async function start() {
  await untilDone(chooseSale);
  await readRates(FIRST_RATES_MS).catch(ownCurrencyOnly);
  void readStock().catch(() => undefined);
  $("#shop").hidden = false;
  changed();
  await untilDone(() => sluice.gateways.bearer());
  ordering.recover(visit.user);
  shop.ready = true;
  void connect();
  every(STOCK_EVERY_MS, readStock);
  every(RATES_EVERY_MS, readRates);
  every(SALE_EVERY_MS, () => readSale().then(() => tellOf(), tellOf));
}

/** The sale of the address (#id), else an open one, else the next, else the last. */
async function chooseSale() {
  const { sales } = await sluice.sales({}, { deadlineMs: READ_MS });
  const by = (status) => sales.filter((sale) => sale.status === status);
  const asked = sales.find(({ id }) => id === ofAddress());
  const chosen = asked ?? by("open")[0] ?? by("upcoming").at(-1) ?? by("closed")[0];
  if (!chosen) throw NO_SALE;
  shop.sale = await sluice.sale(chosen.id, { deadlineMs: READ_MS });
  showSales(sales);
}

/** The sales to choose from; new ones appear while the page is open. */
function showSales(sales) {
  const { id: now } = shop.sale;
  const others = sales.filter(({ id, status }) => status !== "closed" || id === now);
  $("#sales").hidden = others.length < 2;
  show($("#sale"), others, () =>
    others.map(({ id, name, status }) =>
      el("option", { value: id }, status === "upcoming" ? `${name} (soon)` : name),
    ),
  );
  $("#sale").value = now;
}

/** The id after the #; an address that was cut off has none. */
function ofAddress() {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return "";
  }
}

async function readSale() {
  shop.sale = await sluice.sale(shop.sale.id, { deadlineMs: READ_MS });
  changed();
  const { sales } = await sluice.sales({}, { deadlineMs: READ_MS });
  showSales(sales);
}

async function readRates(deadlineMs = READ_MS) {
  const { rates, digits } = await sluice.rates({ deadlineMs });
  Object.assign(shop, { rates, digits });
  shop.currency ??= recall("currency") ?? shop.sale.currency;
  changed();
}

/** Without rates, prices in the sale's own currency are still known. */
function ownCurrencyOnly() {
  const { currency } = shop.sale;
  const form = new Intl.NumberFormat("en", { style: "currency", currency });
  Object.assign(shop, {
    currency,
    digits: { [currency]: form.resolvedOptions().maximumFractionDigits },
  });
}

async function readStock() {
  const items = await sluice.stock(shop.sale.id, { deadlineMs: READ_MS });
  stocked(new Map(items.map(({ sku, available }) => [sku, available])));
}

function stocked(units) {
  shop.stock = units;
  shop.stockAtMs = performance.now();
  shop.stockSeenMs = shop.now();
  changed();
}

/** The live connection brings stock and events at once; without it the page asks now and then. */
async function connect() {
  for (;;) {
    try {
      live = await sluice.live();
      live.watchStock(shop.sale.id, (units) => stocked(new Map(units)));
      return; // it replaces its socket by itself
    } catch {
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }
}

/** Draws soon; however much changed, once. */
function changed() {
  if (drawsSoon) return;
  drawsSoon = true;
  setTimeout(() => {
    drawsSoon = false;
    draw();
  }, 0);
}

function draw() {
  if (!shop.sale || !shop.currency) return;
  shop.stale = shop.stock !== undefined && performance.now() - shop.stockAtMs > STALE_MS;
  const { name, opensAt, closesAt } = shop.sale;
  say($("#name"), name);
  document.title = name;
  say($("#window"), windowWords(Date.parse(opensAt), Date.parse(closesAt)));
  const currencies = orderedCurrencies();
  if (!currencies.includes(shop.currency)) currencies.push(shop.currency);
  show($("#currency"), currencies, () => currencies.map((code) => el("option", {}, code)));
  $("#currency").value = shop.currency;
  say($("#count"), String(cart.count));
  $("#kept").hidden = keeps;
  showItems(shop, cart);
  cart.render();
  showOrders(ordering, shop);
}

function orderedCurrencies() {
  const all = currenciesFor(shop.rates, shop.sale.currency, shop.now());
  const first = FIRST_CURRENCIES.filter((code) => all.includes(code));
  return [...new Set([...first, ...all])];
}

function windowWords(opensMs, closesMs) {
  const now = shop.now();
  const day = (ms) =>
    new Date(ms).toLocaleString(undefined, { dateStyle: "long", timeStyle: "short" });
  if (now >= closesMs) return `Closed since ${day(closesMs)}`;
  if (now >= opensMs) return `Open until ${day(closesMs)}`;
  const seconds = Math.ceil((opensMs - now) / 1_000);
  return seconds < 3_600
    ? `Opens in ${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`
    : `Opens ${day(opensMs)}`;
}

/** Told to a screen reader, and shown for a moment. */
function announce(text) {
  const line = el("p", {}, text);
  const news = $("#news");
  news.append(line);
  while (news.children.length > MAX_NEWS) news.firstChild.remove();
  setTimeout(() => line.remove(), NEWS_MS);
}

$("#sale").addEventListener("change", ({ target }) => {
  location.hash = encodeURIComponent(target.value);
});
$("#currency").addEventListener("change", ({ target }) => {
  shop.currency = target.value;
  cart.most = undefined;
  keep("currency", target.value);
  changed();
});
$("#most").addEventListener("input", ({ target }) => {
  cart.most = target.value;
  changed();
});
$("#checkout").addEventListener("submit", async (event) => {
  event.preventDefault();
  const { order, lines } = cart;
  if (!order || !ordering.user) return;
  const names = lines.map(({ item, qty }) => (qty === 1 ? item.name : `${qty} × ${item.name}`));
  cart.clear();
  const id = await ordering.place(order, names);
  draw();
  const heading = document.querySelector(`[data-id="${id}"] h3`);
  heading?.focus({ preventScroll: true });
  $("#orders").scrollIntoView({ block: "start" });
});
addEventListener("hashchange", () => location.reload());
setInterval(() => {
  tick(shop);
  changed();
}, 1_000);
void start();
