// An order's attempts to charge, its parts, and what webhooks delivered of it.
import { address } from "../router.js";
import { dateTime, money } from "../ui/format.js";
import { html } from "../ui/html.js";
import { State } from "../ui/parts.js";
import { Table } from "../ui/table.js";

const LEVELS = {
  ...{ captured: "ok", refunded: "ok", done: "ok", delivered: "ok" },
  ...{ failed: "warning", unknown: "unknown", refund_failed: "trouble", unresolved: "trouble" },
};
const inWords = (word) => String(word).replaceAll("_", " ");
const Word = ({ word }) =>
  html`<${State} level=${LEVELS[word] ?? "notice"}>${inWords(word)}</${State}>`;

/** A table under a heading of its own; nothing where there are no rows. */
const Titled = ({ title, rows, columns, keyOf }) =>
  rows?.length > 0 &&
  html`<div class="rows"><header><h3>${title}</h3></header>
    <${Table} label=${title} columns=${columns} rows=${rows} keyOf=${keyOf} /></div>`;

export const Charges = ({ charges }) =>
  html`<${Titled} title="Charges" rows=${charges} keyOf=${(c) => `${c.generation} ${c.attempt}`}
    columns=${[
      { head: "Attempt", cell: (c) => c.attempt },
      { head: "Generation", num: true, cell: (c) => c.generation },
      { head: "Amount", num: true, cell: (c) => money(c.amount, c.currency) },
      { head: "Status", cell: (c) => html`<${Word} word=${c.status} />` },
      { head: "Detail", wide: true, cell: (c) => textOf(c.detail) || "–" },
    ]} />`;

export const Parts = ({ parts }) =>
  html`<${Titled} title="Parts" rows=${parts} keyOf=${(p) => `${p.generation ?? ""} ${p.part}`}
    columns=${[
      { head: "Part", num: true, cell: (p) => p.part },
      { head: "Region and category", cell: (p) => p.routingKey },
      { head: "Service", cell: (p) => p.service || "nobody yet" },
      { head: "Status", cell: (p) => html`<${Word} word=${p.status} />` },
    ]} />
    ${
      parts?.some(({ status }) => status === "claimed") &&
      html`<p class="unknown">A claimed part may have been given up by its service:
      <a href=${address("dead")}> dead letters</a> then show it, and why.</p>`
    }`;

export const Deliveries = ({ deliveries }) =>
  html`<${Titled} title="Webhooks" rows=${deliveries}
    keyOf=${(d) => `${d.endpoint} ${d.type} ${d.at}`}
    columns=${[
      { head: "Event", cell: (d) => d.type },
      { head: "Receiver", wide: true, cell: (d) => d.endpoint },
      { head: "Outcome", cell: (d) => html`<${Word} word=${d.outcome} />` },
      { head: "Status", num: true, cell: (d) => d.status || "–" },
      { head: "Tries", num: true, cell: (d) => d.tries },
      { head: "When", cell: (d) => dateTime(d.at) },
    ]} />`;

const textOf = (detail) => (typeof detail === "string" ? detail : JSON.stringify(detail ?? ""));
