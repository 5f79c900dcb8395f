// What happened in the last day, and its main figures: roles, shards, alarms, admission, operators.
import { againLater } from "../reason-words.js";
import { address } from "../router.js";
import { useAsked } from "../ui/asked.js";
import { Chart } from "../ui/chart.js";
import { brief, duration } from "../ui/format.js";
import { Grafana } from "../ui/grafana.js";
import { html } from "../ui/html.js";
import { Panel } from "../ui/panel.js";
import { State } from "../ui/parts.js";
import { Table } from "../ui/table.js";
import { At } from "../ui/time.js";

const PAGE = 100;

export function TimelinePage({ query }) {
  const before = query.get("before");
  const ask = new URLSearchParams({ limit: PAGE, ...(before ? { before } : {}) });
  const events = useAsked(`/v1/admin/timeline?${ask}`);
  const day = useAsked("/v1/admin/history");
  return html`<div class="two">
      <${Panel} id="day-orders" title="Orders per minute" known=${day} view=${Orders} />
      <${Panel} id="day-waits" title="Waits" known=${day} view=${Waits} />
    </div>
    <${Panel} id="timeline" title="The last day" known=${events} view=${Events}
      actions=${html`<${Grafana} about="the last day" fromMs="now-24h" />
        <button onClick=${() => {
          events.again();
          day.again();
        }}>Refresh</button>`} />`;
}

const perMinute = (n) => (n === null || n === undefined ? "unknown" : brief(n));
const wait = (n) => (n === null || n === undefined ? "unknown" : duration(n));
/** Counts by word: absent is none, and null is unknown. */
const of = (counts, word) => (counts === null ? null : (counts[word] ?? 0));

/** Told so by a decision, or at the gateway: most of them, once an item is gone. */
function soldOut({ decided, refused }) {
  const [late, early] = [of(decided, "sold_out"), of(refused, "sold_out")];
  return late === null || early === null ? null : late + early;
}

function Orders({ value: { minutes } }) {
  if (minutes.length === 0) return html`<p class="empty">There are no minutes on record yet.</p>`;
  return html`<${Chart} label="Orders per minute" unit=${perMinute} least=${10}
    times=${minutes.map((m) => m.atMs / 1_000)} lines=${[
      { name: "accepted", colour: "c1", values: minutes.map((m) => m.accepted) },
      {
        name: "reserved",
        colour: "c2",
        dash: [6, 3],
        values: minutes.map((m) => of(m.decided, "reserved")),
      },
      {
        name: "sold out",
        colour: "c3",
        dash: [2, 3],
        values: minutes.map(soldOut),
      },
      {
        name: "answered 503",
        colour: "c4",
        dash: [8, 3, 2, 3],
        values: minutes.map((m) => m.refused && againLater(m.refused)),
      },
    ]} /><${Incomplete} minutes=${minutes.filter((m) => m.incomplete)} />`;
}

const NAMED = 5;

/** What a process counted last is lost with it. */
function Incomplete({ minutes }) {
  if (minutes.length === 0) return "";
  const named = minutes.slice(-NAMED).map((m, i) => html`${i > 0 && ", "}<${At} at=${m.atMs} />`);
  const more = minutes.length > NAMED ? ` and of ${minutes.length - NAMED} minutes before` : "";
  return html`<p class="unknown">Counts are incomplete in the minutes from ${named}${more}: a
    process that counts ended or froze, or no gateway looked throughout.</p>`;
}

function Waits({ value: { minutes } }) {
  if (minutes.length === 0) return html`<p class="empty">There are no minutes on record yet.</p>`;
  return html`<${Chart} label="Waits" unit=${wait} least=${50}
    times=${minutes.map((m) => m.atMs / 1_000)} lines=${[
      { name: "outcome, p99", colour: "c4", values: minutes.map((m) => m.p99Ms) },
      { name: "outcome, median", colour: "c1", dash: [6, 3], values: minutes.map((m) => m.p50Ms) },
      { name: "oldest order", colour: "c3", dash: [2, 3], values: minutes.map((m) => m.lagMs) },
    ]} />`;
}

const LEVELS = {
  ...{ role_lost: "warning", alarm_raised: "warning", region_away: "trouble", halted: "trouble" },
  unwatched: "warning",
  ...{
    role_back: "ok",
    alarm_ended: "ok",
    region_back: "ok",
    halt_ended: "ok",
    rebuild_ended: "ok",
  },
};

function Events({ value: { entries, next } }) {
  const columns = [
    { head: "When", cell: (e) => html`<${At} at=${e.atMs} />` },
    {
      head: "Kind",
      cell: (e) => html`<${State} level=${LEVELS[e.kind] ?? "notice"}>
        ${e.kind.replaceAll("_", " ")}</${State}>`,
    },
    { head: "About", wide: true, cell: (e) => e.subject },
    { head: "What happened", wide: true, cell: (e) => e.what },
  ];
  // Some are noticed late: who was lost, after what it led to.
  const rows = entries.toSorted((a, b) => b.atMs - a.atMs);
  return html`<${Table} label="Timeline" columns=${columns} rows=${rows} keyOf=${(e) => e.seq}
      empty="Nothing has happened in the last day." />
    ${
      next !== undefined &&
      html`<nav class="pager" aria-label="Pages of the timeline">
      <a href=${address("timeline", { before: next })}>Earlier</a></nav>`
    }`;
}
