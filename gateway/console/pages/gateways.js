// Gateways, and where each publishes.
import { admissionWords, heldBack } from "../reason-words.js";
import { bytes, count, duration, plural, timeOfDay } from "../ui/format.js";
import { Grafana } from "../ui/grafana.js";
import { html } from "../ui/html.js";
import { State } from "../ui/parts.js";
import { Table } from "../ui/table.js";

const LEVELS = { none: "ok", some: "warning", all: "trouble" };

export function Gateways({ value }) {
  const columns = [
    { head: "Region", cell: (g) => html`<${Region} name=${g.region} />` },
    { head: "Gateway", wide: true, cell: (g) => g.id },
    { head: "Publishes to", wide: true, cell: (g) => html`<${Publishes} gateway=${g} />` },
    { head: "Admission", wide: true, cell: (g) => html`<${Admission} gateway=${g} />` },
    {
      head: "Wait",
      num: true,
      cell: (g) => duration(Math.max(0, ...g.shards.map((s) => s.waitMs))),
    },
    {
      head: "On the way",
      num: true,
      cell: (g) => count(g.shards.reduce((n, s) => n + s.pending, 0)),
    },
    { head: "Sockets", num: true, cell: (g) => count(g.sockets) },
    { head: "Runs late", num: true, cell: (g) => duration(g.loopDelayMs) },
    { head: "Memory", num: true, cell: (g) => bytes(g.rssBytes) },
  ];
  return html`<${Table} label="Gateways" columns=${columns} rows=${value} keyOf=${(g) => g.id}
    empty="No gateway reports." />`;
}

const Region = ({ name }) =>
  html`<b>${name}</b> <${Grafana} about="region ${name}" region=${name} />`;

function Admission({ gateway }) {
  const { orders, shards } = heldBack(gateway);
  const part = orders === "some" && shards.length > 0;
  const words = part ? `closed for ${plural(shards.length, "shard")}` : gateway.admission;
  const why = admissionWords(gateway).join("; ");
  return html`<${State} level=${LEVELS[orders]}>${words}</${State}>
    ${why && html`<small>${why}</small>`}`;
}

/** The region that gets a gateway's orders, and the regions that are not as they should be. */
function Publishes({ gateway: { region, publishing: p } }) {
  if (!p) return region; // of an earlier release: it publishes to its own region only
  const own = p.regions.find((r) => r.region === region);
  const home = p.publishesTo === region && !own?.queues?.length;
  const odd = p.regions.filter(
    (r) => r.broker !== "up" || r.breaker !== "closed" || r.queues?.length,
  );
  return html`<${State} level=${home ? "ok" : "warning"}>${p.publishesTo}</${State}>
    ${odd.map((r) => html`<small>${wordsOf(r)}</small>`)}`;
}

/** A sentence about a region; a half-open breaker gets a message on trial. */
function wordsOf(r) {
  const since = r.why === "" ? "" : ` since ${timeOfDay(r.sinceMs)}`;
  const use = {
    closed: `its broker is ${r.broker}`,
    open: `not used${since}: ${r.why || `its broker is ${r.broker}`}`,
    "half-open": `its broker is ${r.broker} again, and is on trial${since}`,
  }[r.breaker];
  const queues = r.queues?.length ? `; not the queues of shards ${r.queues.join(", ")}` : "";
  return `${r.region}: ${use}${queues}`;
}
