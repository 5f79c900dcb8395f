// Sales: how much is sold, what it brought, and when each item will be sold out.
import { address, go, place } from "../router.js";
import { between, brief, count, dateMinute, duration, hourOf, money, share } from "../ui/format.js";
import { Grafana } from "../ui/grafana.js";
import { html, useRef } from "../ui/html.js";
import { Bar, Figure, State } from "../ui/parts.js";
import { Table } from "../ui/table.js";
import { chosen, listOf, rank, speedOf } from "./sale-choice.js";

/** A forecast of less is none. */
const SOON_MS = 10_000;
const DAY_MS = 86_400_000;
/** More rows belong on the page of the sale. */
const MOST_ITEMS = 12;

export function Sale({ value: sales, revenue }) {
  const last = useRef();
  if (sales.length === 0)
    return html`<p class="empty">There is no sale. <a href="/console/sales">Create one</a>.</p>`;
  const nowMs = Date.now();
  const listed = listOf(sales, nowMs);
  const wanted = place.get().query.get("sale");
  const sale = chosen(listed, { wanted, last: last.current, nowMs });
  last.current = sale.id;
  return html`<${One} sale=${sale} sales=${listed} nowMs=${nowMs} revenue=${revenue} />`;
}

const Choice = ({ sales, sale }) =>
  html`<label class="choice"><span class="hidden">Sale</span>
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

function One({ sale, sales, nowMs, revenue }) {
  const [level, words] = STATES[rank(sale, nowMs)];
  return html`<div class="sale">
    <div class="sale-head">
      <div>
        <h3><span>${sale.name}</span> <${State} level=${level}>${words}</${State}></h3>
        <p class="dim">${between(sale.opensAtMs, sale.closesAtMs)}
          ${" "}<${Grafana} about=${sale.name} sale=${sale.id} ...${timesOf(sale, nowMs)} /></p>
      </div>
      ${sales.length > 1 && html`<${Choice} sales=${sales} sale=${sale} />`}
    </div>
    <${Sums} sale=${sale} revenue=${revenue} />
    <${Items} sale=${sale} nowMs=${nowMs} />
  </div>`;
}

function Sums({ sale, revenue }) {
  const total = sumOf(sale.items, "total");
  const gone = sumOf(sale.items, "sold");
  const held = sumOf(sale.items, "held");
  const units = `${count(gone)} of ${count(total)} units`;
  const speed = speedOf(sale);
  const parts = total > 0 && partsOf((name) => sumOf(sale.items, name) / total);
  const sold = html`${share(total > 0 ? gone / total : undefined)}
    ${parts && html`<${Bar} parts=${parts} label=${units} />`}`;
  return html`<dl class="figures sums">
    <${Figure} label="Sold" value=${sold} note=${units} />
    <${Figure} label="Selling" value=${perS(speed)} note="units per second" />
    <${Figure} label="Held for orders" value=${count(held)} note="units being paid" />
    <${Revenue} sale=${sale} known=${revenue} />
  </dl>`;
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
  const list = sale.revenue ?? value;
  const sums = list?.map(({ currency, amount }) => html`<span>${money(amount, currency)}</span>`);
  const age = why === "" ? "" : `; ${duration(performance.now() - atMs)} old`;
  const words = sums === undefined ? "unknown" : sums.length === 0 ? "none yet" : sums;
  return html`<${Figure} label=${label} note="captured, less refunds${sums ? age : ""}"
    level=${sums?.length > 1 ? "several" : ""} value=${words} />`;
}

function Items({ sale, nowMs }) {
  const rows = fastest(sale.items);
  const columns = [
    { head: "Item", wide: true, cell: (i) => html`<b class="name" title=${i.name}>${i.name}</b>` },
    { head: "Left", num: true, cell: (i) => count(i.available) },
    { head: "Sold through", wide: true, cell: (i) => html`<${Through} item=${i} />` },
    { head: "Units per second", num: true, cell: (i) => perS(i.unitsPerS) },
    { head: "Sold out", cell: (i) => html`<${SoldOut} item=${i} sale=${sale} nowMs=${nowMs} />` },
  ];
  return html`<div><${Table} label="Items of ${sale.name}" columns=${columns} rows=${rows}
      keyOf=${(i) => i.sku} />
    <p class="key"><span aria-hidden="true"><i class="sold"></i>sold <i class="held"></i>held
      <i class="releasing"></i>releasing <i class="available"></i>left</span>
      ${
        sale.items.length > MOST_ITEMS &&
        html`<a href=${address("sales", { sale: sale.id })}>
          All ${count(sale.items.length)} items</a>`
      }</p></div>`;
}

/** The items that sell fastest, in the order of the sale: rows that move cannot be read. */
function fastest(items) {
  const sorted = items.toSorted((a, b) => (b.unitsPerS ?? 0) - (a.unitsPerS ?? 0));
  const shown = new Set(sorted.slice(0, MOST_ITEMS));
  return items.filter((item) => shown.has(item));
}

const perS = (n) => (n === null || n === undefined ? "unknown" : brief(n));

const partsOf = (shareOf) =>
  ["sold", "held", "releasing", "available"].map((name) => ({ name, share: shareOf(name) }));

function Through({ item }) {
  if (!(item.total > 0)) return "unknown";
  const parts = partsOf((name) => item[name] / item.total);
  const gone = share(item.sold / item.total);
  return html`<span class="through"><${Bar} parts=${parts}
    label="${gone} sold, ${count(item.held)} held" /> <span>${gone}</span></span>`;
}

function SoldOut({ item: { available, unitsPerS, soldOutAtMs }, sale, nowMs }) {
  if (available === null || available === undefined) return "unknown";
  if (available === 0) return html`<${State} level="notice">sold out</${State}>`;
  if (soldOutAtMs && soldOutAtMs - nowMs < SOON_MS) return "any moment";
  if (soldOutAtMs) {
    const leftMs = Math.max(0, soldOutAtMs - nowMs);
    const at = leftMs < DAY_MS ? `at ${hourOf(soldOutAtMs)}` : dateMinute(soldOutAtMs);
    return `in ${duration(leftMs)}, ${at}`;
  }
  if (unitsPerS === null || unitsPerS === undefined) return "unknown";
  if (unitsPerS === 0) return "not selling";
  const lasts = nowMs + (1_000 * available) / unitsPerS > sale.closesAtMs;
  return lasts ? "not before it closes" : "too few sold to say";
}
