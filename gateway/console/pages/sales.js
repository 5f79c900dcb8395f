// Sales: all of them, one with its items, or a new one.
import { address } from "../router.js";
import { useAsked } from "../ui/asked.js";
import { count, dateMinute, share } from "../ui/format.js";
import { html } from "../ui/html.js";
import { Panel } from "../ui/panel.js";
import { Table } from "../ui/table.js";
import { NewSale } from "./sale-new.js";
import { OneSale } from "./sale-one.js";
import { SaleState } from "./sale-state.js";

export function SalesPage({ query, me }) {
  const sales = useAsked("/v1/admin/sales");
  const wanted = query.get("sale");
  if (wanted === "new" && me.operate) return html`<${NewSale} again=${sales.again} />`;
  const actions = html`<button onClick=${sales.again}>Refresh</button>
    ${
      me.operate && html`<a class="button" href=${address("sales", { sale: "new" })}>New sale</a>`
    }`;
  if (wanted)
    return html`<p><a href=${address("sales")}>← All sales</a></p>
      <${Panel} id="one-sale" title=${nameOf(sales, wanted)} known=${sales} view=${OneSale}
        wanted=${wanted} me=${me} again=${sales.again} actions=${actions} />`;
  return html`<${Panel} id="sales" title="All sales" known=${sales} view=${List}
    actions=${actions} />`;
}

const nameOf = ({ value }, wanted) =>
  value?.sales.find(({ id }) => id === wanted)?.name ?? `Sale ${wanted}`;

function List({ value: { sales } }) {
  const sorted = sales.toSorted((a, b) => b.opensAt.localeCompare(a.opensAt));
  const columns = [
    {
      head: "Sale",
      wide: true,
      cell: (s) => html`<a href=${address("sales", { sale: s.id })}>
        ${s.name}</a>${s.name !== s.id && html`<small>${s.id}</small>`}`,
    },
    { head: "State", cell: (s) => html`<${SaleState} sale=${s} />` },
    { head: "Opens", cell: (s) => dateMinute(s.opensAt) },
    { head: "Closes", cell: (s) => dateMinute(s.closesAt) },
    { head: "Items", num: true, cell: (s) => count(s.items.length) },
    { head: "Units", num: true, cell: (s) => count(unitsOf(s).total) },
    { head: "Sold", num: true, cell: (s) => share(unitsOf(s).sold / unitsOf(s).total) },
  ];
  return html`<${Table} label="All sales" columns=${columns} rows=${sorted} keyOf=${(s) => s.id}
    empty="There is no sale yet." />`;
}

function unitsOf({ stock }) {
  const sum = (name) => stock.reduce((n, item) => n + item[name], 0);
  const sold = sum("sold");
  return { sold, total: sold + sum("available") + sum("held") + sum("releasing") };
}
