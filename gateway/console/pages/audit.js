// What operators did, newest first.
import { address, go } from "../router.js";
import { useAsked } from "../ui/asked.js";
import { html } from "../ui/html.js";
import { Panel } from "../ui/panel.js";
import { Field, State } from "../ui/parts.js";
import { Table } from "../ui/table.js";
import { At } from "../ui/time.js";

const PAGE = 50;
const FILTERS = ["subject", "action", "reads"];

export function AuditPage({ query }) {
  const filter = Object.fromEntries(FILTERS.map((name) => [name, query.get(name) ?? ""]));
  const { reads, ...named } = filter;
  const set = Object.entries({ ...named, before: query.get("before") ?? "" });
  const ask = new URLSearchParams([
    ...Object.entries({ limit: PAGE, changes: reads === "yes" ? "no" : "yes" }),
    ...set.filter(([, v]) => v !== ""),
  ]);
  const log = useAsked(`/v1/admin/audit?${ask}`);
  return html`<${Find} key=${JSON.stringify(filter)} filter=${filter} />
    <${Panel} id="audit" title="What operators did" known=${log} view=${Records} filter=${filter}
      actions=${html`<button onClick=${log.again}>Refresh</button>`} />`;
}

function Find({ filter }) {
  const find = (event) => {
    event.preventDefault();
    go(address("audit", Object.fromEntries(new FormData(event.target))));
  };
  return html`<form class="form find" role="search" onSubmit=${find}>
    <${Field} label="By whom"><input name="subject" defaultValue=${filter.subject} /></${Field}>
    <${Field} label="Action"><input name="action" defaultValue=${filter.action}
      placeholder="such as sales.restock" /></${Field}>
    <${Field} label="Show"><select name="reads">
      <option value="">changes</option>
      <option value="yes" selected=${filter.reads === "yes"}>changes and reads</option>
    </select></${Field}>
    <div><button class="primary">Find</button></div>
  </form>`;
}

function Records({ value: { records, next }, filter }) {
  const columns = [
    { head: "When", cell: (r) => html`<${At} at=${r.at} />` },
    { head: "Who", cell: (r) => html`<b>${r.subject}</b>` },
    { head: "Action", cell: (r) => r.action },
    { head: "Target", wide: true, cell: (r) => r.target || "–" },
    { head: "Result", cell: (r) => html`<${Result} status=${r.status} />` },
    { head: "Request", wide: true, cell: (r) => html`<${Asked} detail=${r.detail} />` },
  ];
  return html`<${Table} label="Audit" columns=${columns} rows=${records} keyOf=${(r) => r.seq}
      rowClass=${({ action }) => (/\.(list|get)$/.test(action) ? "minor" : "")}
      empty="No entry matches." />
    ${
      next !== undefined &&
      html`<nav class="pager" aria-label="Pages of the audit">
      <a href=${address("audit", { ...filter, before: next })}>Older entries</a></nav>`
    }`;
}

function Result({ status }) {
  if (status === undefined) return html`<${State} level="unknown">unknown</${State}>`;
  if (status < 300) return html`<${State} level="ok">done</${State}>`;
  return html`<${State} level="warning">refused (${status})</${State}>`;
}

/** A longer request is opened by whoever wants to read it. */
const SHORT = 120;

function Body({ text }) {
  if (text.length <= SHORT) return html`<code>${text}</code>`;
  return html`<details><summary><code>${text.slice(0, SHORT - 20)}…</code></summary>
    <code>${text}</code></details>`;
}

function Asked({ detail: { asked, address: from, ref } }) {
  const said = [from && `from ${from}`, ref && `reference ${ref}`];
  return html`${asked && html`<${Body} text=${asked} />`}
    <small>${said.filter(Boolean).join(", ")}</small>`;
}
