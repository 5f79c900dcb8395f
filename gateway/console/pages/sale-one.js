// One sale: its window and its items, each with what an operator can change.
import { count, dateMinute, dateZone, money } from "../ui/format.js";
import { Grafana } from "../ui/grafana.js";
import { html, useState } from "../ui/html.js";
import { Pager, pageOf } from "../ui/pager.js";
import { Figure, State } from "../ui/parts.js";
import { Table } from "../ui/table.js";
import * as change from "./sale-changes.js";
import { SaleState, stateOf } from "./sale-state.js";

export function OneSale({ value: { sales }, wanted, me, again }) {
  const sale = sales.find(({ id }) => id === wanted);
  if (!sale) return html`<p class="empty">There is no sale with this id.</p>`;
  const [, state] = stateOf(sale);
  return html`<div class="sale-window">
      <dl class="figures">
        <${Figure} label="State" value=${html`<${SaleState} sale=${sale} />`} />
        <${Figure} label="Opens" value=${dateZone(sale.opensAt)} />
        <${Figure} label="Closes" value=${dateZone(sale.closesAt)} />
        <${Figure} label="Currency" value=${sale.currency} />
        <${Figure} label="Id" value=${html`<span class="id">${sale.id}</span>`} />
      </dl>
      <${Grafana} about=${sale.name} sale=${sale.id} />
      ${
        me.operate &&
        html`<div class="actions">
        ${
          state === "opens later" &&
          html`<button onClick=${() => change.openNow(sale, again)}>Open now…</button>`
        }
        <button onClick=${() => change.moveWindow(sale, again)}>Change the window…</button>
        ${
          state !== "closed" &&
          html`<button class="danger"
            onClick=${() => change.closeNow(sale, again)}>Close now…</button>`
        }
        <button class="primary" onClick=${() => change.addItem(sale, again)}>Add an item…</button>
      </div>`
      }
    </div>
    <${Items} sale=${sale} me=${me} again=${again} />`;
}

/** A sale may have ten thousand items. */
const PAGE = 100;
/** Fewer are found by looking. */
const MANY = 20;

function Items({ sale, me, again }) {
  const [page, turn] = useState(0);
  const [text, setText] = useState("");
  const of = new Map(sale.stock.map((s) => [s.sku, s]));
  const wanted = text.trim().toLowerCase();
  const found = sale.items.filter((item) =>
    [item.name, item.sku, item.category].some((of) => of.toLowerCase().includes(wanted)),
  );
  const { at, pages, shown } = pageOf(found, page, PAGE);
  const rows = shown.map((item) => ({ ...item, units: of.get(item.sku) }));
  const columns = [
    {
      head: "Item",
      wide: true,
      cell: (i) => html`<b class="name" title=${i.name}>${i.name}</b>
        <small>${i.sku} · ${i.category}${moved(i.units)}</small>
        ${i.withdrawn && html`<${State} level="warning">withdrawn</${State}>`}`,
    },
    {
      head: "Price",
      num: true,
      cell: (i) => html`${money(i.priceMinor, sale.currency)}
        ${(i.prices ?? []).map(
          (p) => html`<small>${money(p.priceMinor, sale.currency)} from
        ${" "}${dateMinute(p.from)}</small>`,
        )}`,
    },
    {
      head: "Per user",
      num: true,
      cell: (i) => (i.limitPerUser ? count(i.limitPerUser) : "no limit"),
    },
    { head: "Left", num: true, cell: (i) => count(i.units?.available) },
    { head: "Held", num: true, cell: (i) => count(i.units?.held) },
    { head: "Sold", num: true, cell: (i) => count(i.units?.sold) },
    ...(me.operate
      ? [
          {
            head: "Change",
            wide: true,
            cell: (i) => html`<${Acts} sale=${sale} item=${i}
          again=${again} />`,
          },
        ]
      : []),
  ];
  const find = html`<label class="choice">Find an item
    <input id="find-item" type="search" value=${text} onInput=${(e) => {
      setText(e.target.value);
      turn(0);
    }} /></label>`;
  return html`${sale.items.length > MANY && find}
    <${Table} label="Items" columns=${columns} rows=${rows} keyOf=${(i) => i.sku}
      empty="No item matches." />
    <${Pager} label="Pages of items" at=${at} pages=${pages} turn=${turn} />`;
}

/** Units that came or went after the sale was made; of most items there are none. */
function moved({ restocked = 0, corrected = 0 } = {}) {
  const added = restocked > 0 ? ` · ${count(restocked)} added later` : "";
  return `${added}${corrected > 0 ? ` · ${count(corrected)} taken away` : ""}`;
}

function Acts({ sale, item, again }) {
  const act = (label, what) => html`<button class="small" aria-label="${label} ${item.name}"
    onClick=${() => what(sale, item, again)}>${label}</button>`;
  return html`<span class="acts">${act("Restock", change.restock)}
    ${act("Correct", change.correct)} ${act("Price", change.price)}
    ${act("Limit", change.limit)}
    ${item.withdrawn ? act("Offer", change.offer) : act("Withdraw", change.withdraw)}</span>`;
}
