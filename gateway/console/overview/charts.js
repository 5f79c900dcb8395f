// The last minutes: orders by outcome, and how long they wait.
import { past } from "../live.js";
import { Chart } from "../ui/chart.js";
import { brief, duration } from "../ui/format.js";
import { html } from "../ui/html.js";
import { Panel } from "../ui/panel.js";

const rate = (n) => (n === null || n === undefined ? "unknown" : brief(n));
const wait = (n) => (n === null || n === undefined ? "unknown" : duration(n));

export function Charts({ known }) {
  return html`<div class="two">
    <${Panel} id="chart-orders" title="Last minutes: orders per second" known=${known.orders}
      view=${Orders} />
    <${Panel} id="chart-waits" title="Last minutes: age of the oldest order" known=${known.shards}
      view=${Waits} />
  </div>`;
}

function Orders() {
  const { times, lines } = past;
  return html`<${Chart} label="Orders per second" times=${times} unit=${rate} least=${10} lines=${[
    { name: "accepted", colour: "c1", values: lines.accepted },
    { name: "reserved", colour: "c2", values: lines.reserved, dash: [6, 3] },
    { name: "sold out", colour: "c3", values: lines.soldOut, dash: [2, 3] },
    { name: "answered 503", colour: "c4", values: lines.shed, dash: [8, 3, 2, 3] },
  ]} />`;
}

function Waits() {
  const { times, lines } = past;
  return html`<${Chart} label="Age of the oldest order" times=${times} unit=${wait}
    least=${50} lines=${[
      { name: "worst shard", colour: "c4", values: lines.worst },
      { name: "median shard", colour: "c1", values: lines.median, dash: [6, 3] },
    ]} />`;
}
