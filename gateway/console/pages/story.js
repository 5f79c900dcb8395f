// The whole story of one order: what it is, and what happened to it, when.
import { address } from "../router.js";
import { dateTime, duration, fullTime, money } from "../ui/format.js";
import { html } from "../ui/html.js";
import { eventWords, linesOf, OrderState } from "./order-words.js";
import { Charges, Deliveries, Parts } from "./story-tables.js";

const WAITS = {
  number: "an order with an earlier number",
  rate: "an exchange rate",
  number_or_rate: "an earlier number, or an exchange rate",
  earlier_charge: "charges of the user's earlier orders",
};

export function Story({ value: order }) {
  return html`<div class="two">
    <dl class="facts">${factsOf(order).map(
      ([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`,
    )}</dl>
    <${Events} order=${order} />
  </div>
  <${Charges} charges=${order.charges} />
  <${Parts} parts=${order.parts} />
  <${Deliveries} deliveries=${order.deliveries} />`;
}

function factsOf(o) {
  const user = html`<a href=${address("orders", { user: o.user })}>${o.user}</a>`;
  const facts = [
    ["Status", html`<${OrderState} state=${o.status} />`],
    ["Waits for", o.waitsFor && WAITS[o.waitsFor]],
    ["User", user],
    ["Sale", o.saleId],
    ["Items", o.lines && linesOf(o)],
    ["Amount", o.amount === undefined ? undefined : money(o.amount, o.currency)],
    ["Currency", o.currency],
    ["Exchange rate", o.rate && `${o.rate.value} (${o.rate.id})`],
    ["At most", o.maxTotal === undefined ? undefined : money(o.maxTotal, o.currency)],
    ["Number", o.seq],
    ["Accepted", o.acceptedAt && dateTime(o.acceptedAt)],
    ["Decided", o.decidedAt ? dateTime(o.decidedAt) : "not yet"],
    ["Entry", o.entry && `${o.entry.id ?? o.entry.n} of shard ${o.entry.shard}`],
    ["Trace", o.traceId && html`<code>${o.traceId}</code>`],
    [
      "Metadata",
      o.metadata === undefined ? undefined : html`<code>${JSON.stringify(o.metadata)}</code>`,
    ],
  ];
  return facts.filter(([, value]) => value !== undefined && value !== "");
}

function Events({ order }) {
  const { acceptedAt, events = [] } = order;
  const rest = events.toSorted((a, b) => Date.parse(a.at) - Date.parse(b.at));
  const story = [...(acceptedAt ? [{ at: acceptedAt, event: "accepted" }] : []), ...rest];
  if (story.length === 0) return html`<p class="empty">Nothing is on record yet.</p>`;
  const since = Date.parse(story[0].at);
  return html`<ol class="story" aria-label="What happened">
    ${story.map(
      ({ at, event, detail }) => html`<li>
        <time datetime=${at} title=${fullTime(at)}>+${duration(Date.parse(at) - since)}</time>
        <span><b>${event.replaceAll("_", " ")}</b><small>${eventWords(event, detail)}</small></span>
      </li>`,
    )}
  </ol>`;
}
