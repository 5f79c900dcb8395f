// Orders: found by id, user, sale and status, and the whole story of one.
import { address, go } from "../router.js";
import { useAsked } from "../ui/asked.js";
import { html } from "../ui/html.js";
import { Panel } from "../ui/panel.js";
import { Field } from "../ui/parts.js";
import { Table } from "../ui/table.js";
import { At } from "../ui/time.js";
import { linesOf, OrderState, STATES } from "./order-words.js";
import { Story } from "./story.js";

const FILTERS = ["id", "user", "status", "saleId"];
const PAGE = 50;

export function OrdersPage({ query }) {
  const filter = Object.fromEntries(FILTERS.map((name) => [name, query.get(name) ?? ""]));
  const wanted = filter.id !== "";
  return html`<${Find} key=${JSON.stringify(filter)} filter=${filter} />
    ${wanted && html`<${One} key=${filter.id} filter=${filter} />`}
    ${!wanted && html`<${Found} filter=${filter} before=${query.get("before") ?? ""} />`}`;
}

function Find({ filter }) {
  const find = (event) => {
    event.preventDefault();
    go(address("orders", Object.fromEntries(new FormData(event.target))));
  };
  return html`<form class="form find" role="search" onSubmit=${find}>
    <${Field} label="Order id"><input name="id" defaultValue=${filter.id} spellcheck=${false} />
    </${Field}>
    <${Field} label="User"><input name="user" defaultValue=${filter.user} /></${Field}>
    <${Field} label="Sale"><input name="saleId" defaultValue=${filter.saleId} /></${Field}>
    <${Field} label="Status"><select name="status">
      <option value="">any</option>
      ${STATES.map(
        (s) => html`<option value=${s} selected=${s === filter.status}>
        ${s.replaceAll("_", " ")}</option>`,
      )}
    </select></${Field}>
    <div><button class="primary">Find</button></div>
  </form>`;
}

/** Several users may have an order of the same id: then those are listed. */
function One({ filter: { id, user } }) {
  const path = `/v1/admin/orders/${encodeURIComponent(id)}`;
  const order = useAsked(user ? `${path}?${new URLSearchParams({ user })}` : path);
  const several = !user && order.field === "user";
  return html`<${Panel} id="order" title="Order ${id}" known=${order} view=${Story}
      actions=${html`<button onClick=${order.again}>Refresh</button>`} />
    ${several && html`<${Found} filter=${{ id }} before="" />`}`;
}

function Found({ filter, before }) {
  const set = Object.entries({ ...filter, before }).filter(([, v]) => v !== "");
  const bound = filter.id ? [] : [["limit", PAGE]];
  const found = useAsked(`/v1/admin/orders?${new URLSearchParams([...bound, ...set])}`);
  return html`<${Panel} id="orders" title="Orders, newest first" known=${found} view=${List}
    filter=${filter} actions=${html`<button onClick=${found.again}>Refresh</button>`} />`;
}

function List({ value: { orders, before }, filter }) {
  const columns = [
    {
      head: "Order",
      wide: true,
      cell: (o) => html`<a class="id"
        href=${address("orders", { id: o.id, user: o.user })}>${o.id}</a>`,
    },
    { head: "User", cell: (o) => o.user },
    { head: "Sale", wide: true, cell: (o) => o.saleId },
    { head: "Status", cell: (o) => html`<${OrderState} state=${o.status} />` },
    { head: "Items", wide: true, cell: (o) => linesOf(o) },
    { head: "Accepted", cell: (o) => html`<${At} at=${o.acceptedAt} />` },
    { head: "Decided", cell: (o) => (o.decidedAt ? html`<${At} at=${o.decidedAt} />` : "not yet") },
  ];
  return html`<${Table} label="Orders" columns=${columns} rows=${orders}
      keyOf=${(o) => `${o.user} ${o.id}`}
      empty=${before ? "None on this page of the ledger." : "No order matches."} />
    ${
      before &&
      html`<nav class="pager" aria-label="Pages of orders">
      <a href=${address("orders", { ...filter, before })}>Older orders</a></nav>`
    }`;
}
