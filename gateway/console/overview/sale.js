// Sales: how much is sold, what it brought, and when each item will be sold out.
import { address, go, place } from "../router.js";
import { between, brief, count, duration, hourOf, money, share } from "../ui/format.js";
import { Grafana } from "../ui/grafana.js";
import { html } from "../ui/html.js";
import { Bar, Figure, State } from "../ui/parts.js";
import { Table } from "../ui/table.js";

/** More rows belong on the page of the sale. */
const MOST_ITEMS = 12;

export function Sale({ value: sales, revenue }) {
  if (sales.length === 0)
    return html`<p class="empty">There is no sale. <a href="/console/sales">Create one</a>.</p>`;
  const nowMs = Date.now();
  const listed = sales.toSorted((a, b) => rank(a, nowMs) - rank(b, nowMs) || nearer(a, b, nowMs));
  const wanted = place.get().query.get("sale");
  const sale = listed.find(({ id }) => id === wanted) ?? listed[0];
  return html`${listed.length > 1 && html`<${Choice} sales=${listed} sale=${sale} />`}
    <${One} sale=${sale} nowMs=${nowMs} revenue=${revenue} />`;
}

/** Open sales first, then those to come, then closed ones. */
function rank({ opensAtMs, closesAtMs }, nowMs) {
  if (nowMs < opensAtMs) return 1;
  return nowMs < closesAtMs ? 0 : 2;
}

/** Of those to come the next one first, of the others the one that opened last. */
const nearer = (a, b, nowMs) =>
  rank(a, nowMs) === 1 ? a.opensAtMs - b.opensAtMs : b.opensAtMs - a.opensAtMs;

const Choice = ({ sales, sale }) =>
  html`<label class="choice">Sale
    <select onChange=${(e) => go(address("", { sale: e.target.value }))}>
      ${sales.map(
        ({ id, name }) => html`<option value=${id} selected=${id === sale.id}>${name}</option>`,
      )}
    </select></label>`;

const STATES = [
  ["ok", "open"],
  ["notice", "opens later"],
  ["unknown", "closed"],
];

function One({ sale, nowMs, revenue }) {
  const total = sumOf(sale.items, "total");
  const gone = sumOf(sale.items, "sold");
  const held = sumOf(sale.items, "held");
  const [level, words] = STATES[rank(sale, nowMs)];
  return html`<div class="sale">
    <div class="sale-head">
      <h3>${sale.name} <${State} level=${level}>${words}</${State}></h3>
      <p class="dim">${between(sale.opensAtMs, sale.closesAtMs)}
        ${" "}<${Grafana} about=${sale.name} sale=${sale.id} ...${timesOf(sale, nowMs)} /></p>
      <dl class="figures">
        <${Figure} label="Sold" value=${share(total > 0 ? gone / total : undefined)}
          note="${count(gone)} of ${count(total)} units" />
        <${Figure} label="Held for orders" value=${count(held)} note="units being paid" />
        <${Revenue} sale=${sale} known=${revenue} />
      </dl>
    </div>
    <${Items} sale=${sale} nowMs=${nowMs} />
  </div>`;
}

/** NaN, which is shown as unknown, if one is unknown. */
const sumOf = (items, name) => items.reduce((sum, item) => sum + (item[name] ?? Number.NaN), 0);

/** From an hour before it opened to an hour after it closed, or to now. */
const timesOf = ({ opensAtMs, closesAtMs }, nowMs) => ({
  fromMs: Math.min(opensAtMs, nowMs) - 3_600_000,
  toMs: closesAtMs + 3_600_000 < nowMs ? closesAtMs + 3_600_000 : undefined,
});

/** What the sale has brought; what all have, if customers paid under an earlier release. */
function Revenue({ sale, known: { value, why, atMs } }) {
  const label = sale.revenue ? "Revenue" : "Revenue, all sales";
  const sums = (sale.revenue ?? value)?.map(
    ({ currency, amount }) => html`<span>${money(amount, currency)}</span>`,
  );
  const age = why === "" ? "" : `; ${duration(performance.now() - atMs)} old`;
  return html`<${Figure} label=${label} note="captured, less refunds${sums ? age : ""}"
    value=${sums === undefined ? "unknown" : sums.length === 0 ? "none yet" : sums} />`;
}

function Items({ sale, nowMs }) {
  const rows = fastest(sale.items);
  const columns = [
    { head: "Item", cell: (i) => html`<b>${i.name}</b>` },
    { head: "Left", num: true, cell: (i) => count(i.available) },
    { head: "Sold through", wide: true, cell: (i) => html`<${Through} item=${i} />` },
    { head: "Units per second", num: true, cell: (i) => perS(i.unitsPerS) },
    { head: "Sold out", cell: (i) => html`<${SoldOut} item=${i} nowMs=${nowMs} />` },
  ];
  return html`<div><${Table} label="Items of ${sale.name}" columns=${columns} rows=${rows}
      keyOf=${(i) => i.sku} />
    ${
      sale.items.length > MOST_ITEMS &&
      html`<p><a href=${address("sales", { sale: sale.id })}>All ${sale.items.length} items</a></p>`
    }
    <p class="key" aria-hidden="true"><i class="sold"></i>sold <i class="held"></i>held
      <i class="releasing"></i>releasing <i class="available"></i>left</p></div>`;
}

/** The items that sell fastest, in the order of the sale: rows that move cannot be read. */
function fastest(items) {
  const sorted = items.toSorted((a, b) => (b.unitsPerS ?? 0) - (a.unitsPerS ?? 0));
  const shown = new Set(sorted.slice(0, MOST_ITEMS));
  return items.filter((item) => shown.has(item));
}

const perS = (n) => (n === null || n === undefined ? "unknown" : brief(n));

function Through({ item }) {
  if (!(item.total > 0)) return "unknown";
  const parts = ["sold", "held", "releasing", "available"].map((name) => ({
    ...{ name, share: item[name] / item.total },
  }));
  const gone = share(item.sold / item.total);
  return html`<span class="through"><${Bar} parts=${parts}
    label="${gone} sold, ${count(item.held)} held" /> <span>${gone}</span></span>`;
}

function SoldOut({ item: { available, unitsPerS, soldOutAtMs }, nowMs }) {
  if (available === null || available === undefined) return "unknown";
  if (available === 0) return html`<${State} level="notice">sold out</${State}>`;
  if (soldOutAtMs)
    return `in ${duration(Math.max(0, soldOutAtMs - nowMs))}, at ${hourOf(soldOutAtMs)}`;
  if (unitsPerS === null || unitsPerS === undefined) return "unknown";
  return unitsPerS === 0 ? "not selling" : "not before it closes";
}
